use crate::Status;

/// The end of a job as webhooks name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum WebhookEvent {
    /// It is `DONE`.
    Done = 0,
    /// It is `FAILED`.
    Failed = 1,
    /// It is `CANCELLED`.
    Cancelled = 2,
    /// It is `EXPIRED`.
    Expired = 3,
}

impl WebhookEvent {
    /// Every event, in the order of their numbers.
    pub const ALL: [WebhookEvent; 4] =
        [WebhookEvent::Done, WebhookEvent::Failed, WebhookEvent::Cancelled, WebhookEvent::Expired];

    /// The event of a job that has come to `status`; none while it has not ended.
    #[must_use]
    pub const fn of(status: Status) -> Option<WebhookEvent> {
        match status {
            Status::Init | Status::Processing => None,
            Status::Done => Some(WebhookEvent::Done),
            Status::Failed => Some(WebhookEvent::Failed),
            Status::Cancelled => Some(WebhookEvent::Cancelled),
            Status::Expired => Some(WebhookEvent::Expired),
        }
    }

    /// The event of this number, as a ledger stores it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<WebhookEvent> {
        WebhookEvent::ALL.get(usize::from(number)).copied()
    }

    /// The `type` of what is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            WebhookEvent::Done => "job.done",
            WebhookEvent::Failed => "job.failed",
            WebhookEvent::Cancelled => "job.cancelled",
            WebhookEvent::Expired => "job.expired",
        }
    }
}

/// A set of [`WebhookEvent`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WebhookEvents(u8);

impl WebhookEvents {
    /// Every event.
    pub const ALL: WebhookEvents = WebhookEvents(0b1111);

    /// The set of these; none of them named means all.
    #[must_use]
    pub fn of(events: impl IntoIterator<Item = WebhookEvent>) -> WebhookEvents {
        match events.into_iter().fold(0, |set, event| set | 1 << event as u8) {
            0 => WebhookEvents::ALL,
            set => WebhookEvents(set),
        }
    }

    /// Whether `event` is in it.
    #[must_use]
    pub const fn contains(self, event: WebhookEvent) -> bool {
        self.0 & 1 << event as u8 != 0
    }

    /// Its events, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = WebhookEvent> {
        WebhookEvent::ALL.into_iter().filter(move |event| self.contains(*event))
    }

    /// A bit for each event, by its number, as a ledger stores it.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set of these bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<WebhookEvents> {
        if bits == 0 || bits > WebhookEvents::ALL.0 { None } else { Some(WebhookEvents(bits)) }
    }
}

/// The form of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum WebhookFormat {
    /// `{"type", "timestamp", "data"}`, as Standard Webhooks 1.0.0 recommends.
    #[default]
    Standard = 0,
    /// A structured CloudEvent 1.0 in JSON.
    CloudEvents = 1,
}

impl WebhookFormat {
    /// The format of this number, as a ledger stores it.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<WebhookFormat> {
        match number {
            0 => Some(WebhookFormat::Standard),
            1 => Some(WebhookFormat::CloudEvents),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_their_numbers_are_the_same_set() {
        for event in WebhookEvent::ALL {
            assert_eq!(WebhookEvent::from_number(event as u8), Some(event));
            assert!(WebhookEvents::ALL.contains(event));
            let only = WebhookEvents::of([event]);
            assert!(only.iter().eq([event]));
            assert_eq!(WebhookEvents::from_bits(only.bits()), Some(only));
        }
        assert_eq!(WebhookEvent::from_number(4), None);
        assert_eq!(WebhookEvents::of([]), WebhookEvents::ALL);
        assert_eq!((WebhookEvents::from_bits(0), WebhookEvents::from_bits(16)), (None, None));
        for format in [WebhookFormat::Standard, WebhookFormat::CloudEvents] {
            assert_eq!(WebhookFormat::from_number(format as u8), Some(format));
        }
        assert_eq!(WebhookFormat::from_number(2), None);
    }
}
