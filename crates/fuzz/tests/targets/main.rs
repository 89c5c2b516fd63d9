//! The targets, a file each: a parser of bytes that others send, and what holds of it whatever they are.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a target that cannot go on has found something")]

mod batch;
mod browser;
mod cloud_event;
mod config;
mod cron;
mod duration;
mod envelope;
mod event_headers;
mod frames;
mod headers;
mod oracle;
mod query;
mod refusal;
mod requests;
mod search;
mod socket;
mod tokens;
mod webhook;

use ackd_fuzz::{Input, Inputs};

/// How many inputs each target is given beside its corpus, by `cargo test`.
const MADE: usize = 1500;

macro_rules! targets {
    ($($target:ident)+) => {$(
        #[test]
        fn $target() {
            if std::env::var_os("BOLERO_LIBFUZZER_ARGS").is_some() {
                bolero::check!().for_each($target::check);
                return;
            }
            let inputs = Inputs::of(stringify!($target));
            for (path, input) in inputs.corpus() {
                println!("{}", path.display());
                $target::check(input);
            }
            let made = bolero::check!().with_iterations(MADE).with_type::<Vec<u8>>();
            made.map(|script| inputs.made_by(&script)).for_each(|input: &Input| $target::check(&input.0));
        }
    )+};
}

targets! {
    batch browser cloud_event config cron duration envelope event_headers
    frames headers query requests search socket tokens webhook
}
