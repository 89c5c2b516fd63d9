//! The task that holds a client's socket, and opens it again where it broke off.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ackd_api::EventName;
use ackd_api::socket::{ClientOp, Credit, Label, ServerFrame, ServerOp, Subscribe, Unsubscribe};
use ackd_websocket::Close;
use tokio::sync::{mpsc, oneshot};

use super::wire::{Heard, Wire};
use super::{Command, WINDOW, What};
use crate::backoff::Persistence;
use crate::{Client, Error, Event, Submitted};

/// Everything that outlives a connection.
#[derive(Debug, Default)]
struct State {
    next: u64,
    subscriptions: BTreeMap<u64, Open>,
    /// Submissions whose answer is awaited.
    submits: BTreeMap<u64, oneshot::Sender<Result<Submitted, Error>>>,
}

/// A subscription.
#[derive(Debug)]
struct Open {
    what: What,
    /// After what it goes on.
    after: Option<String>,
    /// How many events the server may send before it is granted more.
    credit: u64,
    events: mpsc::UnboundedSender<Result<Event, Error>>,
}

/// Serves `commands` until nobody is left who could give any, or the server has been away for too long.
pub(super) async fn run(client: Client, mut commands: mpsc::UnboundedReceiver<Command>) {
    let mut state = State::default();
    let mut persistence = client.persistence();
    loop {
        // Nothing is connected before there is something to say.
        let mut first = None;
        if state.subscriptions.is_empty() {
            match commands.recv().await {
                Some(Command::Credit { .. } | Command::Unsubscribe { .. }) => continue,
                Some(command) => first = Some(command),
                None => return,
            }
        }
        let broke = match serve(&client, &mut state, first, &mut commands, &mut persistence).await {
            Ok(()) => return,
            Err(error) => error,
        };
        for (_, answer) in std::mem::take(&mut state.submits) {
            let _ = answer.send(Err(Error::Unreachable("the socket broke off before the answer".into())));
        }
        if let Err(error) = persistence.failed(broke).await {
            let text = error.to_string();
            let mut error = Some(error);
            for (_, open) in std::mem::take(&mut state.subscriptions) {
                let error = error.take().unwrap_or_else(|| Error::Unreachable(text.clone().into()));
                let _ = open.events.send(Err(error));
            }
            return;
        }
    }
}

/// One connection, from its opening to its end.
async fn serve(
    client: &Client,
    state: &mut State,
    first: Option<Command>,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    persistence: &mut Persistence,
) -> Result<(), Error> {
    let known: Vec<u64> = state.subscriptions.keys().copied().collect();
    let mut to_say = Vec::new();
    if let Some(command) = first {
        // Its caller learns by the loss of its answer if the connection cannot be had.
        state.command(command, &mut to_say);
    }
    let mut wire = Wire::connect(client).await?;
    for number in known {
        if let Some(open) = state.subscriptions.get(&number) {
            wire.say(&subscribe(number, open)?);
        }
    }
    loop {
        to_say.drain(..).for_each(|text| wire.say(&text));
        let has_room = wire.has_room();
        tokio::select! {
            command = commands.recv(), if has_room => match command {
                Some(command) => state.command(command, &mut to_say),
                None => {
                    wire.close().await;
                    return Ok(());
                }
            },
            heard = wire.hear() => match heard? {
                Heard::Text(text) => {
                    persistence.succeeded();
                    state.heard(&text)?;
                }
                Heard::Closed(why) => return Err(closed(why)),
            },
        }
    }
}

/// Why the server closed, as an error that says whether to come back.
fn closed(why: Option<Close>) -> Error {
    match why {
        Some(Close { code, reason }) if !code.is_passing() => {
            Error::BadAnswer { status: 101, detail: format!("the server closed the socket with {}: {reason}", code.0) }
        }
        _ => Error::Unreachable("the server closed the socket".into()),
    }
}

