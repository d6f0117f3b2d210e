//! What a process takes for the world: a wall clock that is wrong, and a call that is its last.
//! The library itself is `tests/preload/stage.c`.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::preload::preloaded;

/// Variables of the environment for a process.
pub type Variables = Vec<(String, String)>;

/// A wall clock that processes see in the place of the true one, and that can be set while they run.
#[derive(Debug)]
pub struct Clock {
    path: PathBuf,
    file: fs::File,
}

impl Clock {
    /// A clock that is right so far; its file is put there.
    pub fn right(path: &Path) -> Self {
        let options = fs::OpenOptions::new().write(true).create_new(true).open(path);
        let clock = Self {
            path: path.to_owned(),
            file: options.expect("the folder takes a file"),
        };
        clock.set(TRUE, 0);
        clock
    }

    /// Makes it go so many seconds ahead of the true time, or behind it.
    pub fn shift_s(&self, seconds: i64) {
        self.set(SHIFTED, seconds.saturating_mul(NS));
    }

    /// Makes it stand still at so many seconds after 1970.
    pub fn freeze_at_s(&self, seconds: i64) {
        self.set(FROZEN, seconds.saturating_mul(NS));
    }

    /// Makes it right again.
    pub fn mend(&self) {
        self.set(TRUE, 0);
    }

    /// What a process needs to see this clock.
    pub fn variables(&self) -> Variables {
        vec![
            preloaded(LIBRARY),
            ("STAGE_CLOCK".to_owned(), self.path.display().to_string()),
        ]
    }

    fn set(&self, mode: i64, number: i64) {
        // A reader between the writes sees the true time, not a mixture.
        for (at, value) in [(0, TRUE), (8, number), (0, mode)] {
            self.file
                .write_all_at(&value.to_ne_bytes(), at)
                .expect("a small file can be written");
        }
    }
}

/// The call at which a process dies by SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastCall {
    /// `fsync`, `write`, `rename`, `truncate` or `unlink`.
    pub call: &'static str,
    /// Which of them, from 1.
    pub number: u64,
    /// `before` it, `after` it, or `inside` a write.
    pub place: &'static str,
}

impl LastCall {
    /// What a process needs to die there.
    pub fn variables(&self) -> Variables {
        let Self { call, number, place } = self;
        vec![
            preloaded(LIBRARY),
            ("STAGE_KILL".to_owned(), format!("{call}:{number}:{place}")),
        ]
    }
}

const LIBRARY: &str = "stage";
const TRUE: i64 = 0;
const SHIFTED: i64 = 1;
const FROZEN: i64 = 2;
const NS: i64 = 1_000_000_000;
