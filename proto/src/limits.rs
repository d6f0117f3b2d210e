//! Every limit of the wire format, one named constant each, with its unit.

/// Largest frame payload, in bytes, as it travels (R-LIM-1).
pub const FRAME_BYTES_MAX: usize = 1 << 20;
/// Largest run as it travels, compressed, in bytes (R-LIM-2).
pub const RUN_BYTES_MAX: usize = 64 << 10;
/// Largest frame payload once decompressed, in bytes (R-LIM-3).
pub const UNPACKED_BYTES_MAX: usize = 4 << 20;
/// Largest ratio of decompressed to compressed bytes (R-LIM-3).
pub const UNPACK_RATIO_MAX: usize = 200;
/// Largest zstd window a peer may ask for, as a power of two (R-LIM-3); the decoder's own memory.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 22;
/// Most entries in one run (R-LIM-4).
pub const RUN_ENTRIES_MAX: usize = 4_096;
/// Largest revision body, in bytes (R-LIM-5).
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// Largest revision header, in bytes (R-LIM-5).
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// Shortest revision header that the format can spell, in bytes (R-LIM-5).
pub const HEADER_BYTES_MIN: usize = 9;
/// Most replicas in one causal context (R-LIM-6).
pub const CONTEXT_REPLICAS_MAX: usize = 64;
/// Longest text field, in characters (R-LIM-7).
pub const TEXT_CHARS_MAX: usize = 20_000;
/// Longest code, in bytes (R-LIM-7).
pub const CODE_BYTES_MAX: usize = 64;
/// Deepest nesting of values (R-LIM-8).
pub const NESTING_MAX: usize = 4;
/// Most operations in one revision (R-LIM-9).
pub const OPS_MAX: usize = 1_024;
/// Most items of one list, or fields of one group (R-LIM-9).
pub const ITEMS_MAX: usize = 1_024;
/// Most points in one track (R-LIM-10).
pub const TRACK_POINTS_MAX: usize = 4_096;
/// Largest delta-coded track, in bytes (R-LIM-10).
pub const TRACK_BYTES_MAX: usize = 128 << 10;
/// Largest feed frame before compression, in bytes (R-LIM-11).
pub const FEED_BYTES_MAX: usize = 256 << 10;
/// Most books named in one frame (R-LIM-12).
pub const BOOKS_MAX: usize = 4_096;
/// Most scopes and cursors named in one frame (R-LIM-12).
pub const SCOPES_MAX: usize = 1_024;
/// Most items in one feed frame (R-LIM-12).
pub const FEED_ITEMS_MAX: usize = 8_192;
/// Most runs that parts in one feed frame may come from (R-LIM-12).
pub const PARTS_MAX: usize = 4_096;
/// Most values in one revision, nested ones and operations without a value counted (R-LIM-13).
pub const VALUES_MAX: usize = 1_024;
/// Longest verifying key, in bytes (R-LIM-14).
pub const KEY_BYTES_MAX: usize = 33;
/// Longest signature, in bytes (R-LIM-14).
pub const SIGNATURE_BYTES_MAX: usize = 64;
