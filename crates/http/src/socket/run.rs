//! One socket, from its first frame to its last.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use ackd_api::{Envelope, Problem};
use ackd_domain::Submission;
use ackd_websocket::{Close, CloseCode, Incoming, frame};
use rustc_hash::FxHashMap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::follower::Follower;
use super::line::{Line, Rung};
use super::pulse::{Beat, Pulse};
use super::session::{Host, Input, Key, Output, Session, Told};
use super::submit;
use super::waits::Waits;
use crate::app::{Room, Shared};
use crate::submission::payload_apart;
use crate::takeover::Taken;

/// Messages up to this size need no [`Room`]: the connection limit bounds them well enough.
const SMALL: usize = 64 << 10;

/// How long the last frames may take to be written, and then the client to close its side.
const PARTING: Duration = Duration::from_secs(2);

/// Serves the socket on a connection that was taken over.
pub(crate) async fn run(taken: Taken) {
    let Taken { stream, unread, shared, mut stopping } = taken;
    let limit = shared.limits.json();
    let mut socket = Socket::new(Line::new(stream, unread, limit), shared);
    tokio::select! {
        () = socket.serve() => {}
        _ = stopping.changed() => {
            socket.step(Input::Stopping);
            socket.serve().await;
        }
    }
    // What it follows is let go before the client has taken its last words.
    let line = socket.into_line();
    let _ = tokio::time::timeout(PARTING, part(line)).await;
}

