//! `ackd.toml`: what the server is told by a file is within its limits, or refused.

#[path = "../../../ackd/src/config.rs"]
#[allow(dead_code, reason = "the server asks for more of it than is asked here")]
#[allow(unexpected_cfgs, reason = "without S3, which is a feature of the server's")]
mod ackd;

use ackd_domain::limits;

use ackd::ServeArgs;

pub(crate) fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let args = match toml::from_str::<ServeArgs>(text) {
        Ok(args) => args,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let config = match args.check() {
        Ok(config) => config,
        Err(error) => return assert!(error.to_string().starts_with("--"), "{error}"),
    };
    let said: toml::Table = text.parse().expect("it is TOML for any reader");
    let is_said = |key: &str| said.get(key).and_then(toml::Value::as_bool) == Some(true);
    assert!(config.listen.ip().is_loopback() || is_said("unprotected"));
    assert!((1..=limits::BODY_BYTES).contains(&config.max_payload) && config.claim_check <= config.max_payload);
    assert!((1..=limits::FILE_BYTES).contains(&config.max_file));
    assert!((1..=1_000_000).contains(&config.max_connections));
    assert!((limits::FEED_RETENTION_MIN..=limits::DURATION).contains(&config.feed_retention));
    for (key, ranges) in [("webhook-allow", &config.webhook_allow), ("push-allow", &config.push_allow)] {
        let said = said.get(key).and_then(toml::Value::as_array).map_or(0, Vec::len);
        assert_eq!(ranges.len(), said, "{key}");
    }
}
