use ackd_domain::limits;
use jiff::tz::{self, TimeZone, TimeZoneDatabase};

/// Why a text names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// It is longer than [`limits::TIMEZONE_BYTES`].
    #[error("has {0} bytes; at most {max} are allowed", max = limits::TIMEZONE_BYTES)]
    TooLong(usize),
    /// There is none of this name.
    #[error("is no time zone that is known here; write an IANA name, as `Europe/Berlin`, or `UTC`")]
    Unknown,
}

/// The time zone of this IANA name, in any case of letters: as the system knows it, for its package is updated without us,
/// else as we brought it, for a container often has none.
pub(super) fn named(name: &str) -> Result<TimeZone, ZoneError> {
    if name.len() > limits::TIMEZONE_BYTES {
        return Err(ZoneError::TooLong(name.len()));
    }
    let found =
        tz::db().get(name).or_else(|_| TimeZoneDatabase::bundled().get(name)).map_err(|_| ZoneError::Unknown)?;
    // `Etc/Unknown` is a name too, and would pass for UTC.
    if found.is_unknown() || (found.iana_name().is_none() && found != TimeZone::UTC) {
        return Err(ZoneError::Unknown);
    }
    Ok(found)
}
