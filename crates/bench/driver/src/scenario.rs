//! What a driver is asked to do.

use serde::{Deserialize, Serialize};

/// What a driver is asked to do; the same for all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Where the job system is, in the words of its clients: `redis://127.0.0.1:6380`, say.
    pub url: String,
    /// How many submit at the same time.
    #[serde(default = "one")]
    pub callers: usize,
    /// How many jobs each of them submits in one step.
    #[serde(default = "one")]
    pub batch: usize,
    /// For how long they submit, in seconds; a fifth of it before that is warm-up. Whoever asks stops after it even if not
    /// all `jobs` were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How many jobs are submitted, worked or asked for. A worker goes on after them; it says at once when they are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<u64>,
    /// How many jobs a worker of a broker acknowledges at once.
    #[serde(default = "one")]
    pub ack: usize,
}

fn one() -> usize {
    1
}

/// The payload of every job: 256 bytes of JSON.
#[must_use]
pub fn payload() -> String {
    let mut text = r#"{"file":"holiday/2026/cat.mp4","to":"720p","captions":["en","de","fr"],"note":""#.to_owned();
    while text.len() < 254 {
        text.push('x');
    }
    text.push_str("\"}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_json_of_256_bytes() {
        assert_eq!(payload().len(), 256);
        assert!(serde_json::from_str::<serde_json::Value>(&payload()).is_ok());
    }

    #[test]
    fn a_scenario_says_only_what_is_not_usual() {
        let said = r#"{"url":"redis://here"}"#;
        let scenario: Scenario = serde_json::from_str(said).unwrap();
        assert_eq!((scenario.callers, scenario.batch, scenario.ack, scenario.jobs), (1, 1, 1, None));
        assert!(serde_json::from_str::<Scenario>(r#"{"url":"x","caller":2}"#).is_err(), "a misspelt field is refused");
    }
}
