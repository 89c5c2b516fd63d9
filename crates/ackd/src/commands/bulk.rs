//! `ackd bulk`: cancel or retry all jobs that match.

use ackd_client::api::{BulkAction, BulkRequest, Time};
use clap::Args;
use serde_json::{Map, Value};

use crate::cli::Session;
use crate::commands::narrowing::{Field, Narrowing, field};
use crate::exit::Exit;
use crate::failure::Failure;

/// The arguments of `ackd bulk`.
#[derive(Debug, Args)]
#[command(after_help = "At least one option says which jobs.\n\n\
                  Example: ackd bulk retry --queue video --status failed,expired")]
pub(crate) struct BulkArgs {
    /// What to do: cancel or retry
    #[arg(value_parser = super::word::<BulkAction>)]
    action: BulkAction,

    #[command(flatten)]
    of: Narrowing,

    /// Only jobs with this field in their JSON payload, as order.items.0.sku=abc; may be given again
    #[arg(long, value_name = "PATH=VALUE", value_parser = field)]
    payload: Vec<Field>,

    /// Only jobs that were accepted after this time
    #[arg(long, value_name = "TIME")]
    after: Option<Time>,

    /// Only jobs that were accepted before this time
    #[arg(long, value_name = "TIME")]
    before: Option<Time>,
}

impl BulkArgs {
    fn request(self) -> BulkRequest {
        let mut filter = Map::new();
        let mut put = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                filter.insert(name.to_owned(), values.into_iter().map(Value::String).collect());
            }
        };
        put("queue", self.of.queue);
        put("status", self.of.status.iter().map(|status| status.as_str().to_owned()).collect());
        put("type", self.of.kind);
        put("tag", self.of.tag);
        put("created_after", self.after.iter().map(ToString::to_string).collect());
        put("created_before", self.before.iter().map(ToString::to_string).collect());
        for (path, value) in self.payload {
            filter.insert(format!("payload.{path}"), Value::String(value));
        }
        BulkRequest { filter, action: self.action }
    }
}

/// Asks for it, and names the job that says how far it is.
pub(crate) async fn run(args: BulkArgs, session: &Session) -> Result<Exit, Failure> {
    let job = session.client.bulk(&args.request()).await?;
    session.console.show(&job, |console| Ok(console.line(&job.id)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    #[test]
    fn options_become_a_filter() {
        let line =
            "ackd bulk retry --queue a,b --status failed --after 1970-01-01T00:00:00Z --payload a.0=x,y --payload b=7";
        let Command::Bulk(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else { panic!("{line}") };
        let expected = r#"{"filter":{"queue":["a","b"],"status":["FAILED"],"created_after":["1970-01-01T00:00:00.000Z"],"payload.a.0":"x,y","payload.b":"7"},"action":"retry"}"#;
        let written = serde_json::to_value(args.request()).unwrap();
        assert_eq!(written, serde_json::from_str::<Value>(expected).unwrap());
        assert!(Cli::try_parse_from(["ackd", "bulk", "eat"]).is_err());
    }
}
