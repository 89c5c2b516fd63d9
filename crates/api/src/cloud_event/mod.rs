//! CloudEvents 1.0.2 (<https://github.com/cloudevents/spec>): a job asked for by an event, and a job told as one.

mod attribute;
mod reading;
mod received;
#[cfg(test)]
mod tests;
mod told;

pub use received::{CloudEvent, Data, Mode};
pub use told::JobEvent;

/// The media type of one event (JSON event format, section 3).
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// The version of the specification that is spoken here.
pub const SPEC_VERSION: &str = "1.0";
