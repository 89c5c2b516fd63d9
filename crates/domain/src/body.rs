use std::sync::Arc;

use bytes::Bytes;

/// The media type of JSON (RFC 8259).
pub const JSON: &str = "application/json";

/// Whether a media type is one of JSON: its own, with whatever parameters, or one that ends with `+json` (RFC 6839).
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    if content_type == JSON {
        return true;
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(JSON) || essence.to_ascii_lowercase().ends_with("+json")
}

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
