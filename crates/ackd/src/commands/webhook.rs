//! `ackd webhook`: where the ends of jobs are told, and what was sent there.

use ackd_client::api::{CallbackEvent, Secret, WebhookDocument, WebhookFormat, WebhookRequest};
use clap::{Args, Subcommand};

use crate::cli::Session;
use crate::commands::deliveries;
use crate::commands::listing::Listing;
use crate::console::{Colour, Console, note};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::table::Cell;
use crate::words::shown;

/// The arguments of `ackd webhook`.
#[derive(Debug, Args)]
#[command(after_help = "Example: ackd webhook put crm https://crm.example/ackd --queue video --event job.failed")]
pub(crate) struct WebhookArgs {
    #[command(subcommand)]
    command: WebhookCommand,
}

/// What can be done with webhooks.
#[derive(Debug, Subcommand)]
enum WebhookCommand {
    /// Have the ends of jobs told to a URL, or change how
    Put(Box<PutArgs>),
    /// Show a webhook
    Get {
        /// The webhook
        name: String,
    },
    /// List webhooks, by name
    List,
    /// Have a webhook no longer
    Delete {
        /// The webhook
        name: String,
    },
    /// Show to whom a job's end was told, and with which answers
    Deliveries {
        /// The job's id
        job: String,
    },
    /// Make deliveries that have ended once more
    Replay {
        /// The deliveries' ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

/// The arguments of `ackd webhook put`.
#[derive(Debug, Args)]
struct PutArgs {
    /// The webhook
    name: String,

    /// Where to post
    // Not `url`, which is the server's.
    #[arg(value_name = "URL")]
    target: String,

    /// Only jobs of these queues [default: all]
    #[arg(long = "queue", value_name = "QUEUE", value_delimiter = ',')]
    queues: Vec<String>,

    /// Only these ends: job.done, job.failed, job.cancelled, job.expired [default: all]
    #[arg(long = "event", value_name = "EVENT", value_delimiter = ',', value_parser = super::word::<CallbackEvent>)]
    events: Vec<CallbackEvent>,

    /// The form of what is sent: standard or cloudevents [default: standard]
    #[arg(long, value_parser = super::word::<WebhookFormat>)]
    format: Option<WebhookFormat>,

    /// What to sign with, whsec_… or whsk_…; others see it in a list of processes, but not by the variable [default: a
    /// known webhook's own, else one is made and shown once]
    #[arg(long, env = "ACKD_WEBHOOK_SECRET", hide_env_values = true)]
    secret: Option<String>,
}

impl PutArgs {
    fn request(&self) -> WebhookRequest<'_> {
        WebhookRequest {
            url: (&*self.target).into(),
            queues: self.queues.iter().map(Into::into).collect(),
            events: self.events.clone(),
            secret: self.secret.as_deref().map(Secret::new),
            format: self.format,
        }
    }
}

/// Does it, and shows what came of it.
pub(crate) async fn run(args: WebhookArgs, session: &Session) -> Result<Exit, Failure> {
    let webhook = match args.command {
        WebhookCommand::Put(args) => session.client.put_webhook(&args.name, &args.request()).await?,
        WebhookCommand::Get { name } => session.client.webhook(&name).await?,
        WebhookCommand::List => return list(session).await,
        WebhookCommand::Delete { name } => {
            session.client.delete_webhook(&name).await?;
            return Ok(Exit::Fine);
        }
        WebhookCommand::Deliveries { job } => return deliveries::list(&job, session).await,
        WebhookCommand::Replay { ids } => return Ok(deliveries::replay(&ids, session).await),
    };
    session.console.show(&webhook, |console| show(&webhook, console))
}

/// Prints all webhooks, page by page.
async fn list(session: &Session) -> Result<Exit, Failure> {
    let mut listing = Listing::new(session.console, ["NAME", "URL", "QUEUES", "EVENTS", "FORMAT", "STATE"]);
    let mut token = None;
    loop {
        let page = session.client.webhooks(token.as_deref()).await?;
        for webhook in &page.webhooks {
            listing.add(webhook, || row(webhook))?;
        }
        token = page.next_page_token;
        if token.is_none() {
            return Ok(listing.finish("there are no webhooks")?);
        }
    }
}

fn row(webhook: &WebhookDocument<'_>) -> [Cell; 6] {
    let (state, colour) = state(webhook);
    [
        Cell::new(&webhook.name),
        Cell::new(&webhook.url),
        Cell::new(webhook.queues.join(",")),
        Cell::new(webhook.events.join(",")),
        Cell::new(&webhook.format),
        Cell::painted(state, colour),
    ]
}

/// What is to be said of how it stands, and how it looks.
fn state(webhook: &WebhookDocument<'_>) -> (String, Option<Colour>) {
    match (&webhook.disabled, webhook.failing_since) {
        (Some(disabled), _) => (format!("disabled: {}", disabled.reason), Some(Colour::Red)),
        (None, Some(since)) => (format!("failing since {since}"), Some(Colour::Yellow)),
        (None, None) => (String::new(), None),
    }
}

fn show(webhook: &WebhookDocument<'_>, console: Console) -> Result<(), Failure> {
    console.line(&shown(&webhook.name))?;
    let all = |texts: &[_]| if texts.is_empty() { "all".to_owned() } else { texts.join(", ") };
    let (state, colour) = state(webhook);
    for (name, value) in [
        ("url", &*webhook.url),
        ("queues", &*all(&webhook.queues)),
        ("events", &*all(&webhook.events)),
        ("format", &*webhook.format),
        ("created", &*webhook.created_at.to_string()),
        ("state", &*console.paint(colour, &shown(&state))),
    ] {
        if !value.is_empty() {
            let value = if name == "state" { value.into() } else { shown(value) };
            console.line(&format!("  {name:<8}  {value}"))?;
        }
    }
    if let Some(secret) = &webhook.secret {
        console.line(&format!("  {:<8}  {}", "secret", shown(secret.expose())))?;
        note("the secret is shown this once; the receiver verifies with it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn put(line: &[&str]) -> Result<String, i32> {
        let line = ["ackd", "webhook", "put", "crm", "https://x"].iter().chain(line);
        match Cli::try_parse_from(line).map_err(|error| error.exit_code())?.command {
            Command::Webhook(WebhookArgs { command: WebhookCommand::Put(args) }) => {
                Ok(serde_json::to_string(&args.request()).unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_become_a_request() {
        assert_eq!(put(&[]).as_deref(), Ok(r#"{"url":"https://x"}"#));
        let all = ["--queue", "a,b", "--event", "job.done", "--event", "job.failed", "--format", "cloudevents"];
        assert_eq!(
            put(&[&all[..], &["--secret", "whsec_x"]].concat()).as_deref(),
            Ok(
                r#"{"url":"https://x","queues":["a","b"],"events":["job.done","job.failed"],"secret":"whsec_x","format":"cloudevents"}"#
            )
        );
        assert_eq!(put(&["--event", "job.started"]), Err(2));
        assert_eq!(put(&["--format", "xml"]), Err(2));
    }
}
