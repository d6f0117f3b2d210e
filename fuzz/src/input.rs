//! An input read as a row of choices, for targets that do more than decode. Where it ends, every choice is 0.

/// Choices, taken from bytes in order.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        *first
    }

    /// A number below `bound`; 0 where the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = if bound > 256 {
            usize::from(self.byte()) << 8 | usize::from(self.byte())
        } else {
            usize::from(self.byte())
        };
        wide.checked_rem(bound).unwrap_or(0)
    }

    /// Yes or no.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number: small mostly, else one of those at which counters run over.
    pub fn number(&mut self) -> u64 {
        let choice = self.byte();
        match choice {
            0..=223 => u64::from(choice) % 16,
            224..=239 => u64::from(self.byte()) << 8 | u64::from(self.byte()),
            240..=247 => u64::MAX - u64::from(choice - 240),
            _ => (1 << 63) - 4 + u64::from(choice - 248),
        }
    }

    /// Up to `max` bytes, their number first.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let length = self.below(max + 1).min(self.rest.len());
        let (head, rest) = self.rest.split_at(length);
        self.rest = rest;
        head
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// True where nothing is left.
    pub fn is_spent(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Changes bytes as an input says: a bit, a byte, a piece cut or put in.
pub fn change(input: &mut Input<'_>, bytes: &mut Vec<u8>) {
    let place = input.below(bytes.len() + 1);
    match input.byte() % 6 {
        0 => bytes.truncate(place),
        1 => bytes.insert(place, input.byte()),
        2 if place < bytes.len() => bytes[place] ^= 1 << (input.byte() % 8),
        3 if place < bytes.len() => bytes[place] = input.byte(),
        4 => {
            let end = (place + 1 + input.below(16)).min(bytes.len());
            bytes.drain(place.min(end)..end);
        }
        _ => {
            let piece = input.bytes(32).to_vec();
            bytes.splice(place..place, piece);
        }
    }
}
