//! What the server counts. Numbers only: no name, no id, no word of a record.

use std::fmt::{self, Write};
use std::sync::Arc;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The counts of one server. Clones count together.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) sessions_open: Gauge,
    pub(crate) sessions: Counter,
    pub(crate) not_admitted: Counter,
    pub(crate) enrolled: Counter,
    pub(crate) enrolments_refused: Counter,
    pub(crate) runs: Counter,
    pub(crate) entries: Counter,
    pub(crate) quarantined: Counter,
    /// From a run's arrival to its receipt being durable.
    pub(crate) receipt_seconds: Histogram,
    pub(crate) commits: Counter,
    /// Journal frames: commits divided by these is the size of a group.
    pub(crate) journal_frames: Gauge,
    pub(crate) feed_reads: Counter,
    pub(crate) feed_bytes: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_bytes: Counter,
    registry: Arc<Registry>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("beatbook");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sessions = counter("sessions", "Sessions begun");
        let not_admitted = counter(
            "sessions_not_admitted",
            "Sessions ended because the register does not admit them",
        );
        let enrolled = counter("enrolments", "Devices enrolled");
        let enrolments_refused = counter("enrolments_refused", "Enrolment requests refused");
        let runs = counter("runs", "Runs receipted");
        let entries = counter("entries", "Entries in runs receipted");
        let quarantined = counter("entries_quarantined", "Entries told to be quarantined");
        let commits = counter("commits", "Store operations of sessions committed");
        let feed_reads = counter("feed_reads", "Stretches of feeds read");
        let feed_bytes = counter("feed_bytes", "Bytes of feed frames");
        let received_bytes = counter("received_bytes", "Bytes of frames received");
        let sent_bytes = counter("sent_bytes", "Bytes of frames sent");
        let sessions_open = Gauge::default();
        registry.register("sessions_open", "Sessions open now", sessions_open.clone());
        let journal_frames = Gauge::default();
        registry.register(
            "journal_frames",
            "Journal frames written, each one group of commits",
            journal_frames.clone(),
        );
        let receipt_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register(
            "receipt_seconds",
            "Time from a run's arrival to its receipt being durable",
            receipt_seconds.clone(),
        );
        Self {
            sessions_open,
            sessions,
            not_admitted,
            enrolled,
            enrolments_refused,
            runs,
            entries,
            quarantined,
            receipt_seconds,
            commits,
            journal_frames,
            feed_reads,
            feed_bytes,
            received_bytes,
            sent_bytes,
            registry: Arc::new(registry),
        }
    }
}

impl Metrics {
    /// The text that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            // Only a writer can fail, and a string does not.
            let _ = text.write_str("# EOF\n");
        }
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

/// A count of bytes or entries.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
