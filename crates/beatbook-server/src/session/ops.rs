//! The store operations of a session: commits that are answered in order, and reads that need no commit.
//!
//! What they may do is for [`policy`] to say, inside every one of them.

use std::sync::atomic::Ordering;

use beatbook_core::ledger::LedgerError;
use beatbook_core::server::{FeedRequest, ServerOp, ServerReply};
use beatbook_core::store::{Durable, StoreError, Transaction};
use beatbook_proto::{EnrolmentId, EpochId, PublicKey};
use tokio::time::Instant;

use super::{Driver, Returned};
use crate::metrics::{Metrics, count};
use crate::policy::{self, Desk};
use crate::store::{ServerStore, fresh_epoch, now_ms};

impl Driver {
    /// Hands an operation to the store's committer, which gathers those of all sessions.
    pub(super) fn commit(&mut self, op: ServerOp) {
        self.under_way += 1;
        let store = self.shared.store.clone();
        let (peer, key) = (self.peer, self.key.clone());
        let entries = match &op {
            ServerOp::AcceptRun { run, .. } => run.entries().len(),
            _ => 0,
        };
        let (held, bytes) = (self.held_bytes.clone(), bytes_of(&op));
        held.fetch_add(bytes, Ordering::Relaxed);
        let (began, metrics, returns) = (Instant::now(), store.metrics().clone(), self.returns.clone());
        let keys = store.clone();
        store.store().commit_then(
            move |tx| execute(tx, &keys, (peer, &key), op),
            move |reply| {
                held.fetch_sub(bytes, Ordering::Relaxed);
                note(&metrics, &reply, entries, began);
                // A session that has ended needs no reply; what was stored stays.
                let _ = returns.send(Returned::Reply(reply));
            },
        );
    }

    /// Reads a stretch of a feed beside the committer.
    pub(super) fn read_feed(&mut self, request: FeedRequest) {
        self.under_way += 1;
        let store = self.shared.store.clone();
        let (peer, key, returns) = (self.peer, self.key.clone(), self.returns.clone());
        tokio::task::spawn_blocking(move || {
            store.metrics().feed_reads.inc();
            let tag_key = &store.keys().cursors;
            let read =
                store.read(|read| policy::read_stretch(read, tag_key, now_ms(), (peer, &key), &request));
            // What a store shows to readers is durable.
            let reply = read.map(Durable::assert_stored).map_err(LedgerError::from);
            let _ = returns.send(Returned::Reply(reply));
        });
    }

    /// Asks what the register grants by now.
    pub(super) fn ask_register(&mut self) {
        if self.asking_register {
            return;
        }
        self.asking_register = true;
        let store = self.shared.store.clone();
        let (peer, key, returns) = (self.peer, self.key.clone(), self.returns.clone());
        tokio::task::spawn_blocking(move || {
            let granted = store.read(|read| policy::scopes(read, peer, &key, now_ms()));
            let returned = match granted {
                Ok(granted) => Returned::Register(granted),
                Err(error) => Returned::Reply(Err(error.into())),
            };
            let _ = returns.send(returned);
        });
    }
}

fn execute(
    tx: &mut Transaction<'_>,
    store: &ServerStore,
    peer: (EnrolmentId, &PublicKey),
    op: ServerOp,
) -> Result<ServerReply, LedgerError> {
    let desk = Desk {
        signer: &store.keys().receipts,
        tag_key: &store.keys().cursors,
        now_ms: now_ms(),
        fresh_epoch: epoch()?,
    };
    policy::execute(tx, &desk, peer, op)
}

fn epoch() -> Result<EpochId, StoreError> {
    fresh_epoch().map_err(|error| StoreError::Io {
        reason: error.to_string(),
    })
}

/// Bytes of entries that an operation holds until it is done.
fn bytes_of(op: &ServerOp) -> usize {
    match op {
        ServerOp::AcceptPart(run) | ServerOp::AcceptRun { run, .. } => {
            run.entries().iter().map(|entry| entry.entry.byte_len()).sum()
        }
        _ => 0,
    }
}

fn note(
    metrics: &Metrics,
    reply: &Result<Durable<ServerReply>, LedgerError>,
    entries: usize,
    began: Instant,
) {
    metrics.commits.inc();
    if let Ok(reply) = reply
        && let ServerReply::RunAccepted { receipt, .. } = &**reply
    {
        metrics.runs.inc();
        metrics.entries.inc_by(count(entries));
        let quarantined = receipt
            .verdicts
            .iter()
            .filter(|verdict| verdict.standing.is_quarantined());
        metrics.quarantined.inc_by(count(quarantined.count()));
        metrics.receipt_seconds.observe(began.elapsed().as_secs_f64());
    }
}
