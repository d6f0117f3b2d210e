//! Crockford's base32: for people who type. No padding, no check symbol.

/// Why a text is not base32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    /// A character outside the alphabet, counted in characters from 0.
    Character { at: usize, found: char },
    /// A number of characters that no bytes spell, or bits left over that are not zero.
    Length,
}

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let mut held: u32 = 0;
    let mut bits = 0;
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(symbol(held >> bits));
        }
    }
    if bits > 0 {
        text.push(symbol(held << (5 - bits)));
    }
    text
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let mut held: u32 = 0;
    let mut bits = 0;
    for (at, found) in text.chars().enumerate() {
        if found == '-' || found.is_whitespace() {
            continue;
        }
        let value = value(found).ok_or(DecodeError::Character { at, found })?;
        held = (held << 5) | value;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap_or_default());
            held &= (1 << bits) - 1;
        }
    }
    // One text for one token: what is left of the last character must be less than one, and zero.
    (bits < 5 && held == 0)
        .then_some(bytes)
        .ok_or(DecodeError::Length)
}

fn symbol(value: u32) -> char {
    let at = usize::try_from(value & 31).unwrap_or_default();
    ALPHABET.get(at).copied().map_or('0', char::from)
}

fn value(character: char) -> Option<u32> {
    let wanted = match character.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    ALPHABET
        .iter()
        .zip(0..)
        .find(|(symbol, _)| char::from(**symbol) == wanted)
        .map(|(_, value)| value)
}

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
