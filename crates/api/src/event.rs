//! The events of SSE streams (WHATWG HTML, section 9.2). The `id:` of each is a position of the change feed.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `event:` field. Clients ignore names they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventName {
    /// A transition; `data` is the job as of it ([`crate::JobDocument`]), without payload, with a small result.
    Status,
    /// Progress; `data` is the job as of it, without payload. Several may be told as one.
    Progress,
    /// The position that was asked for is no longer kept; `data` is a [`Reset`], and the current state follows.
    Reset,
}

impl EventName {
    /// The name as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EventName::Status => "status",
            EventName::Progress => "progress",
            EventName::Reset => "reset",
        }
    }

    /// The event with this name, where this version knows it.
    #[must_use]
    pub fn from_text(text: &str) -> Option<EventName> {
        [EventName::Status, EventName::Progress, EventName::Reset].into_iter().find(|name| name.as_str() == text)
    }
}

/// The data of a `reset` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reset<'a> {
    /// From where the feed goes on. Changes between the position that was asked for and this one are not told.
    pub position: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in [EventName::Status, EventName::Progress, EventName::Reset] {
            assert_eq!(EventName::from_text(name.as_str()), Some(name));
            assert_eq!(serde_json::to_string(&name).unwrap(), format!("\"{}\"", name.as_str()));
        }
        assert_eq!(EventName::from_text("later"), None);
        assert_eq!(serde_json::to_string(&Reset { position: "7".into() }).unwrap(), r#"{"position":"7"}"#);
    }
}
