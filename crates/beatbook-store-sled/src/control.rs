//! The door to a held store: other commands on a store go through the process that holds it.
//!
//! The holder listens on a Unix socket `control` in the store's folder ([`serve`]); a command that finds the store
//! held sends its arguments there ([`call`]) and passes on what comes back. The holder runs the same code against
//! its open store, its output captured. Knows nothing of what the arguments mean.
//!
//! Who may open the socket may do what the store's owner may: it is readable and writable by the owner alone, from
//! the moment it exists.

mod caller;
mod holder;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

pub use caller::{CallError, Chunk, HangUp, Response, call};
pub use holder::{Control, Reply, ReplyWriter, ServeError, serve};

use crate::codec::{Reader, Writer};

/// A command as it was typed, for the holder to run.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Its arguments, without the name of the program.
    pub arguments: Vec<String>,
    /// The folder that it was typed in: relative paths begin there.
    pub folder: PathBuf,
    /// Values that the command takes from its environment, such as the width of the terminal.
    pub environment: Vec<(String, String)>,
}

impl Request {
    /// A request with these arguments, from the current folder.
    pub fn new(arguments: impl IntoIterator<Item = impl Into<String>>) -> io::Result<Self> {
        Ok(Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            folder: std::env::current_dir()?,
            environment: Vec::new(),
        })
    }

    /// Adds a value of the environment.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A value of the caller's environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A path as the caller meant it.
    pub fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut writer = Writer::default();
        writer.u8(VERSION);
        writer.u32(u32::try_from(self.arguments.len()).ok()?);
        for argument in &self.arguments {
            writer.bytes(argument.as_bytes());
        }
        writer.bytes(self.folder.to_str()?.as_bytes());
        writer.u32(u32::try_from(self.environment.len()).ok()?);
        for (name, value) in &self.environment {
            writer.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        let bytes = writer.finish();
        (bytes.len() <= REQUEST_BYTES_MAX).then_some(bytes)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? != VERSION {
            return None;
        }
        let text = |reader: &mut Reader<'_>| String::from_utf8(reader.bytes()?.to_vec()).ok();
        // Memory grows with what is there, never by a number that was only announced.
        let count = reader.u32()?;
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.push(text(&mut reader)?);
        }
        let folder = text(&mut reader)?.into();
        let count = reader.u32()?;
        let mut environment = Vec::new();
        for _ in 0..count {
            environment.push((text(&mut reader)?, text(&mut reader)?));
        }
        reader.end()?;
        Some(Self {
            arguments,
            folder,
            environment,
        })
    }
}

/// Arguments may hold words of a record: only their number is shown.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("arguments", &self.arguments.len())
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Writes a tag, a length and the bytes.
fn write_chunk(stream: &mut dyn Write, tag: u8, bytes: &[u8]) -> io::Result<()> {
    let mut writer = Writer::with_capacity(bytes.len() + HEAD_BYTES);
    writer.u8(tag).bytes(bytes);
    stream.write_all(&writer.finish())
}

/// Reads a tag and up to `bytes_max` bytes; `None` where the stream ended before the tag.
pub(crate) fn read_chunk(stream: &mut dyn Read, bytes_max: usize) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; HEAD_BYTES];
    let mut filled = 0;
    while filled < HEAD_BYTES {
        let rest = head.get_mut(filled..).unwrap_or_default();
        match stream.read(rest) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let [tag, length @ ..] = head;
    let length = u32::from_be_bytes(length) as usize;
    if length > bytes_max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "over the limit"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(Some((tag, bytes)))
}

/// Reaches the socket of a folder by a path short enough for a socket's address.
///
/// The system allows about a hundred bytes; a longer path goes by the open folder's own short name.
fn with_short_path<T>(folder: &Path, f: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    if folder.as_os_str().len() <= SOCKET_FOLDER_BYTES_MAX {
        return f(folder);
    }
    let open = std::fs::File::open(folder)?;
    let name = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
    f(Path::new(&name))
}

/// Largest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 1 << 20;
/// Largest piece of a response, in bytes.
pub const CHUNK_BYTES_MAX: usize = 64 << 10;
/// Commands that are run at once; more are told to try again.
pub const CALLS_MAX: usize = 64;

const SOCKET: &str = "control";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 5;
/// 108 bytes on Linux and 104 elsewhere, less the names below the folder.
const SOCKET_FOLDER_BYTES_MAX: usize = 72;
const TAG_REQUEST: u8 = 1;
const TAG_STDOUT: u8 = 2;
const TAG_STDERR: u8 = 3;
const TAG_EXIT: u8 = 4;
