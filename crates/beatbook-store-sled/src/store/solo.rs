//! The store without a thread: every call does its work before it returns.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use beatbook_core::store::{Durable, Read, StoreError, Transaction};

use crate::error::{BackupError, OpenError};
use crate::store::committer::{Committer, Ran, Task, Turn};
use crate::store::shared::Shared;
use crate::store::{BackupProgress, BackupReport, OpenReport, Options, Size, VerifyReport};
use crate::store::{copying, opening, report};
use crate::vault::Unlock;

/// An open store that works in its caller's thread, for simulators and tools.
///
/// It is the object that a [`crate::Store`] runs on its thread, with the same files, groups and reports. Over a
/// seeded [`crate::Random`] and an engine without threads, the same calls give the same bytes on the disk.
/// Dropping it without [`Solo::close`] is what the death of the process is: nothing more is written.
///
/// ```
/// use std::sync::Arc;
/// use beatbook_core::store::{StoreError, Table};
/// use beatbook_store_sled::{AnchorPlace, Job, ModelEngine, Options, Solo, Unlock};
///
/// let folder = tempfile::tempdir()?;
/// let options = Options {
///     anchor: AnchorPlace::Nowhere,
///     engine: Arc::new(ModelEngine::default()),
///     ..Options::default()
/// };
/// let (mut store, _) = Solo::create(folder.path().join("store"), &Unlock::keystore([7; 32]), options)?;
/// let mut stored = 0;
/// let count = std::cell::Cell::new(0);
/// let jobs = (0..3).map(|number: u8| {
///     Job::new(
///         move |transaction| {
///             transaction.put(Table::Meta, [number], "value");
///             Ok::<_, StoreError>(number)
///         },
///         |answer| count.set(count.get() + u32::from(answer.is_ok())),
///     )
/// });
/// store.commit_group(jobs.collect());
/// stored += count.get();
/// assert_eq!(stored, 3);
/// store.close()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct Solo {
    committer: Committer,
}

impl Solo {
    /// Makes a store in `dir`, which must be empty or not exist, and opens it.
    pub fn create(
        dir: impl AsRef<Path>,
        unlock: &Unlock,
        options: Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        opening::create(dir.as_ref(), unlock, &options)?;
        Self::open(dir, unlock, options)
    }

    /// Opens the store in `dir`: cuts a torn tail, replays what the index lacks, and checks every table.
    pub fn open(
        dir: impl AsRef<Path>,
        unlock: &Unlock,
        options: Options,
    ) -> Result<(Self, OpenReport), OpenError> {
        let (committer, report) = opening::open(dir.as_ref(), unlock, options)?;
        Ok((Self { committer }, report))
    }

    /// True where a store has been made in `dir`.
    pub fn exists(dir: impl AsRef<Path>, options: &Options) -> bool {
        crate::state::is_store(options.disk.as_ref(), dir.as_ref())
    }

    /// Runs `job` in a transaction of its own and makes its writes durable.
    ///
    /// What the errors mean is said at [`crate::Store::commit`].
    pub fn commit<T, E: From<StoreError>>(
        &mut self,
        job: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<Durable<T>, E> {
        let mut answer = None;
        self.commit_group(vec![Job::new(job, |found| answer = Some(found))]);
        answer.unwrap_or_else(|| Err(E::from(crate::store::shared::closed())))
    }

    /// Runs jobs that have gathered: one journal frame and one fsync for as many as one frame takes, then the
    /// answers in order. A later job reads what an earlier one of its group wrote.
    pub fn commit_group(&mut self, jobs: Vec<Job<'_>>) {
        let mut waiting = jobs.into_iter();
        while let Some(first) = waiting.next() {
            self.committer
                .group(first.task, &mut || waiting.next().map(|job| job.task));
            self.committer.housekeep(waiting.len() == 0);
        }
    }

    /// Makes the index durable, so that the next open has less to replay.
    pub fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.committer.checkpoint()
    }

