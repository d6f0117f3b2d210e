//! The sync agent: syncs by itself whenever the server can be reached, and says how it stands.

mod error;
mod ops;
mod report;
mod session;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use beatbook_core::retry::Backoff;
use beatbook_quic::{DialOptions, ServerAddress};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock;
use crate::event::Event;
use crate::notebook::Notebook;
use crate::status::Coverage;
use report::{Counts, Step};
use session::{Plan, Wish};

pub use error::{Blame, SyncError};
pub use report::{Progress, SyncOptions, SyncReport, sync_once};

/// A background task that syncs a notebook by itself. Dropping it ends the task at once; nothing is lost by that.
///
/// It finds out by itself whether there is a network. What the app knows helps: hints make it quicker, and spare the
/// battery.
pub struct SyncAgent {
    hints: watch::Sender<Hints>,
    task: Option<JoinHandle<()>>,
}

/// What the app knows of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hints {
    available: bool,
    foreground: bool,
    metered: bool,
    /// Counts changes of the network, and wishes to sync at once.
    nudges: u64,
    stop: bool,
}

impl Hints {
    /// Whether to stay connected.
    fn live(self) -> bool {
        self.foreground && !self.metered
    }
}

impl SyncAgent {
    /// Starts syncing a notebook with the server that enrolled it. Called on a tokio runtime.
    pub fn spawn(book: Notebook) -> Self {
        Self::spawn_with(book, SyncOptions::default())
    }

    /// Starts syncing with the server at another address; it must be of the same force.
    pub fn spawn_at(book: Notebook, server: ServerAddress) -> Self {
        Self::spawn_with(book, SyncOptions::default().at(server))
    }

    /// Starts syncing by these options. A live session keeps its connection alive whatever they say.
    pub fn spawn_with(book: Notebook, options: SyncOptions) -> Self {
        let hints = watch::Sender::new(Hints {
            available: true,
            foreground: true,
            metered: false,
            nudges: 0,
            stop: false,
        });
        let task = Task {
            book,
            options,
            hints: hints.subscribe(),
            backoff: Backoff::default(),
        };
        Self {
            hints,
            task: Some(tokio::spawn(task.run())),
        }
    }

    /// Whether the device has a network, as far as the app knows.
    pub fn network_available(&self, available: bool) {
        self.hints.send_if_modified(|hints| {
            let came = available && !hints.available;
            let changed = hints.available != available;
            hints.available = available;
            hints.nudges += u64::from(came);
            changed
        });
    }

    /// The device has another network than before: the server is dialled again at once.
    pub fn network_changed(&self) {
        self.hints.send_modify(|hints| hints.nudges += 1);
    }

    /// Whether the app is in front. In the background the agent does not stay connected.
    pub fn foreground(&self, foreground: bool) {
        self.hints.send_if_modified(|hints| {
            let changed = hints.foreground != foreground;
            hints.foreground = foreground;
            changed
        });
    }

    /// Whether bytes cost money. On a metered network the agent does not stay connected.
    pub fn metered(&self, metered: bool) {
        self.hints.send_if_modified(|hints| {
            let changed = hints.metered != metered;
            hints.metered = metered;
            changed
        });
    }

    /// Tries at once, whatever it waits for.
    pub fn sync_now(&self) {
        self.network_changed();
    }

    /// Ends the session in good order, and then the task.
    pub async fn stop(mut self) {
        self.hints.send_modify(|hints| hints.stop = true);
        if let Some(task) = self.task.take() {
            // A task that was cancelled has ended as well.
            let _ = task.await;
        }
    }
}

impl Drop for SyncAgent {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl fmt::Debug for SyncAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncAgent")
            .field("hints", &*self.hints.borrow())
            .finish_non_exhaustive()
    }
}

/// The task of an agent.
struct Task {
    book: Notebook,
    options: SyncOptions,
    hints: watch::Receiver<Hints>,
    backoff: Backoff,
}

