//! Why a connection is closed (RFC 6455, sections 5.5.1 and 7.4).

/// A status code of a close frame. Codes that are not known here are kept as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose is fulfilled.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// The peer goes away: a server stops, or a page is left.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// The other side broke the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// The other side sent a kind of data that is not taken.
    pub const UNSUPPORTED: CloseCode = CloseCode(1003);
    /// The other side sent text that is no UTF-8.
    pub const NOT_UTF8: CloseCode = CloseCode(1007);
    /// The other side did what is not allowed.
    pub const POLICY: CloseCode = CloseCode(1008);
    /// The other side sent a message that is too large.
    pub const TOO_BIG: CloseCode = CloseCode(1009);
    /// This side met with something it did not expect.
    pub const INTERNAL: CloseCode = CloseCode(1011);
    /// The service restarts: come back after a moment (registered with IANA).
    pub const RESTART: CloseCode = CloseCode(1012);
    /// The service is overloaded: come back later (registered with IANA).
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);

    /// Whether a close frame may carry it: those that are reserved for a connection that ended without one may not.
    #[must_use]
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Whether who was closed by it may come back and expect to be served: the reason lies with the side that closed,
    /// and passes.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, CloseCode::GOING_AWAY | CloseCode::INTERNAL | CloseCode::RESTART | CloseCode::TRY_AGAIN_LATER)
    }
}

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// Why.
    pub code: CloseCode,
    /// Why, in words; at most 123 bytes are sent.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_without_a_frame_are_not_sent() {
        for (code, may_be_sent) in [
            (0, false),
            (999, false),
            (1000, true),
            (1003, true),
            (1004, false),
            (1005, false),
            (1006, false),
            (1007, true),
            (1014, true),
            (1015, false),
            (2999, false),
            (3000, true),
            (4999, true),
            (5000, false),
        ] {
            assert_eq!(CloseCode(code).may_be_sent(), may_be_sent, "{code}");
        }
    }

    #[test]
    fn a_code_says_whether_to_come_back() {
        let passing: Vec<u16> = (1000..=1015).filter(|code| CloseCode(*code).is_passing()).collect();
        assert_eq!(passing, [1001, 1011, 1012, 1013]);
    }
}
