//! What the recorder, `tests/preload/recorder.c`, saw: it is preloaded into a workload, and its log is read back.
//!
//! The library sees calls of the C library. Nothing of a store escapes it: the standard library, sled and tempfile make
//! their file calls through it, rustix's own system calls are a lock and a question for free space, and io_uring and
//! written maps are not used. That is not taken on trust: `images` compares the disk that the whole log leads to with
//! the folder that the workload left, byte by byte, for every recording, and stops where they differ.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The compiled recorder.
#[derive(Clone, Debug)]
pub struct Recorder {
    library: PathBuf,
}

/// Which calls of a workload fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// As the recorder names it: `eio`, `full`, `short`, `sync`.
    pub kind: &'static str,
    /// The first call of those that count which fails, from 1.
    pub first: u64,
    /// How many fail from there on.
    pub calls: u64,
}

/// One thing that happened, in the order over all threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A file or folder was opened.
    Open {
        fd: i32,
        path: PathBuf,
        created: bool,
        folder: bool,
        emptied: bool,
    },
    /// Bytes were written at an offset.
    Write { fd: i32, offset: u64, bytes: Vec<u8> },
    /// A file was cut or made longer.
    Truncate { fd: i32, length: u64 },
    /// A file or folder was synced, or that failed.
    Sync { fd: i32, failed: bool },
    /// `sync_file_range`: it makes nothing durable, as its own page says.
    Range { fd: i32 },
    /// A name was given to what another name meant.
    Rename { from: PathBuf, to: PathBuf },
    /// A name was taken away.
    Unlink { path: PathBuf },
    /// A folder was made.
    MakeDir { path: PathBuf },
    /// A folder was removed.
    RemoveDir { path: PathBuf },
    /// A descriptor was closed.
    Close { fd: i32 },
    /// A descriptor was given a second number.
    Dup { fd: i32, to: i32 },
    /// The workload said something.
    Mark(String),
    /// A call was made to fail.
    Fault(u64),
    /// The program ended after so many calls that count for a fault.
    Counted(u64),
}

impl Recorder {
    /// Compiles the recorder.
    pub fn build() -> Self {
        Self {
            library: beatbook_tests::preload("recorder"),
        }
    }

    /// Runs this very program with `args` over the folder `root`, recorded into `log`, its marks in `marks`.
    pub fn run(&self, args: &[String], place: &Place, fault: Option<Fault>) -> Result<Output, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command
            .args(args)
            .env("LD_PRELOAD", &self.library)
            .env("BEATBOOK_RECORDER_ROOT", &place.root)
            .env("BEATBOOK_RECORDER_LOG", &place.log)
            .env("BEATBOOK_RECORDER_MARKS", &place.marks)
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null());
        if let Some(fault) = fault {
            let told = format!("{},{},{}", fault.kind, fault.first, fault.calls);
            command.env("BEATBOOK_RECORDER_FAULT", told);
        }
        crate::child::run(command)
    }
}

/// Where a recording takes place.
#[derive(Clone, Debug)]
pub struct Place {
    /// The folder that is watched.
    pub root: PathBuf,
    /// The log.
    pub log: PathBuf,
    /// The file whose lines are marks.
    pub marks: PathBuf,
}

impl Place {
    /// The usual names below `folder`; the root is made.
    pub fn in_folder(folder: &Path) -> Result<Self, String> {
        let root = folder.join("disk");
        fs::create_dir_all(&root).map_err(|error| error.to_string())?;
        let root = root.canonicalize().map_err(|error| error.to_string())?;
        Ok(Self {
            root,
            log: folder.join("log"),
            marks: folder.join("marks"),
        })
    }

    /// The marks of what was done before the recording.
    pub fn prepared(&self) -> PathBuf {
        self.log.with_file_name("prepared")
    }
}

/// Reads a log; paths come back relative to `root`.
pub fn read(log: &Path, root: &Path) -> Result<Vec<Event>, String> {
    let bytes = fs::read(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        events.push(event(&mut rest, root).ok_or("the log of the recorder does not decode")?);
    }
    Ok(events)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open {
                fd, path, created, ..
            } => {
                let made = if *created { "make" } else { "open" };
                write!(f, "{made} {} as {fd}", path.display())
            }
            Self::Write { fd, offset, bytes } => {
                write!(f, "write {fd} at {offset}, {} bytes", bytes.len())
            }
            Self::Truncate { fd, length } => write!(f, "truncate {fd} to {length}"),
            Self::Sync { fd, failed: false } => write!(f, "sync {fd}"),
            Self::Sync { fd, failed: true } => write!(f, "sync {fd} FAILS"),
            Self::Range { fd } => write!(f, "sync_file_range {fd}"),
            Self::Rename { from, to } => write!(f, "rename {} to {}", from.display(), to.display()),
            Self::Unlink { path } => write!(f, "unlink {}", path.display()),
            Self::MakeDir { path } => write!(f, "mkdir {}", path.display()),
            Self::RemoveDir { path } => write!(f, "rmdir {}", path.display()),
            Self::Close { fd } => write!(f, "close {fd}"),
            Self::Dup { fd, to } => write!(f, "dup {fd} to {to}"),
            Self::Mark(words) => write!(f, "-- {words}"),
            Self::Counted(calls) => write!(f, "{calls} calls counted"),
            Self::Fault(call) => write!(f, "call {call} FAILS"),
        }
    }
}

fn event(rest: &mut &[u8], root: &Path) -> Option<Event> {
    let op = take(rest, 1)?[0];
    let flag = take(rest, 1)?[0];
    let error = u16::from_ne_bytes(take(rest, 2)?.try_into().ok()?);
    let fd = i32::from_ne_bytes(take(rest, 4)?.try_into().ok()?);
    let offset = u64::from_ne_bytes(take(rest, 8)?.try_into().ok()?);
    let lengths = [
        u32::from_ne_bytes(take(rest, 4)?.try_into().ok()?),
        u32::from_ne_bytes(take(rest, 4)?.try_into().ok()?),
    ];
    let first = take(rest, lengths[0] as usize)?;
    let second = take(rest, lengths[1] as usize)?;
    let path = |bytes: &[u8]| -> Option<PathBuf> {
        let path = Path::new(std::str::from_utf8(bytes).ok()?);
        Some(path.strip_prefix(root).ok()?.to_path_buf())
    };
    Some(match op {
        1 => Event::Open {
            fd,
            path: path(first)?,
            created: flag & 1 != 0,
            folder: flag & 2 != 0,
            emptied: flag & 4 != 0,
        },
        2 => Event::Write {
            fd,
            offset,
            bytes: second.to_vec(),
        },
        3 => Event::Truncate { fd, length: offset },
        4 => Event::Sync {
            fd,
            failed: error != 0,
        },
        5 => Event::Range { fd },
        6 => Event::Rename {
            from: path(first)?,
            to: path(second)?,
        },
        7 => Event::Unlink { path: path(first)? },
        8 => Event::MakeDir { path: path(first)? },
        9 => Event::RemoveDir { path: path(first)? },
        12 => Event::Close { fd },
        13 => Event::Dup {
            fd,
            to: i32::try_from(offset).ok()?,
        },
        14 => Event::Mark(String::from_utf8_lossy(second).trim_end().to_owned()),
        15 => Event::Fault(offset),
        16 => Event::Counted(offset),
        _ => return None,
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}
