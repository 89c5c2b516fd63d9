use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::Timestamp;

/// The public id of a job: a UUIDv7 (RFC 9562, section 5.7) that carries the job's acceptance number.
///
/// Layout, from the top: 48 bits of the time of acceptance in milliseconds, version 7, the upper 12
/// bits of the number, variant, the lower 32 bits of the number, 30 bits of salt. Ids therefore sort
/// in the order of acceptance, and a ledger finds the row by its number without an index over ids.
/// The salt tells a guessed id from a given one; it makes an id no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u128);

/// The text is not the id of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job's id is a UUID of version 7 in its usual form of 36 characters")]
pub struct JobIdError;

impl JobId {
    /// Bits of the acceptance number: a ledger numbers at most 2^44 jobs.
    pub const NUMBER_BITS: u32 = 44;
    /// Bits of salt.
    pub const SALT_BITS: u32 = 30;

    /// The id of the job accepted at `at` as the ledger's `number`-th; only the lower
    /// [`JobId::SALT_BITS`] bits of `salt` count.
    ///
    /// # Panics
    /// If `number` does not fit into [`JobId::NUMBER_BITS`], which a ledger reaches after 17 trillion jobs.
    #[must_use]
    pub fn new(at: Timestamp, number: u64, salt: u32) -> JobId {
        assert!(number < 1 << JobId::NUMBER_BITS, "a ledger numbers at most 2^44 jobs");
        let time = u128::try_from(at.millis()).unwrap_or(0) & 0xffff_ffff_ffff;
        let number = u128::from(number);
        let salt = u128::from(salt) & ((1 << JobId::SALT_BITS) - 1);
        JobId(
            time << 80
                | 0x7 << 76
                | (number >> 32) << 64
                | 0b10 << 62
                | (number & 0xffff_ffff) << JobId::SALT_BITS
                | salt,
        )
    }

    /// The id's 128 bits.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// The acceptance number: 1 is the ledger's first job.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "44 bits are cut out of the id on purpose")]
    pub const fn number(self) -> u64 {
        let high = (self.0 >> 64 & 0xfff) as u64;
        let low = (self.0 >> JobId::SALT_BITS & 0xffff_ffff) as u64;
        high << 32 | low
    }

    /// The random part, [`JobId::SALT_BITS`] bits.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "30 bits are cut out of the id on purpose")]
    pub const fn salt(self) -> u32 {
        (self.0 & ((1 << JobId::SALT_BITS) - 1)) as u32
    }

    /// When the job was accepted.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "48 bits are cut out of the id on purpose")]
    pub const fn accepted_at(self) -> Timestamp {
        Timestamp::from_millis((self.0 >> 80) as i64)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        f.write_str(Uuid::from_u128(self.0).hyphenated().encode_lower(&mut text))
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for JobId {
    type Err = JobIdError;

    fn from_str(text: &str) -> Result<JobId, JobIdError> {
        if text.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(JobIdError);
        }
        let id = Uuid::try_parse(text).map_err(|_| JobIdError)?;
        let right = id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122;
        right.then_some(JobId(id.as_u128())).ok_or(JobIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_carries_its_parts(millis in 0..1i64 << 47, number in 0..1u64 << 44, salt in 0..1u32 << 30) {
            let id = JobId::new(Timestamp::from_millis(millis), number, salt);
            prop_assert_eq!(id.accepted_at(), Timestamp::from_millis(millis));
            prop_assert_eq!(id.number(), number);
            prop_assert_eq!(id.salt(), salt);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn ids_sort_by_acceptance(millis in 0..1i64 << 40, number in 0..1u64 << 43, salts: (u32, u32)) {
            let at = Timestamp::from_millis(millis);
            prop_assert!(JobId::new(at, number, salts.0) < JobId::new(at, number + 1, salts.1));
        }
    }

    #[test]
    fn what_is_no_uuid_of_version_7_is_refused() {
        for bad in [
            "",
            "01941f29",
            "01941f297c007abc8def0123456789ab",
            "{01941f29-7c00-7abc-8def-0123456789ab}",
            "01941f29-7c00-4abc-8def-0123456789ab",
            "01941f29-7c00-7abc-cdef-0123456789ab",
            "01941f29-7c00-7abc-8def-0123456789ag",
        ] {
            assert_eq!(bad.parse::<JobId>(), Err(JobIdError), "{bad:?}");
        }
        assert!("01941F29-7c00-7abc-8def-0123456789ab".parse::<JobId>().is_ok());
    }
}