    /// Lets journal segments go whose frames are all at or before `upto`; see [`crate::Store::release`].
    pub fn release(&mut self, upto: u64) -> Result<(), StoreError> {
        self.committer.release(upto)
    }

    /// Writes the index anew into another folder and switches to it.
    pub fn compact(&mut self) -> Result<(), StoreError> {
        self.committer.compact()
    }

    /// Takes the store as it is for the one that its anchor means, after the core has dealt with a mismatch.
    pub fn adopt_anchor(&mut self) -> Result<(), StoreError> {
        self.committer.adopt_anchor()
    }

    /// Closes the store: makes the index durable and ends the journal.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.committer.close()
    }

    /// Runs `f` over the durable state.
    pub fn read<T>(&self, f: impl FnOnce(&dyn Read) -> T) -> T {
        self.committer.shared.read(f)
    }

    /// Sequence of the last durable journal frame.
    pub fn sequence(&self) -> u64 {
        self.committer.shared.live.read().sequence
    }

    /// Authenticates every value of the index and every frame of the journal.
    pub fn verify(&self) -> Result<VerifyReport, OpenError> {
        report::verify(&self.committer.shared)
    }

    /// How much disk the store takes, and how much of it is live.
    pub fn size(&self) -> Size {
        report::size(&self.committer.shared)
    }

    /// The leases, for use inside a job of [`Solo::commit`]: a number is leased before the entry that bears it is
    /// durable.
    pub fn leases(&self) -> Leases {
        Leases {
            shared: Arc::clone(&self.committer.shared),
        }
    }

    /// Raises, durably and outside the store, how far the counters of a replica may be used.
    pub fn lease(&self, replica: [u8; 16], counter: u64) -> Result<(), StoreError> {
        self.committer.shared.lease(replica, counter)
    }

    /// How far the counters of a replica have been leased, as far as the anchor knows.
    pub fn leased(&self, replica: [u8; 16]) -> Option<u64> {
        self.committer.shared.leased(replica)
    }

    /// Wraps the store key for another PIN or key; see [`crate::Store::change_pin`].
    pub fn change_pin(&self, old: &Unlock, new: &Unlock) -> Result<(), OpenError> {
        self.committer.shared.change_pin(old, new)
    }

    /// Writes a sealed, self-checking copy of all tables to `out`; see [`crate::Store::backup`].
    pub fn backup(
        &self,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(BackupProgress),
    ) -> Result<BackupReport, BackupError> {
        copying::backup(&self.committer.shared, out, progress)
    }

    pub(super) fn into_committer(self) -> Committer {
        self.committer
    }
}

impl fmt::Debug for Solo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Solo")
            .field("dir", &self.committer.shared.dir)
            .finish_non_exhaustive()
    }
}

/// How far the counters of each replica may be used, as the anchor of an open store says. Clones are the same.
#[derive(Clone)]
pub struct Leases {
    shared: Arc<Shared>,
}

impl Leases {
    /// As [`Solo::lease`].
    pub fn lease(&self, replica: [u8; 16], counter: u64) -> Result<(), StoreError> {
        self.shared.lease(replica, counter)
    }

    /// As [`Solo::leased`].
    pub fn leased(&self, replica: [u8; 16]) -> Option<u64> {
        self.shared.leased(replica)
    }
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").finish_non_exhaustive()
    }
}

/// A job and what takes its answer, for [`Solo::commit_group`].
pub struct Job<'a> {
    task: Task<'a>,
}

impl<'a> Job<'a> {
    /// A job whose answer goes to `done` once its writes are durable, or are known not to be.
    pub fn new<T: 'a, E: From<StoreError> + 'a>(
        job: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + 'a,
        done: impl FnOnce(Result<Durable<T>, E>) + 'a,
    ) -> Self {
        Self {
            task: Box::new(move |turn: Turn<'_, '_>| Ran::of(turn, job, done)),
        }
    }
}

impl fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}
