//! Syncing once: what the command `sync` does, with progress and a report.

use std::future::pending;
use std::time::{Duration, Instant};

use beatbook_quic::{DialOptions, ServerAddress};

use super::RUN_BYTES;
use super::error::SyncError;
use super::session::{self, Plan};
use crate::notebook::Notebook;
use crate::status::Coverage;

/// How to sync.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncOptions {
    /// Where the server is, if not where it was at enrolment.
    pub server: Option<ServerAddress>,
    /// How to dial.
    pub dial: DialOptions,
}

impl SyncOptions {
    /// Dials another address than that of the enrolment.
    #[must_use]
    pub fn at(mut self, server: ServerAddress) -> Self {
        self.server = Some(server);
        self
    }

    /// Gives up dialling after this time.
    #[must_use]
    pub fn dial_timeout(mut self, timeout: Duration) -> Self {
        self.dial.timeout = timeout;
        self
    }
}

/// What a session has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) sent_entries: u64,
    pub(crate) sent_runs: u64,
    pub(crate) receipts: u64,
    pub(crate) received_entries: u64,
    pub(crate) changed_records: u64,
    pub(crate) reissued_entries: u64,
    pub(crate) clock_offset_ms: Option<i64>,
}

/// Something that a session did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    CaughtUp,
    Received,
    Safe,
    Sent,
    Welcomed,
}

/// How far a sync has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Entries that were pending when it began.
    pub pending_entries: u64,
    /// Entries sent.
    pub sent_entries: u64,
    /// Runs receipted by the server.
    pub receipts: u64,
    /// Entries received.
    pub received_entries: u64,
}

/// What a sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncReport {
    /// Entries sent.
    pub sent_entries: u64,
    /// Runs they were sent in.
    pub sent_runs: u64,
    /// Receipts that came.
    pub receipts: u64,
    /// Entries received.
    pub received_entries: u64,
    /// Changes of merged records.
    pub changed_records: u64,
    /// Entries of an earlier book that were issued again.
    pub reissued_entries: u64,
    /// Bytes sent, as the network carried them.
    pub bytes_up: u64,
    /// Bytes received, as the network carried them.
    pub bytes_down: u64,
    /// How long it took, handshake included.
    pub elapsed: Duration,
    /// The server's clock minus this device's, in milliseconds.
    pub clock_offset_ms: Option<i64>,
}

/// Syncs once: sends all news, reads all feeds, and returns when the server has receipted everything.
///
/// Dropping the future at any point loses nothing. While a [`super::SyncAgent`] of the same notebook is in a session
/// it is refused: the agent does the same by itself.
pub async fn sync_once(
    book: &Notebook,
    options: &SyncOptions,
    mut progress: impl FnMut(&Progress),
) -> Result<SyncReport, SyncError> {
    let _alone = book.session().try_lock().map_err(|_| SyncError::AlreadySyncing)?;
    let begun = Instant::now();
    let status = book
        .off_thread(|book| book.store().read(beatbook_core::ledger::status))
        .await;
    let pending_entries = status.ok_or(SyncError::Stopped)??.pending;
    let reset = Rest(book);
    book.set_coverage(Coverage::Probing);
    let server = options.server.as_ref().unwrap_or(book.server());
    let connection = book.dialer().dial_with(server, options.dial).await?;
    book.set_coverage(Coverage::Syncing);
    let plan = Plan {
        live: false,
        run_bytes: RUN_BYTES,
    };
    let told = |_, counts: &Counts| {
        progress(&Progress {
            pending_entries,
            sent_entries: counts.sent_entries,
            receipts: counts.receipts,
            received_entries: counts.received_entries,
        });
    };
    let ended = session::run(book, &connection, plan, pending, told).await;
    let elapsed = begun.elapsed();
    let traffic = connection.traffic();
    connection.close_and_wait(0, "done").await;
    drop(reset);
    let counts = ended?;
    Ok(SyncReport {
        sent_entries: counts.sent_entries,
        sent_runs: counts.sent_runs,
        receipts: counts.receipts,
        received_entries: counts.received_entries,
        changed_records: counts.changed_records,
        reissued_entries: counts.reissued_entries,
        bytes_up: traffic.sent_bytes,
        bytes_down: traffic.received_bytes,
        elapsed,
        clock_offset_ms: counts.clock_offset_ms,
    })
}

/// Says that nobody is in touch any more, however a sync ends.
struct Rest<'a>(&'a Notebook);

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.0.set_coverage(Coverage::Offline);
    }
}
