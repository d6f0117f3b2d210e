//! The holding side: takes commands on the socket and runs each on a thread of its own.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use tracing::debug;

use super::{
    CALLS_MAX, CHUNK_BYTES_MAX, REQUEST_BYTES_MAX, Request, SOCKET, TAG_EXIT, TAG_REQUEST, TAG_STDERR,
    TAG_STDOUT, read_chunk, with_short_path, write_chunk,
};
use crate::store::Store;

/// Listens in the folder of a store that is open here, and runs commands until the [`Control`] is dropped.
///
/// Whoever has an open store holds its lock, so a socket that is there already belongs to a process that is gone.
/// `handler` runs on a thread for each command and returns the exit code; what it writes to the reply is passed on
/// at once. It should stop when [`Reply::is_wanted`] turns false.
pub fn serve(
    store: &Store,
    handler: impl Fn(&Request, &Reply) -> u8 + Send + Sync + 'static,
) -> Result<Control, ServeError> {
    let dir = store.shared().dir.clone();
    let listener = listen(&dir).map_err(|source| ServeError {
        path: dir.join(SOCKET),
        source,
    })?;
    let door = Arc::new(Door {
        handler: Box::new(handler),
        streams: Mutex::default(),
        stopping: AtomicBool::new(false),
    });
    let own = fs::metadata(dir.join(SOCKET))
        .ok()
        .map(|own| (own.dev(), own.ino()));
    let threads = door.clone();
    let listening = match listener.try_clone() {
        // The same socket by another type, for the sake of its `shutdown`.
        Ok(clone) => UnixStream::from(OwnedFd::from(clone)),
        Err(source) => {
            return Err(ServeError {
                path: dir.join(SOCKET),
                source,
            });
        }
    };
    let acceptor = std::thread::Builder::new()
        .name("beatbook-control".into())
        .spawn(move || take_calls(&listener, &threads))
        .map_err(|source| ServeError {
            path: dir.join(SOCKET),
            source,
        })?;
    Ok(Control {
        dir,
        own,
        listening,
        door,
        acceptor: Some(acceptor),
    })
}

/// A door that is open. Dropping it ends commands that are under way and takes the socket away; drop it before the
/// store is closed.
pub struct Control {
    dir: PathBuf,
    /// Device and number of the socket that was made here.
    own: Option<(u64, u64)>,
    listening: UnixStream,
    door: Arc<Door>,
    acceptor: Option<JoinHandle<()>>,
}

impl Control {
    /// Where it listens.
    pub fn path(&self) -> PathBuf {
        self.dir.join(SOCKET)
    }

