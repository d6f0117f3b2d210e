//! The one place that writes: gathers jobs into groups, makes each group durable, and only then answers.
//!
//! A [`crate::Store`] runs it on a thread of its own, a [`crate::Solo`] in its caller's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use beatbook_core::planted::{Bug, is_planted};
use beatbook_core::store::{Durable, StoreError, Transaction, WriteSet};

use crate::disk::DiskLock;
use crate::index::{Proof, check_limits, index_path};
use crate::journal::frame::{Commit, Entry, Opening};
use crate::journal::{AppendError, Journal};
use crate::random::draw;
use crate::store::shared::{Shared, View, closed, latched};
use crate::totals::Totals;

/// Most jobs that share one frame.
const GROUP_JOBS_MAX: usize = 512;
/// Bytes after which no further job joins a group.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Most bytes that one job may write.
const TRANSACTION_BYTES_MAX: usize = 32 << 20;
/// Index folders below this size are not worth compacting.
const COMPACT_BYTES_MIN: u64 = 32 << 20;
/// The index is compacted when it takes this many times its live bytes.
const COMPACT_TIMES: u64 = 4;

/// What callers ask of the committer.
pub(crate) enum Message {
    AdoptAnchor(Sender<Result<(), StoreError>>),
    Checkpoint(Sender<Result<(), StoreError>>),
    Close(Sender<Result<(), StoreError>>),
    Commit(Box<dyn FnOnce(Turn<'_, '_>) -> Ran<'static> + Send>),
    Compact(Sender<Result<(), StoreError>>),
    Heal(Sender<Result<(), StoreError>>),
    Release(u64, Sender<Result<(), StoreError>>),
}

/// The transaction that a job runs in, or why it does not run.
pub(crate) type Turn<'a, 'b> = Result<&'a mut Transaction<'b>, StoreError>;

/// Runs a job, or turns it away.
pub(crate) type Task<'a> = Box<dyn FnOnce(Turn<'_, '_>) -> Ran<'a> + 'a>;

/// Hands a job's answer to its caller.
pub(crate) type Finish<'a> = Box<dyn FnOnce(Result<(), StoreError>) + 'a>;

/// A job that has run.
pub(crate) struct Ran<'a> {
    /// False where its writes are to be discarded.
    pub(crate) keep: bool,
    pub(crate) finish: Finish<'a>,
}

impl<'a> Ran<'a> {
    /// Runs a job; its answer goes to `done` once it is known whether its writes are durable.
    pub(crate) fn of<T: 'a, E: From<StoreError> + 'a>(
        turn: Turn<'_, '_>,
        job: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
        done: impl FnOnce(Result<Durable<T>, E>) + 'a,
    ) -> Self {
        match turn
            .map_err(E::from)
            .and_then(|transaction| shielded(job, transaction))
        {
            Ok(value) => Self {
                keep: true,
                finish: Box::new(move |stored| {
                    done(stored.map(|()| Durable::assert_stored(value)).map_err(E::from));
                }),
            },
            Err(error) => Self {
                keep: false,
                finish: Box::new(move |_| done(Err(error))),
            },
        }
    }
}

/// Owns the journal and the lock.
pub(crate) struct Committer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) journal: Journal,
    pub(crate) opening: Opening,
    /// Sequence of the last checkpoint frame.
    pub(crate) checkpointed: u64,
    /// Journal bytes since then.
    pub(crate) since_checkpoint: u64,
    pub(crate) released: u64,
    /// Held for as long as anything may be written.
    pub(crate) lock: Box<dyn DiskLock>,
}

