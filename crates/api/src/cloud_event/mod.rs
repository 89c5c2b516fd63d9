//! CloudEvents 1.0.2 in the JSON event format (<https://github.com/cloudevents/spec>): a job told as an event.

mod told;

pub use told::JobEvent;

/// The media type of one event (JSON event format, section 3).
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// The version of the specification that is spoken here.
pub const SPEC_VERSION: &str = "1.0";
