//! The calling side: sends a command to the holder of a store and hands out what comes back.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{
    CHUNK_BYTES_MAX, Request, SOCKET, TAG_EXIT, TAG_REQUEST, TAG_STDERR, TAG_STDOUT, read_chunk,
    with_short_path, write_chunk,
};

/// Sends a command to the process that holds the store in `dir`.
///
/// [`CallError::NobodyHolds`] says that the store can be opened here instead.
pub fn call(dir: impl AsRef<Path>, request: &Request) -> Result<Response, CallError> {
    let bytes = request.encode().ok_or(CallError::Request)?;
    let stream = with_short_path(dir.as_ref(), |dir| UnixStream::connect(dir.join(SOCKET)));
    let mut stream = stream.map_err(|error| match error.kind() {
        // The socket of a holder that was killed stays behind, and nobody answers on it.
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => CallError::NobodyHolds,
        _ => CallError::Io(error),
    })?;
    write_chunk(&mut stream, TAG_REQUEST, &bytes).map_err(CallError::Io)?;
    Ok(Response { stream, exit: None })
}

/// What a command says, as it says it. Dropping it tells the holder that nobody listens any more.
#[derive(Debug)]
pub struct Response {
    stream: UnixStream,
    exit: Option<u8>,
}

impl Response {
    /// Waits for the next piece; `None` after [`Chunk::Exit`].
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, CallError> {
        if self.exit.is_some() {
            return Ok(None);
        }
        let chunk = read_chunk(&mut self.stream, CHUNK_BYTES_MAX).map_err(|_| CallError::CutOff)?;
        let chunk = match chunk.ok_or(CallError::CutOff)? {
            (TAG_STDOUT, bytes) => Chunk::Stdout(bytes),
            (TAG_STDERR, bytes) => Chunk::Stderr(bytes),
            (TAG_EXIT, bytes) => {
                let code = bytes.first().copied().ok_or(CallError::CutOff)?;
                self.exit = Some(code);
                Chunk::Exit(code)
            }
            _ => return Err(CallError::CutOff),
        };
        Ok(Some(chunk))
    }

    /// Writes everything to its place as it comes, and returns the exit code.
    pub fn relay(mut self, stdout: &mut dyn Write, stderr: &mut dyn Write) -> Result<u8, CallError> {
        while let Some(chunk) = self.next_chunk()? {
            let written = match chunk {
                Chunk::Stdout(bytes) => stdout.write_all(&bytes).and_then(|()| stdout.flush()),
                Chunk::Stderr(bytes) => stderr.write_all(&bytes).and_then(|()| stderr.flush()),
                Chunk::Exit(code) => return Ok(code),
            };
            written.map_err(CallError::Output)?;
        }
        Err(CallError::CutOff)
    }

    /// A handle that ends the command from another thread: at Ctrl-C, for one that runs on.
    pub fn hang_up(&self) -> io::Result<HangUp> {
        Ok(HangUp(self.stream.try_clone()?))
    }
}

/// Ends a command that runs on at the holder.
#[derive(Debug)]
pub struct HangUp(UnixStream);

impl HangUp {
    /// Tells the holder that nothing more is wanted; the response then ends as the command ends.
    pub fn hang_up(&self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// A piece of what a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Chunk {
    /// The command is done.
    Exit(u8),
    /// For the standard error output.
    Stderr(Vec<u8>),
    /// For the standard output.
    Stdout(Vec<u8>),
}

/// Why a command did not come through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The holder stopped before it was done: what it had done may or may not hold. Look, then try again.
    #[error(
        "the process that holds the store stopped before the command was done; look whether it took effect, and try again"
    )]
    CutOff,
    /// The system could not reach the socket.
    #[error("the process that holds the store cannot be reached: {0}")]
    Io(io::Error),
    /// No process holds the store: open it.
    #[error("no process holds this store; it can be opened here")]
    NobodyHolds,
    /// What came back could not be written out.
    #[error("the answer could not be written: {0}")]
    Output(io::Error),
    /// The command is over the limit or the current folder has a name that is not text.
    #[error(
        "the command is too long, or the current folder has a name that is not text; change that and try again"
    )]
    Request,
}
