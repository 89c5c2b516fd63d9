use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Where chance comes from.
pub trait Entropy: Send {
    /// 64 random bits.
    fn random(&mut self) -> u64;
}

/// A cryptographic generator, seeded by the operating system: good for lease secrets.
#[derive(Debug)]
pub struct SystemEntropy(StdRng);

impl SystemEntropy {
    /// A freshly seeded generator.
    ///
    /// # Errors
    /// If the operating system has no randomness to give.
    pub fn new() -> Result<SystemEntropy, std::io::Error> {
        let mut seed = [0; 32];
        rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut seed).map_err(std::io::Error::other)?;
        Ok(SystemEntropy(StdRng::from_seed(seed)))
    }
}

impl Entropy for SystemEntropy {
    fn random(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// A generator that repeats itself: the same seed gives the same chance, for tests and simulations.
#[derive(Debug)]
pub struct SeededEntropy(StdRng);

impl SeededEntropy {
    /// The generator of this seed.
    #[must_use]
    pub fn new(seed: u64) -> SeededEntropy {
        SeededEntropy(StdRng::seed_from_u64(seed))
    }
}

impl Entropy for SeededEntropy {
    fn random(&mut self) -> u64 {
        self.0.next_u64()
    }
}
