//! Which jobs a list or a feed is about.

use ackd_client::api::Status;
use clap::Args;

/// The options that narrow a list or a feed. Several values of one, separated by commas, are alternatives.
#[derive(Debug, Default, PartialEq, Eq, Args)]
pub(crate) struct Narrowing {
    /// Only jobs of these queues
    #[arg(long, value_delimiter = ',')]
    pub(crate) queue: Vec<String>,

    /// Only these statuses: init, processing, done, failed, cancelled, expired
    #[arg(long, value_delimiter = ',', value_parser = status)]
    pub(crate) status: Vec<Status>,

    /// Only jobs of these types
    #[arg(long = "type", value_delimiter = ',')]
    pub(crate) kind: Vec<String>,

    /// Only jobs with one of these tags
    #[arg(long, value_delimiter = ',')]
    pub(crate) tag: Vec<String>,
}

fn status(text: &str) -> Result<Status, String> {
    Status::from_text(&text.to_ascii_uppercase())
        .ok_or_else(|| "a status is init, processing, done, failed, cancelled or expired".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_in_any_case() {
        assert_eq!(status("init"), Ok(Status::Init));
        assert_eq!(status("DONE"), Ok(Status::Done));
        assert!(status("ready").is_err());
    }
}
