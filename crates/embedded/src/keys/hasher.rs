use std::fmt;
use std::hash::Hasher as _;

/// Makes the 64-bit hash under which the index knows a key.
///
/// The hash is keyed, so that nobody who does not know the secret can choose keys that collide.
/// Hashes are written to disk: the same secret gives the same hash in every version of ackd.
#[derive(Clone, Copy)]
pub struct KeyHasher {
    secret: [u64; 2],
}

impl KeyHasher {
    /// A hasher with a secret of 128 random bits, which the caller keeps beside the rows for as long
    /// as they live. With another secret every run on disk is worthless and [`KeyIndex::open`] discards it.
    ///
    /// [`KeyIndex::open`]: super::KeyIndex::open
    #[must_use]
    pub fn new(secret: [u8; 16]) -> KeyHasher {
        let secret = u128::from_le_bytes(secret);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        KeyHasher { secret: [secret as u64, (secret >> 64) as u64] }
    }

    /// The hash of a key. Where keys are unique within a tenant or a queue only, its name belongs in
    /// `key`, in a way that no two pairs run together.
    #[must_use]
    #[expect(
        deprecated,
        reason = "deprecated in favour of a hasher that may change; this one is SipHash-2-4 by contract, as a hash on disk must be"
    )]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut sip = std::hash::SipHasher::new_with_keys(self.secret[0], self.secret[1]);
        sip.write(key);
        sip.finish()
    }

    /// Tells runs made with this secret from runs made with another.
    pub(super) fn fingerprint(&self) -> u64 {
        self.hash(b"the secret of this key index")
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::KeyHasher;

    /// From the reference implementation of SipHash-2-4: secret 00 01 … 0f, messages (), 00, 00 01, …
    #[test]
    fn hashes_are_those_of_the_reference_implementation() {
        let hasher = KeyHasher::new(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        let message: Vec<u8> = (0..15).collect();
        assert_eq!(hasher.hash(&[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(hasher.hash(&message[..1]), 0x74f8_39c5_93dc_67fd);
        assert_eq!(hasher.hash(&message[..8]), 0x93f5_f579_9a93_2462);
        assert_eq!(hasher.hash(&message), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn another_secret_gives_another_fingerprint_and_none_is_printed() {
        let (one, other) = (KeyHasher::new([1; 16]), KeyHasher::new([2; 16]));
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(format!("{one:?}"), "KeyHasher(secret)");
    }
}
