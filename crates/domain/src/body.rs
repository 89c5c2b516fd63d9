use std::sync::Arc;

use bytes::Bytes;

/// The media type of JSON (RFC 8259).
pub const JSON: &str = "application/json";

/// The bytes of a payload or a result, as they came, and what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The media type (RFC 9110, section 8.3.1), as the client named it.
    pub content_type: Arc<str>,
    /// The bytes themselves, never parsed again and never rewritten.
    pub bytes: Bytes,
}

impl Body {
    /// What the body is, without its bytes.
    #[must_use]
    pub fn info(&self) -> BodyInfo {
        BodyInfo { content_type: Arc::clone(&self.content_type), size: self.bytes.len() as u64 }
    }
}

/// What a payload or a result is, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyInfo {
    /// The media type.
    pub content_type: Arc<str>,
    /// The length in bytes.
    pub size: u64,
}
