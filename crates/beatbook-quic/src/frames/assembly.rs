//! A frame that is gathered from the pieces that a stream brings. Reads no stream itself.

use std::fmt;

use beatbook_proto::frame::PREFIX_LEN;

use super::{RawFrame, RecvError, whole_length};

/// Gathers one frame after another from pieces of any length.
///
/// Takes memory for bytes that have come, never for a length that was only announced.
///
/// ```
/// use beatbook_quic::Assembly;
///
/// let stream = [0, 0, 0, 2, 1, 1, b'h', b'i'];
/// let mut assembly = Assembly::new();
/// let mut rest = stream.as_slice();
/// while assembly.wanted()? > 0 {
///     let (piece, later) = rest.split_at(assembly.wanted()?.min(3));
///     assembly.push(piece);
///     rest = later;
/// }
/// assert_eq!(assembly.take().payload(), b"hi");
/// # Ok::<_, beatbook_quic::RecvError>(())
/// ```
#[derive(Default)]
pub struct Assembly {
    pub(super) bytes: Vec<u8>,
}

impl Assembly {
    /// Starts without a byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece: at most as many bytes as are [wanted](Assembly::wanted).
    pub fn push(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
    }

    /// Hands over the frame that is whole, and starts the next.
    pub fn take(&mut self) -> RawFrame {
        RawFrame {
            bytes: std::mem::take(&mut self.bytes),
        }
    }

    /// How many bytes are to come before more can be said: 0 once the frame is whole.
    ///
    /// # Errors
    /// The prefix announces more than a frame may hold. Close the connection.
    pub fn wanted(&self) -> Result<usize, RecvError> {
        let whole = whole_length(&self.bytes)?;
        Ok(whole.unwrap_or(PREFIX_LEN).saturating_sub(self.bytes.len()))
    }

    /// How many bytes of the frame are here.
    pub fn held(&self) -> usize {
        self.bytes.len()
    }
}

impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly")
            .field("held_bytes", &self.held())
            .finish()
    }
}
