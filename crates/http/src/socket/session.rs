//! What is said on one socket: which frames a client may send, and what follows from each.
//!
//! It decides and does nothing: [`Session::step`] is given what happened and says what is to be done. A subscription
//! is *pulled* for one thing at a time and only while it may tell something; so whatever a client does not take, by
//! granting no credit or by not reading, stays where it is kept anyway, in the ledger.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use ackd_api::socket::{ClientFrame, Credit, Label, RefusedFrame, ServerFrame, ServerOp, Subscribe};
use ackd_api::{Code, Envelope, Problem, limits};
use ackd_domain::Submission;
use ackd_websocket::{Close, CloseCode, Violation};
use rustc_hash::FxHashMap;

use super::wanted::Wanted;

/// The most subscriptions of one socket. One counts once for each KiB of its frame that is begun.
pub(crate) const SUBSCRIPTIONS: usize = 10_000;

/// The most submissions of one socket that wait for their answer. Nothing more is read until one has it.
pub(crate) const SUBMITS: usize = 64;

/// The most subscriptions of one socket that are being opened at once: each reads the ledger.
pub(crate) const OPENING: usize = 16;

/// A subscription on its socket. It is never used again, as a `sid` may be.
pub(crate) type Key = u64;

/// What happened.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// The client sent a message.
    Message(&'a str),
    /// The client broke the protocol.
    Violation(Violation),
    /// The client closes.
    Closed(Option<Close>),
    /// A submission was answered by this frame.
    Answered(Vec<u8>),
    /// A subscription that was opened or pulled tells something.
    Told(Key, Told),
    /// The server stops.
    Stopping,
}

/// What a subscription tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// It is open, and has told nothing.
    Open,
    /// A frame with an event.
    Event {
        /// The frame.
        frame: Vec<u8>,
        /// Nothing follows.
        is_last: bool,
    },
    /// It told everything that had happened, up to this position.
    CaughtUp(String),
    /// It does not keep up.
    Lagging,
    /// Some events are gone; it goes on from this position.
    Reset(String),
    /// Nothing follows.
    Over,
    /// It cannot go on.
    Failed(Problem),
    /// The server stops.
    Stopping,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Output {
    /// Send this frame.
    Send(Vec<u8>),
    /// Have a job accepted, and answer with this `ref`.
    Submit(Label, Box<Submission>),
    /// Open a subscription.
    Open(Key, Box<Wanted>),
    /// Have an open subscription tell the next thing.
    Pull(Key),
    /// Forget a subscription.
    Forget(Key),
    /// Say this and end. It is the last.
    Close(Option<Close>),
}

