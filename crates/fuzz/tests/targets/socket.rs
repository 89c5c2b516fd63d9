//! What a client says on a WebSocket: texts of JSON.

use ackd_api::socket::{ClientFrame, Label};
use ackd_api::{Faults, limits};

use crate::{envelope, oracle, refusal};

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match ClientFrame::read(text) {
        Ok(frame) => {
            oracle::json(input);
            let written = written(&frame);
            let read = ClientFrame::read(&written).expect("what is written is read");
            assert_eq!(self::written(&read), written);
            if let ClientFrame::Subscribe(subscribe) = &frame {
                let filters = [&subscribe.queue, &subscribe.status, &subscribe.tag, &subscribe.kind];
                assert!(filters.iter().all(|values| values.len() <= limits::FILTER_VALUES));
                assert!(subscribe.job.is_none() || filters.iter().all(|values| values.is_empty()));
                assert!(subscribe.credit.is_none_or(|credit| credit <= limits::CREDIT));
            }
        }
        Err(refused) => {
            refusal::is_fair(&refused.problem);
            assert!(refused.problem.errors.len() <= Faults::MAX);
            // What is repeated to the client is what it may call something.
            for label in [&refused.reference, &refused.sid].into_iter().flatten() {
                if let Label::Text(text) = label {
                    assert!((1..=limits::LABEL_BYTES).contains(&text.len()));
                }
            }
        }
    }
}

fn written(frame: &ClientFrame<'_>) -> String {
    let written = match frame {
        ClientFrame::Submit(submit) => {
            envelope::within_limits(&submit.job, 0);
            serde_json::to_string(submit)
        }
        ClientFrame::Subscribe(subscribe) => serde_json::to_string(subscribe),
        ClientFrame::Unsubscribe(unsubscribe) => serde_json::to_string(unsubscribe),
        ClientFrame::Credit(credit) => serde_json::to_string(credit),
    };
    written.expect("a frame can be written")
}
