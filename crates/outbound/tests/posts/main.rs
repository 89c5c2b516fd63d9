//! Posts to a real receiver over loopback, well behaved and not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod conforms;
mod limits;
mod receiver;
mod reuse;
mod streamed;
mod tls;
mod wire;

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ackd_domain::Timestamp;
use ackd_outbound::{Allow, HttpOutbound, Options, Resolve, Resolved};
use ackd_ports::{Post, Signed, Wanted};
use bytes::Bytes;

/// Longer than any test takes: what waits so long waits for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a post may take where the test is that it takes too long.
const SHORT: Duration = Duration::from_millis(300);

fn post(url: &str) -> Post {
    Post {
        url: url.into(),
        at: Timestamp::from_millis(1_614_265_330_000),
        content_type: "application/json".into(),
        body: Bytes::from_static(br#"{"test": 2432232314}"#).into(),
        signed: signed("msg_1"),
        headers: Vec::new(),
        wanted: Wanted::Beginning,
        timeout: PATIENCE,
    }
}

fn signed(id: &str) -> Option<Signed> {
    Some(Signed { id: id.into(), keys: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap()] })
}

/// What an operator gives who lets webhooks go to this very address of loopback.
fn options() -> Options {
    Options { allow: Allow::new(vec!["127.0.0.1".parse().unwrap()]), ..Options::default() }
}

fn outbound() -> HttpOutbound {
    HttpOutbound::new(options())
}

/// A resolver that gives its answers one after the other, the last one for ever.
struct Answers(Mutex<Vec<Result<Vec<IpAddr>, &'static str>>>);

impl Answers {
    fn new(answers: impl IntoIterator<Item = Result<Vec<IpAddr>, &'static str>>) -> Arc<Answers> {
        let mut answers: Vec<_> = answers.into_iter().collect();
        answers.reverse();
        Arc::new(Answers(Mutex::new(answers)))
    }

    fn addresses<const N: usize>(answers: [&[&str]; N]) -> Arc<Answers> {
        Answers::new(answers.map(|addresses| Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())))
    }
}

impl Resolve for Answers {
    fn resolve(&self, _: Arc<str>) -> Resolved {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        Box::pin(async move { answer.unwrap().map_err(io::Error::other) })
    }
}