    /// Commands under way.
    pub fn calls(&self) -> usize {
        self.door.streams.lock().len()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.door.stopping.store(true, Ordering::Release);
        // Wakes whoever waits in accept. Connecting would not do: the socket there may be a later holder's.
        let _ = self.listening.shutdown(Shutdown::Both);
        let path = self.path();
        let found = fs::metadata(&path).ok().map(|found| (found.dev(), found.ino()));
        // Another holder may have come since, if the store was closed first: its socket stays.
        if found.is_some() && found == self.own {
            let _ = fs::remove_file(&path);
        }
        if let Some(acceptor) = self.acceptor.take() {
            // A panic there has ended one command, and its caller was told.
            let _ = acceptor.join();
        }
        for (_, stream) in self.door.streams.lock().iter() {
            // Its reader learns that nothing more is wanted; what is said until it is done still goes out.
            let _ = stream.shutdown(Shutdown::Read);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// Why the socket could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}: {source}; other commands cannot reach this process", path.display())]
pub struct ServeError {
    /// The socket.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Where a command's output goes.
#[derive(Clone)]
pub struct Reply {
    /// Held for one whole piece, so that the outputs do not mix within one.
    stream: Arc<Mutex<UnixStream>>,
    wanted: Arc<AtomicBool>,
}

impl Reply {
    /// The standard output.
    pub fn stdout(&self) -> ReplyWriter {
        self.writer(TAG_STDOUT)
    }

    /// The standard error output.
    pub fn stderr(&self) -> ReplyWriter {
        self.writer(TAG_STDERR)
    }

    /// False once the caller has gone or wants no more: a command that runs on should end.
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    fn writer(&self, tag: u8) -> ReplyWriter {
        ReplyWriter {
            reply: self.clone(),
            tag,
        }
    }

    fn send(&self, tag: u8, bytes: &[u8]) -> io::Result<()> {
        let sent = write_chunk(&mut *self.stream.lock(), tag, bytes);
        if sent.is_err() {
            self.wanted.store(false, Ordering::Release);
        }
        sent
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("is_wanted", &self.is_wanted())
            .finish_non_exhaustive()
    }
}

/// One output of a command. Unbuffered: wrap it where much is written in small pieces.
#[derive(Clone, Debug)]
pub struct ReplyWriter {
    reply: Reply,
    tag: u8,
}

impl Write for ReplyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(CHUNK_BYTES_MAX);
        if let Some(piece) = bytes.get(..length).filter(|piece| !piece.is_empty()) {
            self.reply.send(self.tag, piece)?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Handler = Box<dyn Fn(&Request, &Reply) -> u8 + Send + Sync>;

/// What the threads of a door share.
struct Door {
    handler: Handler,
    /// Commands under way, by number.
    streams: Mutex<Vec<(u64, UnixStream)>>,
    stopping: AtomicBool,
}

/// Makes the socket aside, where only the owner may go, gives it its mode, and puts it in place as a whole.
fn listen(dir: &Path) -> io::Result<UnixListener> {
    with_short_path(dir, |dir| {
        let aside = dir.join("control.new");
        match fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::DirBuilder::new().mode(0o700).create(&aside)?;
        let socket = aside.join(SOCKET);
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
        fs::rename(&socket, dir.join(SOCKET))?;
        fs::remove_dir(&aside)?;
        Ok(listener)
    })
}

fn take_calls(listener: &UnixListener, door: &Arc<Door>) {
    let mut number = 0;
    while !door.stopping.load(Ordering::Acquire) {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(_) if door.stopping.load(Ordering::Acquire) => return,
            Err(error) => {
                debug!(%error, "no command could be taken");
                // Out of file handles, most likely: others have to finish first.
                std::thread::sleep(ACCEPT_PAUSE);
                continue;
            }
        };
        if door.stopping.load(Ordering::Acquire) {
            return;
        }
        number += 1;
        let Ok(handle) = stream.try_clone() else { continue };
        let reply = Reply {
            stream: Arc::new(Mutex::new(stream)),
            wanted: Arc::new(AtomicBool::new(true)),
        };
        {
            let mut streams = door.streams.lock();
            if streams.len() >= CALLS_MAX {
                refuse(&reply, "too many commands at once; try again\n");
                continue;
            }
            let Ok(kept) = handle.try_clone() else { continue };
            streams.push((number, kept));
        }
        let place = Place {
            door: door.clone(),
            number,
        };
        let spawned = std::thread::Builder::new()
            .name("beatbook-command".into())
            .spawn(move || run(&place, handle, &reply));
        if let Err(error) = spawned {
            debug!(%error, "a command could not be run");
        }
    }
}

/// A command's entry among those under way; dropping it takes the entry out and ends the connection.
struct Place {
    door: Arc<Door>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut streams = self.door.streams.lock();
        if let Some(at) = streams.iter().position(|(number, _)| *number == self.number) {
            // Whoever watches the caller holds the socket too: a command that panicked ends here for its caller.
            let _ = streams.swap_remove(at).1.shutdown(Shutdown::Both);
        }
    }
}

fn run(place: &Place, mut stream: UnixStream, reply: &Reply) {
    // A caller that says nothing must not hold a place for ever.
    let read = stream
        .set_read_timeout(Some(REQUEST_TIMEOUT))
        .and_then(|()| read_chunk(&mut stream, REQUEST_BYTES_MAX))
        .and_then(|request| stream.set_read_timeout(None).map(|()| request));
    let request = match read {
        Ok(Some((TAG_REQUEST, bytes))) => Request::decode(&bytes),
        _ => None,
    };
    let Some(request) = request else {
        return refuse(
            reply,
            "the command does not read; use the same release on both sides\n",
        );
    };
    let wanted = reply.wanted.clone();
    // The caller says nothing more: the end of its stream says that it is gone.
    let watcher = std::thread::Builder::new()
        .name("beatbook-caller".into())
        .spawn(move || {
            let mut rest = [0; 64];
            while matches!(stream.read(&mut rest), Ok(read) if read > 0) {}
            wanted.store(false, Ordering::Release);
        });
    if let Err(error) = &watcher {
        debug!(%error, "nobody watches whether the caller is still there");
    }
    let code = (place.door.handler)(&request, reply);
    finish(reply, code);
}

fn refuse(reply: &Reply, why: &str) {
    // A caller that is gone need not be told.
    let _ = reply.send(TAG_STDERR, why.as_bytes());
    finish(reply, 1);
}

fn finish(reply: &Reply, code: u8) {
    if reply.send(TAG_EXIT, &[code]).is_err() {
        debug!("a caller had gone before its command was done");
    }
}

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