/// Writes what is left and waits until the client has closed too. A socket that is closed with something unread in it
/// resets the connection, and the client may never see the last frame.
async fn part<S: AsyncRead + AsyncWrite + Unpin>(mut line: Line<S>) -> std::io::Result<()> {
    while line.waiting() > 0 {
        if let Rung::Gone = poll_fn(|cx| line.poll(cx, false)).await {
            return Ok(());
        }
    }
    let mut stream = line.into_stream();
    stream.shutdown().await?;
    let mut unread = [0; 256];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

impl Host for Arc<Shared> {
    fn accept(&self, envelope: &Envelope<'_>) -> Result<Submission, Problem> {
        self.submission(envelope, payload_apart(envelope.payload, self.limits.payload)?)
    }

    fn addressed(&self, problem: Problem) -> Problem {
        Shared::addressed(self, problem)
    }
}

struct Socket<S> {
    shared: Arc<Shared>,
    line: Line<S>,
    session: Session<Arc<Shared>>,
    pulse: Pulse,
    /// What the session wants done.
    outputs: Vec<Output>,
    /// Subscriptions that are open and are not asked for anything.
    parked: FxHashMap<Key, Box<Follower>>,
    /// Subscriptions that are being opened or pulled.
    followers: Waits<Key, (Option<Box<Follower>>, Told)>,
    submits: Waits<u64, Vec<u8>>,
    next_submit: u64,
    /// A share of what all bodies that are being received may take, for a large message.
    room: Option<Room>,
    /// Nothing more is to be said.
    over: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    fn new(line: Line<S>, shared: Arc<Shared>) -> Socket<S> {
        Socket {
            pulse: Pulse::new(&shared.limits, Instant::now()),
            session: Session::new(Arc::clone(&shared)),
            shared,
            line,
            outputs: Vec::new(),
            parked: FxHashMap::default(),
            followers: Waits::new(),
            submits: Waits::new(),
            next_submit: 0,
            room: None,
            over: false,
        }
    }

    /// Goes on until nothing more is to be said. May be cancelled and called again.
    async fn serve(&mut self) {
        while !self.over {
            let due = self.pulse.due();
            let (listens, has_room) = (self.session.listens() && self.line.has_room(), self.line.has_room());
            tokio::select! {
                rung = poll_fn(|cx| self.line.poll(cx, listens)) => self.rung(rung),
                (_, frame) = poll_fn(|cx| self.submits.poll_next(cx)) => self.step(Input::Answered(frame)),
                (key, (follower, told)) = poll_fn(|cx| self.followers.poll_next(cx)), if has_room => {
                    if let Some(follower) = follower {
                        self.parked.insert(key, follower);
                    }
                    self.step(Input::Told(key, told));
                }
                () = tokio::time::sleep_until(due) => self.beat(listens),
            }
        }
    }

    fn rung(&mut self, rung: Rung) {
        let now = Instant::now();
        match rung {
            Rung::Incoming(incoming) => {
                // A message that is complete has had its time; a control frame may stand in the middle of one.
                if !matches!(incoming, Incoming::Ping(_) | Incoming::Pong) {
                    self.pulse.complete();
                }
                self.pulse.heard(now, self.line.held());
                match incoming {
                    Incoming::Text(text) => self.step(Input::Message(&text)),
                    Incoming::Ping(payload) => {
                        frame::pong(self.line.out(), None, &payload);
                        self.pulse.offered(now);
                    }
                    Incoming::Pong => {}
                    Incoming::Close(why) => self.step(Input::Closed(why)),
                }
                self.hold();
            }
            Rung::Part => {
                self.pulse.heard(now, self.line.held());
                self.hold();
            }
            Rung::Wrote => self.pulse.took(now, self.line.waiting() > 0),
            Rung::Violation(violation) => self.step(Input::Violation(violation)),
            Rung::Gone => self.over = true,
        }
    }

    /// Takes a share of memory for the message that is under way, where it is a large one.
    fn hold(&mut self) {
        let held = self.line.held().filter(|held| *held > SMALL);
        let Some(held) = held else {
            self.room = None;
            return;
        };
        let taken = match &mut self.room {
            Some(room) => room.grow_to(held),
            None => self.shared.room(held).map(|room| self.room = Some(room)),
        };
        if let Err(rejection) = taken {
            self.close(CloseCode::TRY_AGAIN_LATER, rejection.problem.detail.clone());
        }
    }

    fn beat(&mut self, listens: bool) {
        let now = Instant::now();
        match self.pulse.beat(now, listens) {
            Beat::Quiet => {}
            Beat::Ping => {
                frame::ping(self.line.out(), None);
                self.pulse.offered(now);
            }
            // Whoever takes nothing need not be told, and who is silent cannot be.
            Beat::Stalled | Beat::Silent => self.over = true,
            Beat::Slow => self.close(CloseCode::POLICY, "a message did not arrive in time".to_owned()),
        }
    }

    fn step(&mut self, input: Input<'_>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.session.step(input, &mut outputs);
        for output in outputs.drain(..) {
            self.perform(output);
        }
        // Of what it keeps for the next step: a few outputs are usual.
        outputs.shrink_to(4);
        self.outputs = outputs;
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send(text) => {
                frame::text(self.line.out(), None, &text);
                self.pulse.offered(Instant::now());
            }
            Output::Submit(reference, submission) => {
                self.next_submit += 1;
                let answer = submit::answer(Arc::clone(&self.shared), reference, *submission);
                self.submits.add(self.next_submit, answer);
            }
            Output::Open(key, wanted) => {
                self.followers.add(key, Follower::open(Arc::clone(&self.shared), *wanted));
            }
            Output::Pull(key) => {
                if let Some(mut follower) = self.parked.remove(&key) {
                    self.followers.add(key, async move {
                        let told = follower.next().await;
                        (Some(follower), told)
                    });
                }
            }
            Output::Forget(key) => {
                self.parked.remove(&key);
                self.followers.remove(key);
            }
            Output::Close(why) => {
                frame::close(self.line.out(), None, why.as_ref());
                self.over = true;
            }
        }
    }

    fn close(&mut self, code: CloseCode, reason: String) {
        self.perform(Output::Close(Some(Close { code, reason })));
    }

    fn into_line(self) -> Line<S> {
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F>(_: fn(Taken) -> F) -> usize {
        size_of::<F>()
    }

    /// With its followers, each a few hundred bytes, it is most of what an idle socket costs.
    #[test]
    fn an_idle_socket_is_small() {
        let size = size(run);
        assert!(size <= 3072, "{size} bytes");
    }
}
