//! The lock of a store: one process, and one place in it, holds a store at a time.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::disk::private;
use crate::error::OpenError;

/// Holds the lock until it is dropped. The system drops it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let io = |error| OpenError::io(&path, error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(&path).map_err(io)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // The process id only makes the message better: any text will do.
                let _ = file.read_to_string(&mut text);
                return Err(OpenError::Locked {
                    pid: text.trim().parse().unwrap_or(0),
                });
            }
            Err(error) => return Err(io(error.into())),
        }
        // On a full disk the lock holds without the process id in it.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        Ok(Self { _file: file })
    }
}
