//! The trace hash: one number over every fact, every entry and every operation of every disk. The same seed has to give
//! the same number, or a failing seed could not be looked at twice.

use std::fmt::{self, Write};

use crate::fact::{Fact, What};
use crate::observe::{Observer, Violation, WorldView};

/// Hashes what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHash {
    state: u64,
    facts: u64,
}

impl Default for TraceHash {
    fn default() -> Self {
        Self {
            state: 0x6265_6174_626f_6f6b,
            facts: 0,
        }
    }
}

impl TraceHash {
    /// The hash so far.
    pub fn value(&self) -> u64 {
        mix(self.state ^ self.facts)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last) ^ (bytes.len() as u64).rotate_left(56));
    }

    fn word(&mut self, word: u64) {
        self.state = mix(self.state.rotate_left(29) ^ word);
    }
}

impl Write for TraceHash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

impl Observer for TraceHash {
    fn fact(&mut self, fact: &Fact, world: &dyn WorldView) -> Result<(), Violation> {
        self.facts += 1;
        // A hash takes whatever is written to it: there is no error to tell of.
        let _ = write!(self, "{} {} {:?}", fact.event, fact.at_ms, fact.what);
        if let What::Wrote(wrote) = &fact.what {
            self.bytes(&wrote.entry.header);
            self.bytes(&wrote.entry.body);
        }
        self.word(world.disk_digest());
        Ok(())
    }
}

/// Spreads every bit over all of them.
fn mix(word: u64) -> u64 {
    let mut word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    word ^ (word >> 32)
}

#[cfg(test)]
mod tests;