/// What a session is to know of its server.
pub(crate) trait Host {
    /// The submission that an envelope asks for, or why there is none.
    fn accept(&self, envelope: &Envelope<'_>) -> Result<Submission, Problem>;

    /// `problem` with the address that its kind has on this server.
    fn addressed(&self, problem: Problem) -> Problem;
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Session<H> {
    host: H,
    next: Key,
    /// Clients choose these texts: the map's hashes are none that they could foresee.
    by_sid: HashMap<Label, Key>,
    subscriptions: FxHashMap<Key, Subscription>,
    /// What the subscriptions count together.
    weight: usize,
    /// Those that wait to be opened, and some that did and are gone.
    waiting: VecDeque<Key>,
    /// How many are being opened.
    opening: usize,
    /// How many submissions wait for their answer.
    submits: usize,
    end: End,
}

#[derive(Debug)]
struct Subscription {
    sid: Label,
    /// How many events it may tell; `None` for any number.
    credit: Option<u64>,
    weight: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It waits to be opened.
    Waiting(Box<Wanted>),
    /// It is being opened.
    Opening,
    /// It was unsubscribed while it was being opened, which goes on to its end: else who subscribes and unsubscribes
    /// in turn could have any number of reads begun.
    Abandoned,
    /// It is asked for the next thing.
    Pulled,
    /// It has no credit.
    Parked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    /// Nothing more is read; what was submitted is answered.
    Stopping,
    Closed,
}

impl<H: Host> Session<H> {
    pub(crate) fn new(host: H) -> Session<H> {
        Session {
            host,
            next: 0,
            by_sid: HashMap::new(),
            subscriptions: FxHashMap::default(),
            weight: 0,
            waiting: VecDeque::new(),
            opening: 0,
            submits: 0,
            end: End::NotYet,
        }
    }

    /// Whether a further message may be handed in.
    pub(crate) fn listens(&self) -> bool {
        self.end == End::NotYet && self.submits < SUBMITS
    }

    /// Says what follows from `input`.
    pub(crate) fn step(&mut self, input: Input<'_>, outputs: &mut Vec<Output>) {
        if self.end == End::Closed {
            return;
        }
        match input {
            Input::Message(text) => self.message(text, outputs),
            Input::Violation(violation) => {
                self.close(Some(Close { code: violation.code(), reason: violation.to_string() }), outputs);
            }
            Input::Closed(why) => {
                // RFC 6455, section 5.5.1: the answer repeats the code.
                self.close(why.map(|why| Close { reason: String::new(), ..why }), outputs);
            }
            Input::Answered(frame) => {
                self.submits -= 1;
                outputs.push(Output::Send(frame));
                self.stop(outputs);
            }
            Input::Told(key, told) => self.told(key, told, outputs),
            Input::Stopping => {
                self.end = End::Stopping;
                self.stop(outputs);
            }
        }
    }

    fn message(&mut self, text: &str, outputs: &mut Vec<Output>) {
        match ClientFrame::read(text) {
            Ok(ClientFrame::Submit(submit)) => match self.host.accept(&submit.job) {
                Ok(submission) => {
                    self.submits += 1;
                    outputs.push(Output::Submit(submit.reference, Box::new(submission)));
                }
                Err(problem) => outputs.push(self.error(Some(submit.reference), None, problem.within("/job"))),
            },
            Ok(ClientFrame::Subscribe(subscribe)) => {
                let sid = subscribe.sid.clone();
                if let Err(problem) = self.subscribe(subscribe, text.len(), outputs) {
                    outputs.push(self.error(None, Some(sid), problem));
                }
            }
            // What is said of a subscription that is not there is said of one that has ended while it was on its way.
            Ok(ClientFrame::Unsubscribe(unsubscribe)) => {
                if let Some(key) = self.by_sid.get(&unsubscribe.sid) {
                    self.unsubscribe(*key, outputs);
                }
            }
            Ok(ClientFrame::Credit(credit)) => {
                let sid = credit.sid.clone();
                if let Err(problem) = self.credit(&credit, outputs) {
                    outputs.push(self.error(None, Some(sid), problem));
                }
            }
            Err(refused) => {
                let RefusedFrame { reference, sid, problem } = *refused;
                outputs.push(self.error(reference, sid, problem));
            }
        }
    }

    fn subscribe(&mut self, frame: Subscribe<'_>, size: usize, outputs: &mut Vec<Output>) -> Result<(), Problem> {
        let wanted = Box::new(Wanted::read(&frame)?);
        let weight = 1 + size / 1024;
        if self.weight + weight > SUBSCRIPTIONS {
            return Err(Problem::new(
                Code::RateLimited,
                format!("a socket has at most {SUBSCRIPTIONS} subscriptions; unsubscribe some, or open another socket"),
            ));
        }
        let Entry::Vacant(place) = self.by_sid.entry(frame.sid.clone()) else {
            return Err(Problem::at("/sid", "is that of a subscription that is open on this socket"));
        };
        self.next += 1;
        let key = self.next;
        place.insert(key);
        self.weight += weight;
        let state = State::Waiting(wanted);
        self.subscriptions.insert(key, Subscription { sid: frame.sid, credit: frame.credit, weight, state });
        if self.waiting.len() >= 2 * SUBSCRIPTIONS {
            self.waiting.retain(|key| self.subscriptions.contains_key(key));
        }
        self.waiting.push_back(key);
        self.open(outputs);
        Ok(())
    }

    /// Opens those that wait, as far as may be.
    fn open(&mut self, outputs: &mut Vec<Output>) {
        while self.opening < OPENING
            && let Some(key) = self.waiting.pop_front()
        {
            // It may have been unsubscribed meanwhile.
            let Some(subscription) = self.subscriptions.get_mut(&key) else { continue };
            if let State::Waiting(wanted) = std::mem::replace(&mut subscription.state, State::Opening) {
                self.opening += 1;
                outputs.push(Output::Open(key, wanted));
            }
        }
    }

    fn unsubscribe(&mut self, key: Key, outputs: &mut Vec<Output>) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        if matches!(subscription.state, State::Opening) {
            subscription.state = State::Abandoned;
            self.by_sid.remove(&subscription.sid);
            outputs.push(send(&ServerFrame::of(ServerOp::Ended, subscription.sid.clone())));
            return;
        }
        outputs.push(Output::Forget(key));
        self.ended(key, outputs);
    }

    fn credit(&mut self, credit: &Credit, outputs: &mut Vec<Output>) -> Result<(), Problem> {
        let Some(key) = self.by_sid.get(&credit.sid).copied() else { return Ok(()) };
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return Ok(()) };
        let Some(left) = &mut subscription.credit else {
            return Err(Problem::at("/sid", "was subscribed to without `credit`, and tells everything anyway"));
        };
        let sum = *left + credit.n;
        if sum > limits::CREDIT {
            let detail = format!(
                "makes it {sum} events together with what is left; at most {} are granted ahead",
                limits::CREDIT
            );
            return Err(Problem::at("/n", detail));
        }
        *left = sum;
        if matches!(subscription.state, State::Parked) {
            pull(key, subscription, outputs);
        }
        Ok(())
    }

