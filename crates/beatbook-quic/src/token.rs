//! The one-time enrolment token: where the server is, which authority to trust, and a secret.
//!
//! Text form: `BB1-` and groups of five Crockford base32 characters. No I, L, O or U; lower case, spaces
//! and missing hyphens are read as well, and so are O for 0 and I or L for 1. A checksum tells a typing
//! mistake from a token that is no longer good. All characters suit the alphanumeric mode of QR codes.
//!
//! Bytes: pin (16), secret (16), port (2, big-endian), host (1 byte of length and its text, or 0 and an
//! IPv4 address, or 255 and an IPv6 address), then the first 4 bytes of the SHA-256 of all that.

mod base32;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::client::ServerAddress;
use crate::identity::{IdentityError, Pin};

/// What a device needs to enrol, as handed to an officer. Whoever has it can enrol once: show it once.
#[derive(Clone)]
pub struct Token {
    address: ServerAddress,
    pin: Pin,
    secret: Secret,
}

impl Token {
    /// Puts a token together.
    pub fn new(address: ServerAddress, pin: Pin, secret: Secret) -> Self {
        Self { address, pin, secret }
    }

    /// Reads a token as typed or scanned. The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let start = text.get(..PREFIX.len()).unwrap_or_default();
        if !start.eq_ignore_ascii_case(PREFIX) {
            let other = start
                .get(..2)
                .is_some_and(|start| start.eq_ignore_ascii_case("BB"));
            return Err(if other {
                TokenError::Version
            } else {
                TokenError::NotAToken
            });
        }
        let body = text.get(PREFIX.len()..).unwrap_or_default();
        if body.len() > TEXT_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let bytes = base32::decode(body).map_err(|error| match error {
            base32::DecodeError::Character { at, found } => TokenError::Character {
                position: PREFIX.chars().count() + at + 1,
                found,
            },
            base32::DecodeError::Length => TokenError::Incomplete,
        })?;
        Self::from_bytes(&Zeroizing::new(bytes))
    }

    /// The server to enrol with.
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// The pin of the force's authority.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// The one-time secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, TokenError> {
        let (body, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(TokenError::Incomplete)?;
        if checksum_of(body) != *checksum {
            let short = body.len() < Pin::BYTES + Secret::BYTES + 2 + 1;
            return Err(if short {
                TokenError::Incomplete
            } else {
                TokenError::Checksum
            });
        }
        let (pin, rest) = body
            .split_first_chunk::<{ Pin::BYTES }>()
            .ok_or(TokenError::Incomplete)?;
        let (secret, rest) = rest
            .split_first_chunk::<{ Secret::BYTES }>()
            .ok_or(TokenError::Incomplete)?;
        let (port, rest) = rest.split_first_chunk::<2>().ok_or(TokenError::Incomplete)?;
        let port = u16::from_be_bytes(*port);
        let (tag, host) = rest.split_first().ok_or(TokenError::Incomplete)?;
        let host = host_from_bytes(*tag, host).ok_or(TokenError::Address)?;
        let address = ServerAddress::new(&host, port).map_err(|_| TokenError::Address)?;
        Ok(Self {
            address,
            pin: Pin(*pin),
            secret: Secret(*secret),
        })
    }

    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        bytes.extend_from_slice(&self.pin.0);
        bytes.extend_from_slice(&self.secret.0);
        bytes.extend_from_slice(&self.address.port().to_be_bytes());
        match self.address.host().parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => {
                bytes.push(TAG_IPV4);
                bytes.extend_from_slice(&address.octets());
            }
            Ok(IpAddr::V6(address)) => {
                bytes.push(TAG_IPV6);
                bytes.extend_from_slice(&address.octets());
            }
            Err(_) => {
                let host = self.address.host().as_bytes();
                // A host name has at most 253 bytes: ServerAddress has checked it.
                bytes.push(u8::try_from(host.len()).unwrap_or(TAG_IPV6 - 1));
                bytes.extend_from_slice(host);
            }
        }
        let checksum = checksum_of(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}

/// The text form, for a screen or a QR code. There is no other way to see the secret.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        let text = Zeroizing::new(base32::encode(&self.to_bytes()));
        for (at, character) in text.chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{character}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("address", &self.address)
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

/// 128 random bits, good for one enrolment. Wiped from memory when dropped; never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; Secret::BYTES]);

impl Secret {
    /// Length of a secret, in bytes.
    pub const BYTES: usize = 16;

    /// Makes a new secret from the operating system's random source.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut bytes = [0; Self::BYTES];
        getrandom::fill(&mut bytes).map_err(|_| IdentityError::Random)?;
        Ok(Self(bytes))
    }

    /// Wraps 16 bytes.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// What a server stores and compares instead of the secret: a hash that tells nothing of it. As the
    /// secret has 128 random bits, comparing hashes in any way leaks nothing that helps.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"beatbook enrolment secret 1\0")
            .chain_update(self.0)
            .finalize()
            .into()
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is wrong with a text that should be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The server's address inside is not one. Ask for a new token.
    #[error("the token names no server that can be reached; ask for a new one")]
    Address,
    /// A character that no token has.
    #[error("the token has {found:?} at position {position}, which no token contains; check it there")]
    Character {
        /// Counted in characters from 1, the prefix included.
        position: usize,
        /// The character.
        found: char,
    },
    /// The checksum does not hold: something was typed wrong.
    #[error("the token has a typing mistake; check it character by character, or scan it")]
    Checksum,
    /// The end is missing.
    #[error("the token is incomplete; copy all of it, from BB1- to the end")]
    Incomplete,
    /// It does not begin as a token does.
    #[error("this is not an enrolment token; a token begins with BB1-")]
    NotAToken,
    /// It is longer than any token.
    #[error("the token is too long; copy only the token, from BB1- to its end")]
    TooLong,
    /// A token of another version of Beatbook.
    #[error("the token is of another version of Beatbook; update the app or ask for a new token")]
    Version,
}

fn checksum_of(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

fn host_from_bytes(tag: u8, host: &[u8]) -> Option<String> {
    match tag {
        TAG_IPV4 => <[u8; 4]>::try_from(host)
            .ok()
            .map(|octets| Ipv4Addr::from(octets).to_string()),
        TAG_IPV6 => <[u8; 16]>::try_from(host)
            .ok()
            .map(|octets| Ipv6Addr::from(octets).to_string()),
        length if usize::from(length) == host.len() => std::str::from_utf8(host)
            .ok()
            .filter(|host| host.parse::<IpAddr>().is_err())
            .map(str::to_owned),
        _ => None,
    }
}

const PREFIX: &str = "BB1-";
const GROUP: usize = 5;
const CHECKSUM_BYTES: usize = 4;
const TAG_IPV4: u8 = 0;
const TAG_IPV6: u8 = 255;
/// The longest host name makes some 460 characters; hyphens and spaces on top.
const TEXT_BYTES_MAX: usize = 1_024;

#[cfg(test)]
mod tests;