impl Task {
    async fn run(mut self) {
        let _offline = Offline(self.book.clone());
        let mut waited = false;
        loop {
            let hints = *self.hints.borrow_and_update();
            if hints.stop {
                return;
            }
            let mut writes = self.book.writes();
            let pause = match self.attempt(hints, waited).await {
                Ok(()) => {
                    self.backoff.reset();
                    self.book.set_coverage(Coverage::Resting);
                    // A live session ends because something is different now.
                    (!hints.live()).then_some(REST)
                }
                Err(SyncError::Stopped) => None,
                Err(error) => Some(self.back_off(error, hints)),
            };
            let Some(pause) = pause else { continue };
            let failed = self.backoff.failures() > 0;
            waited = tokio::select! {
                biased;
                _ = self.hints.changed() => {
                    self.backoff.reset();
                    false
                }
                // After a failure a write waits like everything else: a burst of them must not drain the battery.
                Ok(()) = writes.changed(), if !failed => false,
                () = tokio::time::sleep(pause) => true,
            };
        }
    }

    /// One session, from dialling to its end. Where the app says that there is no network, it is tried all the same
    /// once it has `waited`: the app may be wrong.
    async fn attempt(&self, hints: Hints, waited: bool) -> Result<(), SyncError> {
        let _alone = self.book.session().lock().await;
        if !hints.available && !waited {
            self.book.set_coverage(Coverage::Offline);
            return Err(SyncError::Unreachable(beatbook_quic::DialError::Unreachable {
                kind: std::io::ErrorKind::NetworkUnreachable,
            }));
        }
        self.book.set_coverage(Coverage::Probing);
        let mut dial = self.options.dial;
        if hints.live() {
            dial.keep_alive = dial.keep_alive.or(DialOptions::live().keep_alive);
        }
        let server = self.options.server.as_ref().unwrap_or(self.book.server());
        let dialled = tokio::select! {
            dialled = self.book.dialer().dial_with(server, dial) => dialled?,
            _ = wish(self.hints.clone(), hints) => return Err(SyncError::Stopped),
        };
        self.book.set_coverage(Coverage::Syncing);
        let plan = Plan {
            live: hints.live(),
            run_bytes: if hints.metered { RUN_BYTES_SMALL } else { RUN_BYTES },
        };
        let tell = |step, _: &Counts| match step {
            Step::CaughtUp if plan.live => self.book.set_coverage(Coverage::Live),
            Step::Sent if plan.live => self.book.set_coverage(Coverage::Syncing),
            _ => {}
        };
        let wishes = || wish(self.hints.clone(), hints);
        let ended = session::run(&self.book, &dialled, plan, wishes, tell).await;
        dialled.close_and_wait(0, "done").await;
        ended.map(|_| ())
    }

    /// Notes a failure; says how long to wait.
    fn back_off(&mut self, error: SyncError, hints: Hints) -> Duration {
        let random = clock::random().map_or(u32::MAX, u32::from_le_bytes);
        self.backoff.hold(error.retry_after_ms());
        let delay_ms = self.backoff.next_delay_ms(random);
        if !hints.available {
            self.book.set_coverage(Coverage::Offline);
            return OFFLINE_PROBE;
        }
        tracing::info!(%error, blame = ?error.blame(), delay_ms, "no session with the server");
        self.book.set_coverage(Coverage::BackingOff {
            failures: self.backoff.failures(),
            until_ms: clock::now()
                .utc_ms
                .saturating_add(i64::try_from(delay_ms).unwrap_or(i64::MAX)),
            why: error.to_string(),
        });
        self.book.tell(Event::Unreachable { why: Arc::new(error) });
        Duration::from_millis(delay_ms)
    }
}

/// Waits until the hints ask for something else than the session that `began` with them.
async fn wish(mut hints: watch::Receiver<Hints>, began: Hints) -> Wish {
    loop {
        let now = *hints.borrow_and_update();
        if now.nudges != began.nudges || (began.available && !now.available) {
            return Wish::Cut;
        }
        if now.stop || now.live() != began.live() {
            return Wish::Stop;
        }
        if hints.changed().await.is_err() {
            return Wish::Stop;
        }
    }
}

/// Says that nobody is in touch any more, however the task ends.
struct Offline(Notebook);

impl Drop for Offline {
    fn drop(&mut self) {
        self.0.set_coverage(Coverage::Offline);
    }
}

/// Bytes of entries in one run before compression: about what packs into the 64 KiB of a run.
pub(crate) const RUN_BYTES: usize = 192 << 10;
/// The same where a cut is likely and bytes are dear.
const RUN_BYTES_SMALL: usize = 16 << 10;
/// How long to rest between sessions where the agent does not stay connected and nothing is written.
const REST: Duration = Duration::from_secs(15 * 60);
/// How often to try where the app says that there is no network.
const OFFLINE_PROBE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