    fn told(&mut self, key: Key, told: Told, outputs: &mut Vec<Output>) {
        // One that was unsubscribed meanwhile tells nothing.
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        match std::mem::replace(&mut subscription.state, State::Pulled) {
            State::Opening => self.opening -= 1,
            State::Abandoned => {
                self.opening -= 1;
                self.weight -= subscription.weight;
                self.subscriptions.remove(&key);
                outputs.push(Output::Forget(key));
                return self.open(outputs);
            }
            State::Waiting(_) | State::Pulled | State::Parked => {}
        }
        let sid = || subscription.sid.clone();
        match told {
            Told::Open => pull(key, subscription, outputs),
            Told::Event { frame, is_last } => {
                outputs.push(Output::Send(frame));
                if let Some(credit) = &mut subscription.credit {
                    *credit = credit.saturating_sub(1);
                }
                if is_last {
                    self.ended(key, outputs);
                } else {
                    pull(key, subscription, outputs);
                }
            }
            Told::CaughtUp(position) => {
                let frame = ServerFrame { id: Some(position.into()), ..ServerFrame::of(ServerOp::CaughtUp, sid()) };
                outputs.push(send(&frame));
                pull(key, subscription, outputs);
            }
            Told::Lagging => {
                outputs.push(send(&ServerFrame::of(ServerOp::Lagging, sid())));
                pull(key, subscription, outputs);
            }
            Told::Reset(position) => {
                let frame = ServerFrame { id: Some(position.into()), ..ServerFrame::of(ServerOp::Reset, sid()) };
                outputs.push(send(&frame));
                pull(key, subscription, outputs);
            }
            Told::Over => self.ended(key, outputs),
            Told::Failed(problem) => {
                let sid = sid();
                outputs.push(self.error(None, Some(sid), problem));
                self.ended(key, outputs);
            }
            // The client takes it up again where it is, with the server that follows.
            Told::Stopping => {}
        }
        self.open(outputs);
    }

    /// There is no such subscription any more.
    fn ended(&mut self, key: Key, outputs: &mut Vec<Output>) {
        let Some(subscription) = self.subscriptions.remove(&key) else { return };
        self.weight -= subscription.weight;
        self.by_sid.remove(&subscription.sid);
        outputs.push(send(&ServerFrame::of(ServerOp::Ended, subscription.sid)));
    }

    fn error(&self, reference: Option<Label>, sid: Option<Label>, problem: Problem) -> Output {
        let problem = Some(self.host.addressed(problem));
        send(&ServerFrame { reference, sid, problem, ..ServerFrame::new(ServerOp::Error) })
    }

    /// Closes, once everything that was submitted is answered, where the server stops.
    fn stop(&mut self, outputs: &mut Vec<Output>) {
        if self.end == End::Stopping && self.submits == 0 {
            let reason = "the server stops; come back to the one that follows".to_owned();
            self.close(Some(Close { code: CloseCode::GOING_AWAY, reason }), outputs);
        }
    }

    fn close(&mut self, why: Option<Close>, outputs: &mut Vec<Output>) {
        self.end = End::Closed;
        outputs.push(Output::Close(why));
    }
}

/// Asks for the next thing, if it may be told.
fn pull(key: Key, subscription: &mut Subscription, outputs: &mut Vec<Output>) {
    if subscription.credit == Some(0) {
        subscription.state = State::Parked;
        return;
    }
    subscription.state = State::Pulled;
    outputs.push(Output::Pull(key));
}

fn send(frame: &ServerFrame<'_>) -> Output {
    // Texts and numbers: there is nothing in it that could fail to be written.
    Output::Send(serde_json::to_vec(frame).unwrap_or_default())
}

#[cfg(test)]
mod tests;
