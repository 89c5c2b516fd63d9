//! Whether the client at the other end is still there, and takes what it is sent.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// How long a client may be silent before it is asked for a sign of life.
pub(crate) const PING_AFTER: Duration = Duration::from_secs(20);

/// How long it may be silent at all.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);

/// What the time demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Nothing yet.
    Quiet,
    /// Ask for a sign of life.
    Ping,
    /// It gave none: the connection is dead.
    Silent,
    /// It takes nothing of what it is sent.
    Stalled,
    /// A message began and does not come to its end.
    Slow,
}

/// What is known of the connection's life.
#[derive(Debug)]
pub(crate) struct Pulse {
    /// When the client was heard last.
    heard: Instant,
    /// Since when it was asked for a sign of life, if it was.
    pinged: Option<Instant>,
    /// Since when it takes nothing, if something is there for it.
    stalled: Option<Instant>,
    /// Since when a message is under way, and how much of it has come.
    amid: Option<(Instant, usize)>,
    stall_time: Duration,
    message_time: Duration,
    /// In bytes per second.
    message_rate: u32,
}

impl Pulse {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Pulse {
        Pulse {
            heard: now,
            pinged: None,
            stalled: None,
            amid: None,
            stall_time: limits.write_time,
            message_time: limits.body_time,
            message_rate: limits.body_rate.max(1),
        }
    }

    /// Something came. `held` are the bytes of the message that is under way, if one is.
    pub(crate) fn heard(&mut self, now: Instant, held: Option<usize>) {
        (self.heard, self.pinged) = (now, None);
        self.amid = held.map(|held| (self.amid.map_or(now, |(since, _)| since), held));
    }

    /// A message came to its end.
    pub(crate) fn complete(&mut self) {
        self.amid = None;
    }

    /// The client took some of what there was for it; `left` says whether there is more.
    pub(crate) fn took(&mut self, now: Instant, left: bool) {
        self.stalled = left.then_some(now);
    }

    /// There is something for the client to take.
    pub(crate) fn offered(&mut self, now: Instant) {
        self.stalled.get_or_insert(now);
    }

    /// When to look again at the latest.
    pub(crate) fn due(&self) -> Instant {
        let sign = if self.pinged.is_some() { SILENCE } else { PING_AFTER };
        let stall = self.stalled.map(|since| since + self.stall_time);
        let message = self.amid.map(|amid| self.message_due(amid));
        [stall, message].into_iter().flatten().fold(self.heard + sign, Instant::min)
    }

    /// What the time demands now. While the server does not listen, for the client is to take something first or to be
    /// answered, it cannot be heard either.
    pub(crate) fn beat(&mut self, now: Instant, listens: bool) -> Beat {
        if self.stalled.is_some_and(|since| now >= since + self.stall_time) {
            return Beat::Stalled;
        }
        if !listens {
            self.heard(now, self.amid.map(|(_, held)| held));
            self.amid = self.amid.map(|(_, held)| (now, held));
        }
        if now >= self.heard + SILENCE {
            return Beat::Silent;
        }
        if self.amid.is_some_and(|amid| now >= self.message_due(amid)) {
            return Beat::Slow;
        }
        if self.pinged.is_none() && now >= self.heard + PING_AFTER {
            self.pinged = Some(now);
            return Beat::Ping;
        }
        Beat::Quiet
    }

    fn message_due(&self, (since, held): (Instant, usize)) -> Instant {
        since + self.message_time + Duration::from_secs_f64(held as f64 / f64::from(self.message_rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pulse() -> (Pulse, Instant) {
        let now = Instant::now();
        (Pulse::new(&Limits::default(), now), now)
    }

    #[test]
    fn who_is_silent_is_asked_once_and_then_given_up() {
        let (mut pulse, start) = pulse();
        assert_eq!(pulse.due(), start + PING_AFTER);
        assert_eq!(pulse.beat(start + PING_AFTER - SECOND, true), Beat::Quiet);
        assert_eq!(pulse.beat(start + PING_AFTER, true), Beat::Ping);
        assert_eq!((pulse.beat(start + PING_AFTER + SECOND, true), pulse.due()), (Beat::Quiet, start + SILENCE));
        assert_eq!(pulse.beat(start + SILENCE, true), Beat::Silent);
    }

    #[test]
    fn whatever_is_heard_is_a_sign_of_life() {
        let (mut pulse, start) = pulse();
        assert_eq!(pulse.beat(start + PING_AFTER, true), Beat::Ping);
        let heard = start + PING_AFTER + SECOND;
        pulse.heard(heard, None);
        assert_eq!((pulse.beat(start + SILENCE - SECOND, true), pulse.due()), (Beat::Ping, heard + SILENCE));
    }

    #[test]
    fn who_takes_nothing_is_given_up() {
        let (mut pulse, start) = pulse();
        let limit = Limits::default().write_time;
        pulse.offered(start);
        pulse.offered(start + 10 * SECOND);
        assert_eq!(pulse.beat(start + limit - SECOND, true), Beat::Ping);
        pulse.took(start + limit - SECOND, true);
        assert_eq!(pulse.beat(start + limit, true), Beat::Quiet);
        assert_eq!(pulse.beat(start + 2 * limit - SECOND, true), Beat::Stalled);
        pulse.took(start + 2 * limit - SECOND, false);
        assert_eq!(pulse.beat(start + 2 * limit - SECOND, true), Beat::Quiet);
    }

    #[test]
    fn a_message_has_its_time_by_its_size() {
        let (mut pulse, start) = pulse();
        pulse.heard(start, Some(1));
        assert!(pulse.due() <= start + PING_AFTER);
        pulse.heard(start + 29 * SECOND, Some(10));
        assert_eq!(pulse.beat(start + 31 * SECOND, true), Beat::Slow);
        pulse.heard(start + 31 * SECOND, Some(2048));
        assert_eq!((pulse.beat(start + 31 * SECOND, true), pulse.due()), (Beat::Quiet, start + 32 * SECOND));
        pulse.complete();
        assert_eq!(pulse.beat(start + 33 * SECOND, true), Beat::Quiet);
    }

    #[test]
    fn who_is_not_listened_to_is_not_silent() {
        let (mut pulse, start) = pulse();
        pulse.heard(start, Some(1));
        assert_eq!(pulse.beat(start + 2 * SILENCE, false), Beat::Quiet);
        assert_eq!(pulse.beat(start + 2 * SILENCE + PING_AFTER, true), Beat::Ping);
        assert_eq!(pulse.beat(start + 3 * SILENCE, true), Beat::Silent);
    }
}
