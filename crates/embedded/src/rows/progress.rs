use std::borrow::Cow;
use std::sync::Arc;

use ackd_domain::{Progress, Timestamp};
use serde::{Deserialize, Serialize};

use super::Unreadable;

/// Progress in its column.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    message: Option<Cow<'a, str>>,
    at: i64,
}

/// JSON knows no number beyond the finite ones, and neither does a percentage.
pub(super) fn to_json(progress: &Progress) -> Option<String> {
    let stored = Stored {
        percent: progress.percent,
        message: progress.message.as_deref().map(Cow::Borrowed),
        at: progress.at.millis(),
    };
    serde_json::to_string(&stored).ok()
}

pub(super) fn from_json(text: &str) -> Result<Progress, Unreadable> {
    let stored: Stored<'_> = serde_json::from_str(text).map_err(|_| Unreadable)?;
    Ok(Progress {
        percent: stored.percent,
        message: stored.message.map(Arc::from),
        at: Timestamp::from_millis(stored.at),
    })
}
