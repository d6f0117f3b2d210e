//! Frames on a stream: sends whole frames, receives whole frames, and believes no length before it has
//! checked it. What is in a frame is the caller's business.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use beatbook_proto::frame::{PREFIX_LEN, Prefix};
use beatbook_proto::limits::FRAME_BYTES_MAX;
use bytes::Bytes;
use quinn::{ReadError, RecvStream, SendStream, StoppedError, VarInt, WriteError};
use tokio::time::{Instant, timeout_at};

use crate::close::Closed;
use crate::connection::Inner;

mod assembly;

pub use assembly::Assembly;

/// Sends frames. Dropping it ends the stream after what was sent; within a frame, the receiver then
/// reports [`RecvError::CutOff`].
pub struct FrameSender {
    stream: SendStream,
    /// What is left of a frame whose `send` was cancelled.
    pending: Bytes,
    _inner: Arc<Inner>,
}

impl FrameSender {
    pub(crate) fn new(stream: SendStream, inner: Arc<Inner>) -> Self {
        Self {
            stream,
            pending: Bytes::new(),
            _inner: inner,
        }
    }

    /// Hands a whole frame, prefix included, to the transport; waits while the peer or the path is slower.
    ///
    /// It returns when the transport has taken the frame, not when the peer has. Cancel-safe: a frame
    /// whose `send` has been polled goes out whole, with the next `send` or `finish`; one whose `send`
    /// was waiting behind another frame does not.
    pub async fn send(&mut self, frame: impl Into<Bytes>) -> Result<(), SendError> {
        let frame = frame.into();
        check(&frame)?;
        self.flush().await?;
        self.pending = frame;
        self.flush().await
    }

    /// Ends the stream after the frames that were sent.
    pub async fn finish(&mut self) -> Result<(), SendError> {
        self.flush().await?;
        // Finishing twice changes nothing.
        let _ = self.stream.finish();
        Ok(())
    }

    /// Waits until the peer's transport has acknowledged everything, after [`FrameSender::finish`]. That
    /// says nothing of what the peer's application has stored.
    pub async fn drained(&mut self) -> Result<(), SendError> {
        match self.stream.stopped().await {
            Ok(None) => Ok(()),
            stopped => Err(stop_error(stopped)),
        }
    }

    /// Abandons the stream, also what was sent and not yet delivered.
    pub fn reset(&mut self, code: u32) {
        self.pending.clear();
        // An already finished stream has nothing to abandon.
        let _ = self.stream.reset(VarInt::from_u32(code));
    }

    async fn flush(&mut self) -> Result<(), SendError> {
        while !self.pending.is_empty() {
            // A writer that waits for the window of the whole connection is not woken when the peer stops
            // its stream (quinn-proto 0.11.19), so that is waited for beside it.
            let stopped = self.stream.stopped();
            tokio::select! {
                biased;
                written = self.stream.write_chunks(std::slice::from_mut(&mut self.pending)) => {
                    written?;
                }
                stopped = stopped => return Err(stop_error(stopped)),
            }
        }
        Ok(())
    }
}

impl fmt::Debug for FrameSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSender")
            .field("pending_bytes", &self.pending.len())
            .finish_non_exhaustive()
    }
}

/// Receives frames. Dropping it tells the peer to stop sending.
pub struct FrameReceiver {
    stream: RecvStream,
    /// What has arrived of the frame that is under way.
    assembly: Assembly,
    pace: Pace,
    failed: Option<RecvError>,
    _inner: Arc<Inner>,
}

impl FrameReceiver {
    pub(crate) fn new(stream: RecvStream, inner: Arc<Inner>) -> Self {
        Self {
            stream,
            assembly: Assembly::new(),
            pace: Pace::new(PACE_WINDOW),
            failed: None,
            _inner: inner,
        }
    }

    /// Waits for the next whole frame; `None` when the peer has ended the stream between two frames.
    ///
    /// Takes memory as bytes arrive, never for a length that was only announced. Cancel-safe: what has
    /// arrived is kept for the next call. After an error every call returns the same error.
    pub async fn recv(&mut self) -> Result<Option<RawFrame>, RecvError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        let received = self.recv_next().await;
        if let Err(error) = &received {
            self.failed = Some(error.clone());
            self.assembly = Assembly::new();
        }
        received
    }

    /// Tells the peer that nothing more is wanted.
    pub fn stop(&mut self, code: u32) {
        // A stream that has ended needs no telling.
        let _ = self.stream.stop(VarInt::from_u32(code));
    }

    async fn recv_next(&mut self) -> Result<Option<RawFrame>, RecvError> {
        loop {
            let wanted = self.assembly.wanted()?;
            if wanted == 0 {
                self.pace.restart();
                return Ok(Some(self.assembly.take()));
            }
            let chunk = if self.assembly.held() == 0 {
                // Silence between two frames is for the idle time-out to judge.
                self.stream.read_chunk(wanted, true).await?
            } else {
                let deadline = self.pace.deadline(self.assembly.held());
                let read = timeout_at(deadline, self.stream.read_chunk(wanted, true)).await;
                read.map_err(|_| RecvError::TooSlow)??
            };
            match chunk {
                Some(chunk) => self.assembly.push(&chunk.bytes),
                None if self.assembly.held() == 0 => return Ok(None),
                None => return Err(RecvError::CutOff),
            }
        }
    }
}

impl fmt::Debug for FrameReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameReceiver")
            .field("buffered_bytes", &self.assembly.held())
            .finish_non_exhaustive()
    }
}

