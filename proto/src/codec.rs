//! The one place that names bincode: a fixed configuration, whole-slice decoding, bounded unpacking.
//!
//! Varint little-endian bincode 2 over serde. Decoding reads a slice that is already in memory, refuses
//! trailing bytes, and takes memory only for what the slice really holds.

use std::cell::RefCell;
use std::io::{Read, Write};

use serde::de::{Deserialize, DeserializeSeed};
use serde::ser::Serialize;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{DCtx, ResetDirective};

use crate::limits::{UNPACK_RATIO_MAX, UNPACKED_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};

/// Why bytes were not decoded or a value was not encoded.
///
/// ```
/// use beatbook_proto::codec::{self, CodecError};
/// assert_eq!(codec::decode::<bool>(&[2]), Err(CodecError::Malformed));
/// assert_eq!(codec::decode::<bool>(&[1, 0]), Err(CodecError::Trailing(1)));
/// ```
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

/// Encodes a value in the one spelling that writers use (R-COD-3).
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
///
/// What packs better than [`UNPACK_RATIO_MAX`] is packed again in short blocks, so that a reader's
/// limit on the ratio refuses nothing honest (R-FRM-4). Empty if the library fails.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let packed = COMPRESSOR.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::new(LEVEL)?),
        };
        compressor.compress(bytes)
    });
    let packed = packed.unwrap_or_default();
    if packed.len().saturating_mul(UNPACK_RATIO_MAX) >= bytes.len() {
        packed
    } else {
        pack_in_blocks(bytes).unwrap_or_default()
    }
}

/// Decompresses one zstd frame that fills `bytes`, stopping at the limits on size, ratio and window
/// (R-LIM-3, R-FRM-4).
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    if bytes.is_empty() {
        return Err(CodecError::Unpack);
    }
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let context = match kept {
            Some(context) => context,
            None => kept.insert(DCtx::try_create().ok_or(CodecError::Unpack)?),
        };
        // Bytes that were damaged leave a context in the middle of a frame, and with the window of their length.
        let fresh = context.reset(ResetDirective::SessionAndParameters);
        fresh.map_err(|_| CodecError::Unpack)?;
        unpack_with(context, bytes)
    })
}

fn unpack_with(context: &mut DCtx<'static>, bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let damaged = |_| CodecError::Unpack;
    let max = UNPACKED_BYTES_MAX.min(bytes.len().saturating_mul(UNPACK_RATIO_MAX));
    let mut decoder = zstd::stream::read::Decoder::with_context(bytes, context).single_frame();
    decoder.window_log_max(window_log(max)).map_err(damaged)?;
    let mut unpacked = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .by_ref()
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(damaged)?;
    let whole = unpacked.len() <= max && decoder.finish().is_empty();
    whole.then_some(unpacked).ok_or(CodecError::Unpack)
}

/// Compresses bytes for keeping: faster than [`pack`], not for the wire.
pub fn pack_to_keep(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    let packed = KEEPER.with_borrow_mut(|kept| {
        let compressor = match kept {
            Some(compressor) => compressor,
            None => kept.insert(Compressor::new(LEVEL_TO_KEEP)?),
        };
        compressor.compress(bytes)
    });
    packed.map_err(|_| CodecError::TooLarge)
}

/// Decompresses what [`pack_to_keep`] made of exactly `len` bytes.
pub fn unpack_kept(bytes: &[u8], len: usize) -> Result<Vec<u8>, CodecError> {
    if len > UNPACKED_BYTES_MAX {
        return Err(CodecError::TooLarge);
    }
    let unpacked = UNPACKER.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new()?),
        };
        decompressor.decompress(bytes, len)
    });
    unpacked
        .ok()
        .filter(|unpacked| unpacked.len() == len)
        .ok_or(CodecError::Unpack)
}

/// The window that content of `max` bytes can use: a short input cannot make the decoder take more.
fn window_log(max: usize) -> u32 {
    max.next_power_of_two()
        .trailing_zeros()
        .clamp(WINDOW_LOG_MIN, ZSTD_WINDOW_LOG_MAX)
}

fn pack_in_blocks(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    encoder.include_contentsize(true)?;
    for block in bytes.chunks(BLOCK_LEN) {
        encoder.write_all(block)?;
        encoder.flush()?;
    }
    encoder.finish()
}

fn whole<T>(bytes: &[u8], decoded: Result<(T, usize), bincode::error::DecodeError>) -> Result<T, CodecError> {
    let (value, read) = decoded.map_err(|_| CodecError::Malformed)?;
    match bytes.len().saturating_sub(read) {
        0 => Ok(value),
        left => Err(CodecError::Trailing(left)),
    }
}

thread_local! {
    // Making a context costs more than packing a small frame with it.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static KEEPER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

const CONFIG: bincode::config::Configuration = bincode::config::standard();
/// bincode counts an integer at its full width: a byte of input claims at most 16.
const LIMIT: usize = 16 * UNPACKED_BYTES_MAX;
const LEVEL: i32 = 3;
const LEVEL_TO_KEEP: i32 = 1;
/// A block takes four bytes at least, so blocks of this length stay well within the ratio.
const BLOCK_LEN: usize = 512;
/// The smallest window that zstd knows.
const WINDOW_LOG_MIN: u32 = 10;

#[cfg(test)]
mod tests;
