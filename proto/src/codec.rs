//! The one place that names bincode: a fixed configuration, whole-slice decoding, bounded unpacking.
//!
//! Varint little-endian bincode 2 over serde. Decoding reads a slice that is already in memory, refuses
//! trailing bytes, and takes memory only for what the slice really holds.

use std::io::Read;

use serde::de::{Deserialize, DeserializeSeed};
use serde::ser::Serialize;

use crate::limits::{UNPACK_RATIO_MAX, UNPACKED_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};

/// Why bytes were not decoded or a value was not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes do not spell a value of the expected type within its limits (R-COD-1).
    #[error("malformed bytes")]
    Malformed,
    /// Bytes are left over after the value (R-COD-2).
    #[error("{0} bytes left over after the value")]
    Trailing(usize),
    /// The value is over a limit of the format, or the bytes are longer than any value may be (R-LIM).
    #[error("over a limit of the format")]
    TooLarge,
    /// Compressed bytes are damaged or unpack to more than the limits allow (R-LIM-3).
    #[error("compressed bytes are damaged or unpack to too much")]
    Unpack,
}

/// Encodes a value.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CodecError> {
    bincode::serde::encode_to_vec(value, CONFIG).map_err(|_| CodecError::TooLarge)
}

/// Decodes a value that fills `bytes` exactly.
///
/// Borrows strings and byte strings while decoding, so that no length is believed before it is seen.
pub fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, CodecError> {
    if bytes.len() > UNPACKED_BYTES_MAX {
        return Err(CodecError::TooLarge);
    }
    let decoded = bincode::serde::borrow_decode_from_slice(bytes, CONFIG.with_limit::<LIMIT>());
    whole(bytes, decoded)
}

/// Decodes by a seed, for types whose limits depend on where they stand.
pub fn decode_seed<'de, S: DeserializeSeed<'de>>(seed: S, bytes: &'de [u8]) -> Result<S::Value, CodecError> {
    if bytes.len() > UNPACKED_BYTES_MAX {
        return Err(CodecError::TooLarge);
    }
    let decoded = bincode::serde::seed_decode_from_slice(seed, bytes, CONFIG.with_limit::<LIMIT>());
    whole(bytes, decoded)
}

/// Compresses bytes with zstd at the level used on the wire.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, LEVEL).unwrap_or_default()
}

/// Decompresses bytes, stopping at the limits on size, ratio and window (R-LIM-3).
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let max = UNPACKED_BYTES_MAX.min(bytes.len().saturating_mul(UNPACK_RATIO_MAX));
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(|_| CodecError::Unpack)?;
    decoder
        .window_log_max(ZSTD_WINDOW_LOG_MAX)
        .map_err(|_| CodecError::Unpack)?;
    let mut unpacked = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .by_ref()
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(|_| CodecError::Unpack)?;
    if unpacked.len() > max {
        return Err(CodecError::Unpack);
    }
    Ok(unpacked)
}

fn whole<T>(bytes: &[u8], decoded: Result<(T, usize), bincode::error::DecodeError>) -> Result<T, CodecError> {
    let (value, read) = decoded.map_err(|_| CodecError::Malformed)?;
    match bytes.len().saturating_sub(read) {
        0 => Ok(value),
        left => Err(CodecError::Trailing(left)),
    }
}

const CONFIG: bincode::config::Configuration = bincode::config::standard();
/// bincode counts an integer at its full width: a byte of input claims at most 16.
const LIMIT: usize = 16 * UNPACKED_BYTES_MAX;
const LEVEL: i32 = 3;
