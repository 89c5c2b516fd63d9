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

/// What stands in the payload of a job: a path and a text.
pub(crate) type Field = (String, String);

/// Reads `PATH=VALUE`.
pub(crate) fn field(text: &str) -> Result<Field, String> {
    let split = text.split_once('=').filter(|(path, _)| !path.is_empty());
    let (path, value) = split.ok_or("a field is PATH=VALUE, as order.items.0.sku=abc")?;
    Ok((path.to_owned(), value.to_owned()))
}

fn status(text: &str) -> Result<Status, String> {
    Status::from_text(&text.to_ascii_uppercase())
        .ok_or_else(|| "a status is init, processing, done, failed, cancelled or expired".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_ends_at_the_first_equals_sign() {
        assert_eq!(field("a.0=x=y,z"), Ok(("a.0".to_owned(), "x=y,z".to_owned())));
        assert_eq!(field("a="), Ok(("a".to_owned(), String::new())));
        assert!(field("a").is_err() && field("=a").is_err());
    }

    #[test]
    fn statuses_are_read_in_any_case() {
        assert_eq!(status("init"), Ok(Status::Init));
        assert_eq!(status("DONE"), Ok(Status::Done));
        assert!(status("ready").is_err());
    }
}