impl Committer {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Serves messages until the store is closed.
    pub(crate) fn run(mut self, receiver: &Receiver<Message>) {
        let mut pending = None;
        while let Some(message) = pending.take().or_else(|| receiver.recv().ok()) {
            let (reply, answer) = match message {
                Message::Commit(task) => {
                    self.group(task, &mut || match receiver.try_recv() {
                        Ok(Message::Commit(task)) => Some(task),
                        Ok(other) => {
                            pending = Some(other);
                            None
                        }
                        Err(_) => None,
                    });
                    self.housekeep(pending.is_none());
                    continue;
                }
                Message::AdoptAnchor(reply) => (reply, self.adopt_anchor()),
                Message::Checkpoint(reply) => (reply, self.checkpoint()),
                Message::Compact(reply) => (reply, self.compact()),
                Message::Heal(reply) => (reply, self.heal()),
                Message::Release(upto, reply) => (reply, self.release(upto)),
                Message::Close(reply) => {
                    let answer = self.close();
                    drop(self.lock);
                    // Nobody waits where the last clone was dropped.
                    let _ = reply.send(answer);
                    return;
                }
            };
            // A caller that is gone does not need its answer.
            let _ = reply.send(answer);
        }
    }

    /// Runs `first` and the jobs that `gathered` gives behind it, and makes them durable together.
    pub(crate) fn group<'a>(&mut self, first: Task<'a>, gathered: &mut dyn FnMut() -> Option<Task<'a>>) {
        let mut finishes = Vec::new();
        let mut writes = WriteSet::default();
        let mut bytes = 0;
        let mut next = Some(first);
        // Without room again the jobs are told so.
        let _ = self.heal();
        {
            let shared = Arc::clone(&self.shared);
            // The committer alone takes the lock to write, so reading here cannot wait for itself.
            let live = shared.live.read();
            let view = View::new(&shared, live.index.as_ref());
            let mut group = Transaction::new(&view);
            while let Some(task) = next.take() {
                let (ran, wrote) = run_one(&shared, task, &mut group);
                bytes += wrote;
                finishes.push(ran);
                if finishes.len() < GROUP_JOBS_MAX && bytes < GROUP_BYTES_MAX {
                    next = gathered();
                }
            }
            writes.absorb(group.into_writes());
        }
        let stored = if writes.is_empty() {
            Ok(())
        } else {
            self.store(writes, bytes as u64)
        };
        let told = match is_planted(Bug::GroupAcknowledgesFailure) {
            true => Ok(()),
            false => stored,
        };
        for finish in finishes {
            // A callback that panics must not take the store with it.
            let _ = catch_unwind(AssertUnwindSafe(|| finish(told.clone())));
        }
    }

    /// Makes one group durable, then visible.
    fn store(&mut self, writes: WriteSet, bytes: u64) -> Result<(), StoreError> {
        self.shared.check()?;
        let shared = Arc::clone(&self.shared);
        let free = shared
            .disk
            .free_bytes(&shared.dir)
            .map_err(|error| crate::error::io_error(&error))?;
        // The journal takes the bytes once, the index some times over.
        if free
            < shared
                .options
                .free_bytes_min
                .saturating_add(bytes.saturating_mul(4))
        {
            return Err(StoreError::DiskFull);
        }
        if is_planted(Bug::PlaintextAtRest) {
            let mut log = shared
                .disk
                .open(&shared.dir.join("trace.log"))
                .map_err(|error| crate::error::io_error(&error))?;
            let values = writes.iter().filter_map(|(_, _, value)| value);
            let _ = log.append(&values.collect::<Vec<_>>().concat());
        }
        let salt = draw(shared.key.random.as_ref()).map_err(|_| crate::error::no_random())?;
        let (plan, totals) = {
            let live = shared.live.read();
            let index = live.index.as_ref().ok_or(StoreError::DiskFull)?;
            let mut totals = live.totals;
            (index.plan(&salt, &writes, &mut totals)?, totals)
        };
        let mut encoded = crate::codec::Writer::default();
        totals.encode(|table| plan.touched.contains(&table), &mut encoded);
        let commit = Commit {
            salt,
            totals: encoded.finish(),
            writes,
        };
        let sequence = self.append(Entry::Commit(commit))?;
        self.since_checkpoint = self.since_checkpoint.saturating_add(bytes);
        let mut live = shared.live.write();
        let applied = match live.index.as_ref() {
            Some(index) => index.apply(plan, sequence),
            None => Err(StoreError::DiskFull),
        };
        live.totals = totals;
        live.sequence = sequence;
        drop(live);
        match applied {
            Ok(()) => Ok(()),
            // The group is in the journal and so it is stored; the index follows as soon as there is room.
            Err(StoreError::DiskFull) => {
                self.give_up_index();
                self.heal().or_else(|error| match error {
                    StoreError::DiskFull => Ok(()),
                    other => Err(other),
                })
            }
            // The group is in the journal: the next open shows it.
            Err(error) => Err(shared.latch(latched(format!(
                "the index did not take a durable write: {error}"
            )))),
        }
    }

    fn append(&mut self, entry: Entry) -> Result<u64, StoreError> {
        self.journal.append(&[entry]).map_err(|error| match error {
            AppendError::Full => StoreError::DiskFull,
            AppendError::Unknown(reason) => self.shared.latch(latched(reason)),
        })
    }

    /// Makes a checkpoint where one is due, and compacts the index where nothing waits.
    pub(crate) fn housekeep(&mut self, idle: bool) {
        if self.since_checkpoint < self.shared.options.checkpoint_bytes || self.shared.check().is_err() {
            return;
        }
        if let Err(error) = self.checkpoint() {
            tracing::warn!(%error, "checkpoint failed; the journal goes on");
            // Not again for every single write.
            self.since_checkpoint = 0;
            return;
        }
        if idle
            && self.is_bloated()
            && let Err(error) = self.compact()
        {
            tracing::warn!(%error, "compaction failed; the index stays as it is");
        }
    }

    /// Makes the index durable and says so in the journal.
    pub(crate) fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.shared.check()?;
        self.heal()?;
        let totals = match self.flush_index() {
            Ok(totals) => totals,
            Err(error) => {
                if error == StoreError::DiskFull {
                    self.give_up_index();
                    // Where there is room after all, readers need not wait for the next commit.
                    let _ = self.heal();
                }
                return Err(error);
            }
        };
        let shared = Arc::clone(&self.shared);
        let sequence = self.append(Entry::Checkpoint(self.opening, Box::new(totals)))?;
        shared.live.write().sequence = sequence;
        self.checkpointed = sequence;
        self.since_checkpoint = 0;
        self.trim()
    }

    /// Flushes the index and returns its totals. No checkpoint may rest on an index whose flush failed: the next one
    /// would say yes, and what was lost stays lost.
    fn flush_index(&mut self) -> Result<Totals, StoreError> {
        let shared = Arc::clone(&self.shared);
        let live = shared.live.read();
        let index = live.index.as_ref().ok_or(StoreError::DiskFull)?;
        let proved = index.applied().and_then(|applied| {
            index.prove(&Proof {
                sequence: live.sequence,
                applied,
                opening: self.opening,
                totals: live.totals,
            })
        });
        let flushed = proved.and_then(|()| match is_planted(Bug::CheckpointBeforeFlush) {
            true => Ok(()),
            false => index.flush(),
        });
        match flushed {
            Ok(()) => Ok(live.totals),
            Err(StoreError::DiskFull) => Err(StoreError::DiskFull),
            Err(error) => Err(shared.latch(latched(format!("the index could not be made durable: {error}")))),
        }
    }

    pub(crate) fn release(&mut self, upto: u64) -> Result<(), StoreError> {
        self.shared.check()?;
        self.released = self.released.max(upto);
        self.trim()
    }

    /// Removes segments that are released, lie before the checkpoint, and are read by no backup.
    fn trim(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let held = shared.holds.lock().iter().copied().min().unwrap_or(u64::MAX);
        let upto = self.released.min(self.checkpointed.saturating_sub(1)).min(held);
        let (number, after) = self.journal.first_needed(upto);
        let mut state = shared.state.lock();
        if number <= state.base_segment {
            return Ok(());
        }
        // First the word that the journal begins later, then the segments.
        let later = crate::state::State {
            base_segment: number,
            base_sequence: after,
            ..state.clone()
        };
        later
            .write(shared.disk.as_ref(), &shared.dir, &shared.key)
            .map_err(|error| error.in_store())?;
        *state = later;
        self.journal
            .drop_before(number)
            .map_err(|error| crate::error::io_error(&error))
    }

    fn is_bloated(&self) -> bool {
        let live = self.shared.live.read().totals.live_bytes();
        let path = index_path(&self.shared.dir, self.shared.state.lock().index);
        let disk = self.shared.disk.disk_bytes(&path);
        disk > COMPACT_BYTES_MIN && disk > live.saturating_mul(COMPACT_TIMES)
    }

    pub(crate) fn compact(&mut self) -> Result<(), StoreError> {
        self.checkpoint()?;
        let shared = Arc::clone(&self.shared);
        let needed = shared
            .live
            .read()
            .totals
            .live_bytes()
            .saturating_mul(COMPACT_TIMES);
        let free = shared
            .disk
            .free_bytes(&shared.dir)
            .map_err(|error| crate::error::io_error(&error))?;
        if free < needed.saturating_add(shared.options.free_bytes_min) {
            return Err(StoreError::DiskFull);
        }
        super::copying::compact(&shared)
    }

    pub(crate) fn adopt_anchor(&mut self) -> Result<(), StoreError> {
        self.shared.check()?;
        let shared = Arc::clone(&self.shared);
        let mut anchor = shared.anchor.lock();
        let Some(anchor) = anchor.as_mut() else {
            return self.settle();
        };
        let id = draw(shared.key.random.as_ref()).map_err(|_| crate::error::no_random())?;
        anchor
            .announce(self.opening.id, id)
            .map_err(|error| error.in_store())?;
        let opening = Opening { id, anchored: true };
        let sequence = self.append(Entry::Open(opening))?;
        shared.live.write().sequence = sequence;
        self.opening = opening;
        anchor.confirm(id).map_err(|error| error.in_store())?;
        anchor.state = crate::anchor::AnchorState::Matches;
        self.settle()
    }

    /// Writes down that what a repair lost has been dealt with.
    fn settle(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        if !state.lost {
            return Ok(());
        }
        let later = crate::state::State {
            lost: false,
            ..state.clone()
        };
        later
            .write(shared.disk.as_ref(), &shared.dir, &shared.key)
            .map_err(|error| error.in_store())?;
        *state = later;
        Ok(())
    }

    pub(crate) fn close(&mut self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let ended = shared.check().and_then(|()| self.end());
        shared.latch(closed());
        // Waits for the readers; sled closes its files with its last handle.
        shared.live.write().index = None;
        ended
    }

    fn end(&mut self) -> Result<(), StoreError> {
        self.checkpoint()?;
        let sequence = self.append(Entry::End)?;
        let shared = Arc::clone(&self.shared);
        let applied = {
            let live = shared.live.read();
            live.index.as_ref().ok_or_else(closed)?.applied()?
        };
        let mut state = shared.state.lock();
        state.closed = Some((sequence, self.journal.chain()));
        state.applied = applied;
        state
            .write(shared.disk.as_ref(), &shared.dir, &shared.key)
            .map_err(|error| error.in_store())
    }
}