/// One frame as it came, its length within the limit and true; nothing else is checked. Decode it with
/// [`beatbook_proto::Frame::decode_whole`].
#[derive(Clone, PartialEq, Eq)]
pub struct RawFrame {
    bytes: Vec<u8>,
}

impl RawFrame {
    /// The protocol version that the frame claims.
    pub fn version(&self) -> u8 {
        self.bytes.get(4).copied().unwrap_or_default()
    }

    /// The kind of the frame.
    pub fn kind(&self) -> u8 {
        self.bytes.get(5).copied().unwrap_or_default()
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(PREFIX_LEN..).unwrap_or_default()
    }

    /// The whole frame, prefix included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole frame, prefix included.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl fmt::Debug for RawFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawFrame(version {}, kind {}, {} bytes)",
            self.version(),
            self.kind(),
            self.payload().len()
        )
    }
}

/// How fast a frame that has begun must go on: a peer that drips bytes would hold a place for ever.
struct Pace {
    window: Duration,
    /// When the window began, and how much of the frame was there then.
    began: Option<(Instant, usize)>,
}

impl Pace {
    fn new(window: Duration) -> Self {
        Self { window, began: None }
    }

    /// When the next bytes must have come, given how much of the frame is there.
    fn deadline(&mut self, held: usize) -> Instant {
        let began = match self.began {
            Some((since, then)) if held.saturating_sub(then) < PACE_BYTES_MIN => since,
            _ => {
                let now = Instant::now();
                self.began = Some((now, held));
                now
            }
        };
        began + self.window
    }

    fn restart(&mut self) {
        self.began = None;
    }
}

/// Why a frame was not received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecvError {
    /// The connection has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The stream ended within a frame. Connect again; whole frames before it are good.
    #[error("the stream ended in the middle of a frame; connect again")]
    CutOff,
    /// The peer abandoned the stream. Connect again.
    #[error("the other side abandoned the stream (code {code}); connect again")]
    Reset {
        /// The peer's code.
        code: u64,
    },
    /// The peer announced a frame over the limit. Nothing was taken into memory; close the connection.
    #[error("the other side announced a frame of {announced} bytes, over the limit of {FRAME_BYTES_MAX}")]
    TooLarge {
        /// The payload length in the prefix.
        announced: u32,
    },
    /// The peer began a frame and then sent next to nothing of it. Close the connection; a device that
    /// had no signal connects again and loses nothing.
    #[error(
        "the other side sent less than {PACE_BYTES_MIN} bytes of a frame in too long a time; connect again"
    )]
    TooSlow,
}

impl From<ReadError> for RecvError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::ConnectionLost(error) => Self::Closed(error.into()),
            ReadError::Reset(code) => Self::Reset {
                code: code.into_inner(),
            },
            ReadError::ClosedStream | ReadError::IllegalOrderedRead => Self::Closed(Closed::Locally),
            ReadError::ZeroRttRejected => Self::Closed(Closed::Lost),
        }
    }
}

/// Why a frame was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The connection has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The bytes are not one whole frame: their length is not the one that they announce. Our mistake.
    #[error("the bytes to send are not one whole frame; nothing was sent")]
    NotAFrame,
    /// The peer wants no more frames on this stream.
    #[error("the other side wants no more frames (code {code})")]
    Stopped {
        /// The peer's code.
        code: u64,
    },
    /// The payload is over the limit. Split it.
    #[error("the frame is over the limit of {FRAME_BYTES_MAX} bytes; nothing was sent")]
    TooLarge,
}

impl From<WriteError> for SendError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ClosedStream => Self::Closed(Closed::Locally),
            WriteError::ConnectionLost(error) => Self::Closed(error.into()),
            WriteError::Stopped(code) => Self::Stopped {
                code: code.into_inner(),
            },
            WriteError::ZeroRttRejected => Self::Closed(Closed::Lost),
        }
    }
}

fn stop_error(stopped: Result<Option<VarInt>, StoppedError>) -> SendError {
    match stopped {
        Ok(Some(code)) => SendError::Stopped {
            code: code.into_inner(),
        },
        // The peer has all of a stream that was finished: there is nothing to send any more.
        Ok(None) => SendError::Closed(Closed::Locally),
        Err(StoppedError::ConnectionLost(error)) => SendError::Closed(error.into()),
        Err(StoppedError::ZeroRttRejected) => SendError::Closed(Closed::Lost),
    }
}

fn check(frame: &[u8]) -> Result<(), SendError> {
    match whole_length(frame) {
        Ok(Some(whole)) if whole == frame.len() => Ok(()),
        Ok(_) => Err(SendError::NotAFrame),
        Err(_) => Err(SendError::TooLarge),
    }
}

/// The length of the frame that begins with these bytes, prefix included, once its prefix is there.
fn whole_length(bytes: &[u8]) -> Result<Option<usize>, RecvError> {
    let Some(prefix) = bytes.first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let [a, b, c, d, ..] = *prefix;
    match Prefix::read(prefix) {
        Ok(prefix) => Ok(Some(PREFIX_LEN + prefix.length)),
        Err(_) => Err(RecvError::TooLarge {
            announced: u32::from_be_bytes([a, b, c, d]),
        }),
    }
}

/// Least progress within a frame in one [`PACE_WINDOW`]: far below the slowest useful link.
const PACE_BYTES_MIN: usize = 1 << 10;
const PACE_WINDOW: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
