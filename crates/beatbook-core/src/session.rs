//! Sessions: the two state machines that speak the protocol, without a socket, a store or a clock.
//!
//! A shell feeds inputs in the order they happen, drains the outputs in order, and waits. Store operations are
//! executed in the order they come out; each reply is fed back, wrapped in [`crate::store::Durable`] by the store.

use beatbook_proto::frame::FrameError;
use beatbook_proto::{CloseCode, ProofError};

use crate::ledger::LedgerError;

mod initiator;
mod responder;

pub use initiator::{Event, Initiator, InitiatorInput, InitiatorOutput};
pub use responder::{Responder, ResponderInput, ResponderOutput};

/// Why a session ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The peer closed.
    #[error("the other side ended the session: {code}")]
    Closed {
        /// Why.
        code: CloseCode,
        /// How long it wishes to be left alone, in milliseconds.
        retry_after_ms: u32,
    },
    /// A frame did not decode.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A run did not prove itself.
    #[error("a run does not prove itself: {0}")]
    Proof(#[from] ProofError),
    /// A frame came where the protocol does not allow it.
    #[error("a frame of kind {0} came out of order")]
    OutOfOrder(u8),
    /// There is no protocol in common.
    #[error("no protocol version in common")]
    Incompatible,
}

impl SessionError {
    /// The close code to tell the peer: the one place where errors become codes.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::Closed { .. } => CloseCode::DONE,
            Self::Frame(FrameError::TooLong(_)) => CloseCode::LIMIT,
            Self::Frame(FrameError::Version(_)) | Self::Incompatible => CloseCode::INCOMPATIBLE,
            Self::Frame(_) => CloseCode::MALFORMED,
            Self::OutOfOrder(_) => CloseCode::OUT_OF_ORDER,
            Self::Proof(_) => CloseCode::NOT_PROVED,
            Self::Ledger(LedgerError::Store(_)) => CloseCode::STORE,
            Self::Ledger(LedgerError::TooLarge(_)) => CloseCode::LIMIT,
            Self::Ledger(LedgerError::Proof(_) | LedgerError::Signing(_)) => CloseCode::NOT_PROVED,
            Self::Ledger(_) => CloseCode::NOT_YOURS,
        }
    }
}
