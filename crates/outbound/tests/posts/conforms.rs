use std::collections::{HashMap, VecDeque};
use std::io::{BufReader, Write};
use std::sync::{Arc, Mutex};

use ackd_conformance::outbound::{Answer, Received};
use bytes::Bytes;

use crate::outbound;
use crate::receiver::{Receiver, read_request};

#[derive(Default)]
struct State {
    received: Vec<Received>,
    answers: HashMap<String, VecDeque<Answer>>,
}

struct Scripted {
    receiver: Receiver,
    state: Arc<Mutex<State>>,
}

impl Scripted {
    fn start() -> Scripted {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let receiver = Receiver::start(move |stream, _| {
            let mut reader = BufReader::new(stream);
            while let Some(request) = read_request(&mut reader) {
                let mut state = shared.lock().unwrap();
                let header = |name| request.header(name).unwrap_or_default();
                state.received.push(Received {
                    id: header("webhook-id").to_owned(),
                    timestamp: header("webhook-timestamp").parse().unwrap_or_default(),
                    signatures: header("webhook-signature").split_whitespace().count(),
                    content_type: header("content-type").to_owned(),
                    further: header("further").to_owned(),
                    body: request.body.clone().into(),
                });
                let answer = state.answers.get_mut(request.path()).and_then(VecDeque::pop_front);
                drop(state);
                let answer = answer.unwrap_or(Answer { status: 200, retry_after: None, body: Bytes::new() });
                let wait = answer.retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
                // 204 has neither a body nor its length (RFC 9110, section 15.3.5).
                let length = match answer.status {
                    204 => String::new(),
                    _ => format!("Content-Length: {}\r\n", answer.body.len()),
                };
                let head = format!("HTTP/1.1 {} Said\r\n{wait}{length}\r\n", answer.status);
                reader.get_mut().write_all(&[head.as_bytes(), &answer.body].concat()).unwrap();
            }
        });
        Scripted { receiver, state }
    }
}

impl ackd_conformance::outbound::Receiver for Scripted {
    fn url(&self, path: &str) -> Arc<str> {
        format!("http://{}{path}", self.receiver.address).into()
    }

    fn answer_with(&self, url: &str, answers: Vec<Answer>) {
        let path = url.trim_start_matches(&*self.url("")).to_owned();
        self.state.lock().unwrap().answers.entry(path).or_default().extend(answers);
    }

    fn received(&self) -> Vec<Received> {
        std::mem::take(&mut self.state.lock().unwrap().received)
    }
}

#[tokio::test]
async fn it_does_what_every_outbound_must() {
    ackd_conformance::outbound::exercise(&outbound(), &Scripted::start()).await;
}
