//! Files: payloads and results that are too large to stand in a document.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

/// A file that was uploaded: the answer to `PUT /v1/files/{name}` and `POST /v1/files`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileDocument<'a> {
    /// Its name, for `payload_file` and `/v1/files/{name}`.
    pub file: Cow<'a, str>,
    /// Its length in bytes.
    pub size: u64,
    /// Its media type, as it was uploaded.
    pub content_type: Cow<'a, str>,
    /// When it goes, unless a job refers to it then: with the last such job it goes too.
    pub expires_at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_ignore_what_a_newer_server_says() {
        let text = r#"{"file":"cat.mp4","size":5,"content_type":"video/mp4","expires_at":"2026-11-20T10:00:00.000Z"}"#;
        let newer = text.replacen('{', r#"{"mood":1,"#, 1);
        let document: FileDocument<'_> = serde_json::from_str(&newer).unwrap();
        assert_eq!(serde_json::to_string(&document).unwrap(), text);
    }
}
