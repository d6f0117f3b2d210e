//! The server's side of the ledger: the coarse store operations of a session, executed inside a transaction.
//!
//! A session machine asks for a [`ServerOp`]; the committer runs [`execute`] and hands the reply back when it is
//! durable. Receipts are made here and nowhere else.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cell::RefCell;

use beatbook_proto::frame::{Feed, Hello, Verdicts, Welcome};
use beatbook_proto::{
    Dot, EnrolmentId, EpochId, Hash, List, OfficerId, Part, PublicKey, Receipt, ReplicaId, Scope, Signer,
    VerifiedRun,
};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::ledger::{self, Check, FeedEnd, FeedReader, LedgerError, Stretches, book, save_book, save_meta};
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

mod accept;
mod greet;

/// What the shell brings to an operation.
pub struct ServerEnv<'a> {
    /// Signs receipts.
    pub signer: &'a dyn Signer,
    /// The rules of the families.
    pub check: &'a dyn Check,
    /// Tags cursors; known to this server alone.
    pub tag_key: &'a [u8; 32],
    /// The server's clock, milliseconds since 1970-01-01T00:00:00Z.
    pub now_ms: i64,
    /// A fresh epoch id, in case the server finds that it went back in time. Fresh for every operation.
    pub fresh_epoch: EpochId,
}

impl ServerEnv<'_> {
    /// Tells a commit from any other, also from one that had its place before the log went back.
    fn nonce(&self) -> [u8; 8] {
        let hash = Hash::of(NONCE_DOMAIN, &[self.tag_key, self.fresh_epoch.as_bytes()]);
        let mut nonce = [0; 8];
        nonce.iter_mut().zip(hash.0).for_each(|(to, from)| *to = from);
        nonce
    }
}

/// A store operation of a server's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerOp {
    /// Take in a part of another's run, re-offered by a reader of it.
    AcceptPart(Box<VerifiedRun>),
    /// Take in a run of the peer's own book.
    AcceptRun {
        /// The enrolment that sends it.
        peer: EnrolmentId,
        /// The run, proved.
        run: Box<VerifiedRun>,
    },
    /// Answer Hello.
    Greet {
        /// The enrolment that the certificate names.
        peer: EnrolmentId,
        /// The key that it proved.
        key: PublicKey,
        /// What it said.
        hello: Hello,
    },
    /// Which of the offered entries are not held.
    Offered(Vec<(Dot, u32)>),
    /// The next stretch of a feed.
    ReadFeed(FeedRequest),
}

/// What a session wants of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRequest {
    /// The officer of the session.
    pub officer: OfficerId,
    /// The scope.
    pub scope: Scope,
    /// The place to go on from.
    pub from: FeedEnd,
    /// Books of the session's device and how far it holds them.
    pub claims: BTreeMap<ReplicaId, u64>,
    /// Entries of the officer's books up to this sequence number have been sent through `own`.
    pub own_sequence: u64,
    /// Books introduced in this session.
    pub introduced: BTreeSet<ReplicaId>,
    /// The scopes granted.
    pub granted: BTreeSet<Scope>,
    /// What was sent in this session in whole runs, and is held still.
    pub sent: Stretches,
}

/// The reply to a [`ServerOp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerReply {
    /// A re-offered part was taken in; these feeds grew.
    PartAccepted(BTreeSet<Vec<u8>>),
    /// A run was taken in, or was held already.
    RunAccepted {
        /// The receipt.
        receipt: Receipt,
        /// Feeds that grew.
        grown: BTreeSet<Vec<u8>>,
    },
    /// The run does not follow on what is held: the peer will be told by Welcome where to begin.
    RunGap,
    /// The answer to Hello.
    Greeted(Box<Greeted>),
    /// The peer is not in the register, or no longer admitted.
    NotAdmitted,
    /// What is wanted of an offer.
    Wanted(Vec<(Dot, u32)>),
    /// A stretch of a feed; `None` where the reader is at the end.
    Feed(Option<Box<FeedStretch>>),
}

/// What Greet found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeted {
    /// The frame to send.
    pub welcome: Welcome,
    /// The officer.
    pub officer: OfficerId,
    /// How far the device holds its own books, where it agrees with the server.
    pub claims: BTreeMap<ReplicaId, u64>,
    /// The sequence number reached in the feed `own`.
    pub own_sequence: u64,
    /// Standings that the device is to know.
    pub verdicts: Vec<Verdicts>,
    /// Entries of its books that lost their dots to others, and were not issued again: one a part.
    pub apart: Vec<Part>,
}

/// A stretch of a feed, framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStretch {
    /// The frame to send.
    pub feed: Feed,
    /// The place after it.
    pub to: FeedEnd,
    /// The server's sequence number of its last step.
    pub sequence: u64,
    /// Runs that it carries whole: their book, first and last entry.
    pub whole: Vec<(ReplicaId, u64, u64)>,
}

/// One unbroken life of the log, and the lives before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epochs {
    /// The current one.
    pub current: EpochId,
    /// Earlier ones, oldest first, with the feed positions at which they were left.
    pub earlier: Vec<(EpochId, FeedPositions)>,
}

/// Feeds by name, with a position in each.
pub type FeedPositions = Vec<(Vec<u8>, u64)>;

