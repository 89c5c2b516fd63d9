use crate::Position;

/// What a bulk job, one of the server's own queue [`crate::Name::bulk`], does to each of the jobs that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BulkAction {
    /// Cancel it, or ask its worker to stop.
    Cancel,
    /// Cancel it if it waits.
    Purge,
    /// Open the next run of one that failed, expired or was cancelled.
    Retry,
    /// Open the next run of one that failed or expired.
    Redrive,
}

/// How far a bulk job has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BulkCourse {
    /// What ended later than this is not run again: so nothing is twice, however often it fails meanwhile.
    pub until: Position,
    /// Where it goes on among the jobs that it is about; `None` where it is over.
    pub next: Option<u64>,
    /// The jobs that it was about so far.
    pub matched: u64,
    /// Those of them that it changed.
    pub changed: u64,
    /// Those of them that were not as the action needs them any more.
    pub refused: u64,
    /// How much of its way that is, 0 to 100.
    pub percent: f64,
}

impl BulkCourse {
    /// The course as the checkpoint of its job, JSON.
    #[must_use]
    pub fn checkpoint(&self) -> String {
        let BulkCourse { until, next, matched, changed, refused, percent } = *self;
        let next = next.map_or_else(|| "null".to_owned(), |next| next.to_string());
        let percent = if percent.is_finite() { percent.clamp(0.0, 100.0) } else { 0.0 };
        format!(
            r#"{{"until":{},"next":{next},"matched":{matched},"changed":{changed},"refused":{refused},"percent":{percent}}}"#,
            until.0
        )
    }

    /// What came of it, as the result of its job, JSON.
    #[must_use]
    pub fn result(&self) -> String {
        let BulkCourse { matched, changed, refused, .. } = *self;
        format!(r#"{{"matched":{matched},"changed":{changed},"refused":{refused}}}"#)
    }
}

/// What came of the steps of one bulk job in one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stepped {
    /// The jobs that were changed.
    pub changed: u64,
    /// The jobs that were refused.
    pub refused: u64,
}
