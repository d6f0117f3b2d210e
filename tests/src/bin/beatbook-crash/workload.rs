//! The workloads: short scripts over a device's or a server's store, run in a process of their own.
//!
//! A workload says on its marks what it is about to write and what was acknowledged, one line each, so that whoever
//! reads the recording knows at every moment what a power cut may take and what it may not. [`Side`] is what the
//! scripts need of a store; [`device`], [`force`], [`rows`] and [`server`] are its four kinds.

mod device;
mod force;
mod rows;
mod runner;
mod script;
mod server;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use beatbook_core::store::StoreError;
use beatbook_store_sled::{AnchorPlace, OpenReport, Options, PinCost};

pub use runner::Runner;
pub use script::{Name, Step};

/// Why a step was not done.
#[derive(Debug)]
pub enum Refused {
    /// For want of space, nothing was written.
    Full,
    /// Something else; whether anything was written is not known.
    Unknown(String),
}

/// A store that is open, of any kind.
pub trait Side {
    /// Writes an entry that bears `token`; returns when it is acknowledged.
    fn write(&mut self, token: &str) -> Result<(), Refused>;

    /// Does a step that writes no entry; `number` is new each time.
    fn act(&mut self, step: Step, number: usize) -> Result<(), Refused>;

    /// Writes from several threads, each entry marked as it is acknowledged.
    fn gather(&mut self, tokens: &[String], marks: &Marks) -> Result<(), Refused> {
        for token in tokens {
            marks.attempt(token, || self.write(token))?;
        }
        Ok(())
    }

    /// The tokens of all entries, each checked byte for byte, and that numbers have no gaps.
    fn tokens(&self) -> Result<Vec<String>, String>;

    /// Opens every seal; where making the store was acknowledged, also looks for what was promised beside it.
    fn verify(&self, made: bool) -> Result<(), String>;

    /// What opening it found; none where the server keeps it to itself.
    fn report(&self) -> Option<OpenReport>;

    /// Closes it.
    fn close(self: Box<Self>) -> Result<(), Refused>;
}

/// Where a workload works, and how.
#[derive(Clone, Debug)]
pub struct Site {
    /// The workload.
    pub name: Name,
    /// The folder that everything is in.
    pub root: PathBuf,
    /// True where what a workload left is looked at, and not for the workload itself.
    pub checks: bool,
}

/// The lines of a workload.
#[derive(Debug)]
pub struct Marks(File);

impl Site {
    /// The folder of the store, or of the server's data.
    pub fn store(&self) -> PathBuf {
        match self.name {
            Name::ForceRestore => self.root.join("restored"),
            _ => self.root.join("store"),
        }
    }

    /// True where something claims to be a store.
    pub fn is_there(&self) -> bool {
        self.store().exists()
    }

    /// Does again what a power cut did not let finish: makes the store, or restores it.
    pub fn make_again(&self) -> Result<(), Refused> {
        match self.name {
            Name::ForceRestore => force::restore(self),
            _ => self.make()?.close(),
        }
    }

    /// The tokens in a backup, restored beside the store.
    pub fn read_backup(&self, number: usize) -> Result<Vec<String>, String> {
        let file = self.root.join(format!("backup-{number}"));
        match self.name {
            Name::ServerBackup => server::read_backup(&file, self),
            _ => force::read_backup(&file, self),
        }
    }

    /// How far the numbers of a replica are leased.
    pub fn leased(&self, replica: [u8; 16]) -> Result<Option<u64>, String> {
        device::leased(self, replica)
    }

    /// Makes the store.
    pub fn make(&self) -> Result<Box<dyn Side>, Refused> {
        match self.name {
            name if name.is_device() => device::make(self),
            Name::ForceInit | Name::ForceBackup | Name::ForceRestore => force::make(self),
            Name::RowsChurn => rows::make(self),
            _ => server::make(self),
        }
    }

    /// Opens the store; `pin` is the number of the PIN, if it has had several.
    pub fn open(&self, pin: usize) -> Result<Box<dyn Side>, Refused> {
        match self.name {
            name if name.is_device() => device::open(self, pin),
            Name::ForceInit | Name::ForceBackup | Name::ForceRestore => force::open(self),
            Name::RowsChurn => rows::open(self),
            _ => server::open(self),
        }
    }
}

impl Marks {
    /// Marks go to this file.
    pub fn to(path: &Path) -> Result<Self, String> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.map(Self)
            .map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Says one thing, in one write.
    pub fn say(&self, words: &str) {
        let mut file = &self.0;
        file.write_all(format!("{words}\n").as_bytes())
            .expect("the marks can be written");
    }

    /// Does something and says before and after what it is about.
    pub fn attempt(&self, token: &str, work: impl FnOnce() -> Result<(), Refused>) -> Result<(), Refused> {
        self.say(&format!("try {token}"));
        let done = work();
        match &done {
            Ok(()) => self.say(&format!("ack {token}")),
            Err(Refused::Full) => self.say(&format!("full {token}")),
            Err(Refused::Unknown(why)) => self.say(&format!("unknown {token} {}", why.replace('\n', " "))),
        }
        done
    }
}

/// A device of its own writes one entry that bears `token`, and a server's store takes it in.
pub fn accept(store: &beatbook_store_sled::Store, token: &str) -> Result<(), Refused> {
    server::accept(store, token)
}

/// Options small enough that a short script turns everything over.
fn options(anchor: AnchorPlace) -> Options {
    Options {
        anchor,
        pin_cost: PinCost {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        },
        segment_bytes: 8 << 10,
        checkpoint_bytes: 24 << 10,
        free_bytes_min: 1 << 20,
        ..Options::default()
    }
}

/// The words that an entry with this token holds: the token, and a tail of a length that follows from it.
fn words(token: &str) -> String {
    let mut state = token.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut words = token.to_owned();
    for _ in 0..state % 90 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        words.push_str(&format!(" {:x}", state >> 40));
    }
    words
}

/// The token of an entry that holds exactly the words that it was written with.
fn token_of(held: &str) -> Result<String, String> {
    let token = held.split(' ').next().unwrap_or_default();
    if held == words(token) {
        Ok(token.to_owned())
    } else {
        Err(format!("the entry {token:?} holds other bytes than were written"))
    }
}

fn refused(error: &StoreError) -> Refused {
    match error {
        StoreError::DiskFull => Refused::Full,
        other => Refused::Unknown(other.to_string()),
    }
}

/// Says full where a cause of the error is that.
fn full_or(error: &(dyn std::error::Error + 'static)) -> Refused {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if words.contains("disk is full") || words.contains("No space left") {
            return Refused::Full;
        }
        cause = error.source();
    }
    Refused::Unknown(error.to_string())
}

fn not_opened(error: &beatbook_store_sled::OpenError) -> Refused {
    match error {
        beatbook_store_sled::OpenError::DiskFull => Refused::Full,
        other => Refused::Unknown(other.to_string()),
    }
}