/// Executes one operation.
pub fn execute(
    tx: &mut Transaction<'_>,
    env: &ServerEnv<'_>,
    op: ServerOp,
) -> Result<ServerReply, LedgerError> {
    match op {
        ServerOp::AcceptPart(run) => accept::accept_part(tx, env, &run),
        ServerOp::AcceptRun { peer, run } => accept::accept_run(tx, env, peer, &run),
        ServerOp::Greet { peer, key, hello } => greet::greet(tx, env, peer, &key, &hello),
        ServerOp::Offered(stretches) => Ok(ServerReply::Wanted(accept::wanted(tx, &stretches)?)),
        ServerOp::ReadFeed(request) => Ok(ServerReply::Feed(
            read_stretch(tx, env.tag_key, &request)?.map(Box::new),
        )),
    }
}

/// Reads the next stretch of a feed; needs no transaction.
pub fn read_stretch(
    read: &dyn Read,
    tag_key: &[u8; 32],
    request: &FeedRequest,
) -> Result<Option<FeedStretch>, StoreError> {
    let own: RefCell<BTreeMap<ReplicaId, bool>> = RefCell::default();
    let is_own = |replica: ReplicaId| {
        *own.borrow_mut().entry(replica).or_insert_with(|| {
            let author = book(read, replica).ok().flatten();
            author.is_some_and(|author| author.opening.officer == request.officer)
        })
    };
    let holds = |dot: Dot, sequence: u64| {
        request
            .claims
            .get(&dot.replica)
            .is_some_and(|upto| dot.counter <= *upto)
            || (request.scope != Scope::Own && sequence <= request.own_sequence && is_own(dot.replica))
    };
    let reader = FeedReader {
        officer: request.officer,
        scope: &request.scope,
        from: request.from,
        holds: &holds,
        introduced: &request.introduced,
        granted: &request.granted,
        sent: &request.sent,
    };
    let batch = ledger::read_feed(read, &reader)?;
    if batch.items.is_empty() {
        return Ok(None);
    }
    let epoch = epochs(read)?.map_or_else(EpochId::default, |epochs| epochs.current);
    let feed = keys::feed(&request.scope, request.officer);
    let nonce = ledger::feed_nonce_at(read, &feed, batch.to.position)?;
    let cursor = greet::tagged(
        tag_key,
        request.officer,
        request.scope.clone(),
        epoch,
        batch.to,
        nonce,
    );
    let feed = Feed {
        from: request.from.position,
        items: List(batch.items),
        parts: List(batch.parts),
        openings: List(batch.openings),
        labels: List(batch.labels),
        cursor,
    };
    Ok(Some(FeedStretch {
        feed,
        to: batch.to,
        sequence: batch.sequence,
        whole: batch.whole,
    }))
}

/// The epochs of this server's log; `None` before the first.
pub fn epochs(read: &dyn Read) -> Result<Option<Epochs>, StoreError> {
    ledger::meta(read, EPOCHS)
}

/// Starts a new life of the log: at first start, and after a restore.
pub fn mint_epoch(tx: &mut Transaction<'_>, fresh: EpochId) -> Result<(), LedgerError> {
    if is_planted(Bug::EpochNotMinted) && epochs(tx)?.is_some() {
        return Ok(());
    }
    let mut ends = Vec::new();
    for (feed, bytes) in tx.scan(Table::Cursors, &[], &keys::after(&[]), usize::MAX)? {
        let end: FeedEnd = ledger::decode(Table::Cursors, &bytes)?;
        ends.push((feed, end.position));
    }
    leave_epoch(tx, fresh, ends)
}

/// Starts a new life of the log after one that was left at `ends`; a feed that is not named was left at nothing.
pub(crate) fn leave_epoch(
    tx: &mut Transaction<'_>,
    fresh: EpochId,
    ends: FeedPositions,
) -> Result<(), LedgerError> {
    let epochs = match epochs(tx)? {
        None => Epochs {
            current: fresh,
            earlier: Vec::new(),
        },
        Some(mut epochs) => {
            epochs.earlier.push((epochs.current, ends));
            epochs.current = fresh;
            epochs
        }
    };
    save_meta(tx, EPOCHS, &epochs)
}

/// How far each book is held: taken together with a backup, for [`mark_secured`] once that is verified.
pub fn positions(read: &dyn Read) -> Result<Vec<(ReplicaId, u64)>, StoreError> {
    Ok(ledger::books(read)?
        .into_iter()
        .map(|book| (book.replica(), book.held))
        .collect())
}

/// Notes that a verified backup or a second node covers books up to the given entries.
pub fn mark_secured(tx: &mut Transaction<'_>, positions: &[(ReplicaId, u64)]) -> Result<(), LedgerError> {
    for (replica, upto) in positions {
        let Some(mut covered) = book(tx, *replica)? else {
            continue;
        };
        covered.secured = covered.secured.max((*upto).min(covered.held));
        save_book(tx, &covered)?;
    }
    Ok(())
}

/// The server's own number of its latest acceptance.
pub fn sequence(read: &dyn Read) -> Result<u64, StoreError> {
    Ok(ledger::meta(read, SEQUENCE)?.unwrap_or(0))
}

fn next_sequence(tx: &mut Transaction<'_>) -> Result<u64, LedgerError> {
    let next = sequence(tx)? + 1;
    save_meta(tx, SEQUENCE, &next)?;
    Ok(next)
}

const NONCE_DOMAIN: &str = "beatbook 2026-11 commit nonce v1";
const EPOCHS: &str = "epochs";
const SEQUENCE: &str = "sequence";