/// Runs one job over the group so far, and takes its writes into the group if it did well.
fn run_one<'a>(shared: &Shared, task: Task<'a>, group: &mut Transaction<'_>) -> (Finish<'a>, usize) {
    if let Err(error) = shared.check() {
        return (task(Err(error)).finish, 0);
    }
    let mut transaction = Transaction::new(&*group);
    let ran = task(Ok(&mut transaction));
    let writes = transaction.into_writes();
    if !ran.keep {
        return (ran.finish, 0);
    }
    let refused = match check_limits(&writes) {
        Ok(bytes) if bytes <= TRANSACTION_BYTES_MAX => {
            group.absorb(writes);
            return (ran.finish, bytes);
        }
        Ok(bytes) => StoreError::Io {
            reason: format!("a transaction of {bytes} bytes is over the limit of {TRANSACTION_BYTES_MAX}"),
        },
        Err(error) => error,
    };
    let finish = ran.finish;
    (Box::new(move |_| finish(Err(refused))), 0)
}

/// Runs a job; a panic in it is an error of that job alone.
fn shielded<T, E: From<StoreError>>(
    job: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    transaction: &mut Transaction<'_>,
) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(|| job(transaction))).unwrap_or_else(|_| {
        Err(E::from(StoreError::Io {
            reason: "a job panicked; nothing of it was written".into(),
        }))
    })
}