impl State {
    fn command(&mut self, command: Command, to_say: &mut Vec<String>) {
        match command {
            Command::Submit { envelope, answer } => {
                self.next += 1;
                self.submits.insert(self.next, answer);
                to_say.push(format!(r#"{{"op":"submit","ref":{},"job":{envelope}}}"#, self.next));
            }
            Command::Subscribe { what, after, began } => {
                self.next += 1;
                let (events, receiver) = mpsc::unbounded_channel();
                if began.send((self.next, receiver)).is_err() {
                    return;
                }
                let open = Open { what, after, credit: WINDOW, events };
                to_say.extend(subscribe(self.next, &open));
                self.subscriptions.insert(self.next, open);
            }
            Command::Credit { number, n } => {
                if let Some(open) = self.subscriptions.get_mut(&number) {
                    open.credit += n;
                    to_say.extend(text(&Credit { op: ClientOp::Credit, sid: Label::from(number), n }));
                }
            }
            Command::Unsubscribe { number } => {
                if self.subscriptions.remove(&number).is_some() {
                    to_say.extend(text(&Unsubscribe { op: ClientOp::Unsubscribe, sid: Label::from(number) }));
                }
            }
        }
    }

    fn heard(&mut self, text: &str) -> Result<(), Error> {
        let frame: ServerFrame<'static> = serde_json::from_str(text)
            .map_err(|error| Error::BadAnswer { status: 101, detail: format!("a frame of the socket: {error}") })?;
        let ServerFrame { op, reference, sid, id, event, replayed, kept, replaced, job, problem } = frame;
        if let Some(Label::Number(number)) = reference {
            if let Some(answer) = self.submits.remove(&number) {
                let answered = match (job, problem) {
                    (Some(job), None) => Ok(Submitted { job: *job, replayed, kept, replaced }),
                    (_, Some(problem)) => Err(Error::Refused { problem, retry_after: None }),
                    (None, None) => Err(Error::BadAnswer { status: 101, detail: "an answer without a job".to_owned() }),
                };
                // Whoever asked may have gone.
                let _ = answer.send(answered);
            }
            return Ok(());
        }
        let Some(Label::Number(number)) = sid else { return Ok(()) };
        // One that was dropped meanwhile.
        let Some(open) = self.subscriptions.get_mut(&number) else { return Ok(()) };
        let position = id.map(Cow::into_owned);
        if position.is_some() {
            open.after.clone_from(&position);
        }
        let told = match (op, job, position) {
            (ServerOp::Event, Some(job), Some(position)) => {
                open.credit = open.credit.saturating_sub(1);
                match event.as_deref().and_then(EventName::from_text) {
                    Some(EventName::Status) => Some(Ok(Event::Status { position, job })),
                    Some(EventName::Progress) => Some(Ok(Event::Progress { position, job })),
                    // One of a newer server: it took a credit that nobody else gives back.
                    Some(EventName::Reset) | None => None,
                }
            }
            (ServerOp::Reset, _, Some(position)) => Some(Ok(Event::Reset { position })),
            (ServerOp::Error, ..) => problem.map(|problem| Err(Error::Refused { problem, retry_after: None })),
            _ => None,
        };
        let is_over = op == ServerOp::Ended || matches!(told, Some(Err(_)));
        if let Some(told) = told {
            let _ = open.events.send(told);
        }
        if is_over {
            self.subscriptions.remove(&number);
        }
        Ok(())
    }
}

/// The frame that opens a subscription, or opens it again where it was.
fn subscribe(number: u64, open: &Open) -> Result<String, Error> {
    let mut frame = Subscribe {
        op: ClientOp::Subscribe,
        sid: Label::from(number),
        job: None,
        queue: Vec::new(),
        status: Vec::new(),
        tag: Vec::new(),
        kind: Vec::new(),
        after: open.after.as_deref().map(Into::into),
        credit: Some(open.credit),
    };
    let all = |texts: &[String]| texts.iter().map(|text| Cow::Owned(text.clone())).collect();
    match &open.what {
        What::Job(id) => frame.job = Some(id.into()),
        What::Filter { queues, statuses, kinds, tags } => {
            (frame.queue, frame.kind, frame.tag) = (all(queues), all(kinds), all(tags));
            frame.status = statuses.iter().map(|status| status.as_str().into()).collect();
        }
    }
    text(&frame)
}

fn text(frame: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(frame).map_err(|error| Error::BadRequest(error.to_string()))
}
