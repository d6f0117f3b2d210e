//! The port to a source of random bytes. Every draw of the store goes through it: keys, nonces, salts, open ids.

use std::fmt::Debug;
use std::io;

/// A source of random bytes.
///
/// All that a store seals rests on its bytes being unpredictable and never the same twice: anything but
/// [`SystemRandom`] belongs in a simulator.
pub trait Random: Debug + Send + Sync {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

/// The system's source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
    }
}

/// Draws random bytes.
pub(crate) fn draw<const N: usize>(random: &dyn Random) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}
