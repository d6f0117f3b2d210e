//! The server's side of the ledger: the coarse store operations of a session, executed inside a transaction.
//!
//! A session machine asks for a [`ServerOp`]; the committer runs [`execute`] and hands the reply back when it is
//! durable. Receipts are made here and nowhere else.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;
use core::cell::RefCell;

use beatbook_proto::frame::{BookClaim, BookPosition, Feed, Hello, VERSION, Verdicts, Welcome};
use beatbook_proto::{
    Code, Cursor, Dot, EnrolmentId, EpochId, Hash, List, OfficerId, PublicKey, Receipt, ReceiptClaim,
    ReplicaId, ReplicaKind, Scope, Signer, Standing, Verdict, VerifiedRun,
};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::ledger::{
    self, Accepted, Book, Check, FeedEnd, FeedReader, Intake, LedgerError, accept_entries,
    accept_run_entries, book, entry, feed_hash_at, publish, save_book, save_meta,
};
use crate::register::{self, Enrolment, Officer};
use crate::store::{Read, StoreError, Table, Transaction};

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
    /// A fresh epoch id, in case the server finds that it went back in time.
    pub fresh_epoch: EpochId,
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
        ServerOp::AcceptPart(run) => accept_part(tx, env, &run),
        ServerOp::AcceptRun { peer, run } => accept_run(tx, env, peer, &run),
        ServerOp::Greet { peer, key, hello } => greet(tx, env, peer, &key, &hello),
        ServerOp::Offered(stretches) => Ok(ServerReply::Wanted(wanted(tx, &stretches)?)),
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
    };
    let batch = ledger::read_feed(read, &reader)?;
    if batch.items.is_empty() {
        return Ok(None);
    }
    let epoch = epochs(read)?.map_or_else(EpochId::default, |epochs| epochs.current);
    let cursor = tagged(tag_key, request.officer, request.scope.clone(), epoch, batch.to);
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
    }))
}

/// The epochs of this server's log; `None` before the first.
pub fn epochs(read: &dyn Read) -> Result<Option<Epochs>, StoreError> {
    ledger::meta(read, EPOCHS)
}

/// Starts a new life of the log: at first start, and after a restore.
pub fn mint_epoch(tx: &mut Transaction<'_>, fresh: EpochId) -> Result<(), LedgerError> {
    let mut ends = Vec::new();
    for (feed, bytes) in tx.scan(Table::Cursors, &[], &keys::after(&[]), usize::MAX)? {
        let end: FeedEnd = ledger::decode(Table::Cursors, &bytes)?;
        ends.push((feed, end.position));
    }
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

fn greet(
    tx: &mut Transaction<'_>,
    env: &ServerEnv<'_>,
    peer: EnrolmentId,
    key: &PublicKey,
    hello: &Hello,
) -> Result<ServerReply, LedgerError> {
    let Some((mut enrolment, officer)) = admitted(tx, peer, key)? else {
        return Ok(ServerReply::NotAdmitted);
    };
    enrolment.last_contact_ms = Some(env.now_ms);
    register::put(tx, &enrolment)?;
    let scopes = register::scopes_granted(tx, &officer, env.now_ms)?;
    let wants_offers = notice_rollback(tx, env, officer.id, hello)?;
    let (cursors, own_sequence) = place_cursors(tx, env, officer.id, &scopes, hello)?;
    let mut positions = Vec::new();
    let mut claims = BTreeMap::new();
    let mut verdicts = Vec::new();
    for claim in hello.books.iter() {
        let position = place_book(tx, &officer, peer, claim)?;
        if !position.forked {
            claims.insert(claim.replica, claim.counter);
        }
        if let Some(known) = book(tx, claim.replica)?.filter(|known| known.had_verdicts) {
            let list = List(known.verdicts);
            verdicts.push(Verdicts {
                replica: claim.replica,
                verdicts: list,
                secured: known.secured,
            });
        }
        positions.push(position);
    }
    let epoch = epochs(tx)?.map_or(env.fresh_epoch, |epochs| epochs.current);
    let welcome = Welcome {
        protocol: VERSION,
        epoch,
        policy: 0,
        books: List(positions),
        scopes: List(scopes),
        cursors: List(cursors),
        now_ms: env.now_ms,
        wants_offers,
    };
    let greeted = Greeted {
        welcome,
        officer: officer.id,
        claims,
        own_sequence,
        verdicts,
    };
    Ok(ServerReply::Greeted(Box::new(greeted)))
}

fn admitted(
    read: &dyn Read,
    peer: EnrolmentId,
    key: &PublicKey,
) -> Result<Option<(Enrolment, Officer)>, StoreError> {
    let enrolment: Option<Enrolment> = register::get(read, peer.as_bytes())?;
    let Some(enrolment) =
        enrolment.filter(|row| row.revoked_at_ms.is_none() && row.key.as_ref() == Some(key))
    else {
        return Ok(None);
    };
    let officer: Option<Officer> = register::get(read, enrolment.officer.as_bytes())?;
    Ok(officer.map(|officer| (enrolment, officer)))
}

/// Looks for a cursor of this server's own making that lies beyond its log or disagrees with it: the log went back
/// in time without a word. True if readers of an earlier life are to offer what they hold.
fn notice_rollback(
    tx: &mut Transaction<'_>,
    env: &ServerEnv<'_>,
    officer: OfficerId,
    hello: &Hello,
) -> Result<bool, LedgerError> {
    let Some(epochs) = epochs(tx)? else {
        mint_epoch(tx, env.fresh_epoch)?;
        return Ok(false);
    };
    let mut earlier_life = false;
    let mut rolled_back = false;
    for cursor in hello
        .cursors
        .iter()
        .filter(|cursor| is_ours(env.tag_key, officer, cursor))
    {
        if cursor.epoch == epochs.current {
            let hash = feed_hash_at(tx, &keys::feed(&cursor.scope, officer), cursor.position)?;
            rolled_back |= hash != Some(cursor.hash);
        } else {
            earlier_life = true;
        }
    }
    if rolled_back {
        mint_epoch(tx, env.fresh_epoch)?;
    }
    Ok(earlier_life || rolled_back)
}

/// Where each granted feed is to be continued for this reader, and how far it has read its own.
fn place_cursors(
    read: &dyn Read,
    env: &ServerEnv<'_>,
    officer: OfficerId,
    scopes: &[Scope],
    hello: &Hello,
) -> Result<(Vec<Cursor>, u64), StoreError> {
    let epochs = epochs(read)?;
    let current = epochs.as_ref().map_or(env.fresh_epoch, |epochs| epochs.current);
    let mut cursors = Vec::with_capacity(scopes.len());
    let mut own_sequence = 0;
    for scope in scopes {
        let feed = keys::feed(scope, officer);
        let claimed = hello.cursors.iter().find(|cursor| cursor.scope == *scope);
        let claimed = claimed.filter(|cursor| is_ours(env.tag_key, officer, cursor));
        let mut end = FeedEnd::default();
        if let Some(cursor) = claimed {
            let branch = branch_position(epochs.as_ref(), cursor.epoch, &feed);
            let position = branch.map_or(cursor.position, |branch| cursor.position.min(branch));
            // Before the branch both lives agree; where they do not, the feed is read again from its start.
            let hash = feed_hash_at(read, &feed, position)?;
            let agrees = cursor.position > position || hash == Some(cursor.hash);
            if let Some(hash) = hash.filter(|_| agrees && (branch.is_some() || cursor.epoch == current)) {
                end = FeedEnd { position, hash };
            }
        }
        if *scope == Scope::Own && end.position > 0 {
            own_sequence = ledger::feed_sequence_at(read, &feed, end.position)?;
        }
        cursors.push(tagged(env.tag_key, officer, scope.clone(), current, end));
    }
    Ok((cursors, own_sequence))
}

/// The lowest position at which the life of a cursor, or one after it, was left.
fn branch_position(epochs: Option<&Epochs>, epoch: EpochId, feed: &[u8]) -> Option<u64> {
    let earlier = &epochs?.earlier;
    let left = earlier.iter().position(|(id, _)| *id == epoch)?;
    let ends = earlier.get(left..)?.iter().map(|(_, ends)| {
        ends.iter()
            .find(|(name, _)| name == feed)
            .map_or(0, |(_, position)| *position)
    });
    ends.min()
}

/// How the server holds a book that the device claims, and whether their histories part.
fn place_book(
    tx: &mut Transaction<'_>,
    officer: &Officer,
    peer: EnrolmentId,
    claim: &BookClaim,
) -> Result<BookPosition, LedgerError> {
    let Some(known) = book(tx, claim.replica)? else {
        let claim_none = BookClaim {
            counter: 0,
            seal: beatbook_proto::SealClaim::NO_SEAL,
            ..*claim
        };
        let label = reserve_label(tx, officer, claim.replica, claim.kind)?;
        return Ok(BookPosition {
            claim: claim_none,
            secured: 0,
            label: Some(label),
            forked: false,
        });
    };
    let ours = BookClaim {
        counter: known.held,
        seal: known.seal,
        ..*claim
    };
    let forked = if claim.counter < known.held {
        // It has sent more than it holds: an older copy of its store.
        true
    } else if claim.counter == known.held {
        claim.seal != known.seal
    } else {
        false
    };
    let forked = forked || known.opening.enrolment != peer;
    Ok(BookPosition {
        claim: ours,
        secured: known.secured,
        label: known.label,
        forked,
    })
}

/// Gives a book its label at first contact: `B` and a number per officer, `T` for traces.
fn reserve_label(
    tx: &mut Transaction<'_>,
    officer: &Officer,
    replica: ReplicaId,
    kind: ReplicaKind,
) -> Result<Code, LedgerError> {
    let key = label_key(replica);
    if let Some(label) = ledger::load(tx, Table::Meta, &key)? {
        return Ok(label);
    }
    let letter = if kind == ReplicaKind::Book { 'B' } else { 'T' };
    let mut counter_name = format!("labels {letter} ").into_bytes();
    counter_name.extend_from_slice(officer.id.as_bytes());
    let number = 1 + ledger::load::<u32>(tx, Table::Meta, &counter_name)?.unwrap_or(0);
    ledger::save(tx, Table::Meta, counter_name, &number)?;
    let label = Code::new(format!("{letter}{number:02}"));
    let label = label.map_err(|_| LedgerError::TooLarge(beatbook_proto::codec::CodecError::TooLarge))?;
    ledger::save(tx, Table::Meta, key, &label)?;
    Ok(label)
}

fn accept_run(
    tx: &mut Transaction<'_>,
    env: &ServerEnv<'_>,
    peer: EnrolmentId,
    run: &VerifiedRun,
) -> Result<ServerReply, LedgerError> {
    let claim = run.seal().claim.clone();
    let sequence = next_sequence(tx)?;
    let intake = Intake {
        check: env.check,
        sequence,
        received_at_ms: env.now_ms,
    };
    let mut author = match book(tx, claim.replica)? {
        Some(author) if author.opening.enrolment == peer => author,
        Some(_) => {
            return Err(LedgerError::PeerMisbehaved(
                "a run of a book of another enrolment",
            ));
        }
        None if claim.first == 1 => open_book(tx, peer, run)?,
        None => return Ok(ServerReply::RunGap),
    };
    if claim.first > author.held + 1 {
        return Ok(ServerReply::RunGap);
    }
    let follows = claim.first == author.held + 1 && claim.previous == author.seal;
    let held = claim.last <= author.held
        && ledger::seal_ending_at(tx, claim.replica, claim.last)?
            .is_some_and(|seal| seal.hash() == run.seal().hash());
    let accepted = if follows {
        accept_run_entries(tx, run, &mut author, intake)?
    } else if held {
        let stretch = author
            .verdicts
            .iter()
            .filter(|verdict| (claim.first..=claim.last).contains(&verdict.counter));
        Accepted {
            verdicts: stretch.copied().collect(),
            ..Accepted::default()
        }
    } else {
        // Another history of the book: what is new or different is kept apart, the first comer keeps the dots.
        part_ways(tx, run, &mut author, intake)?
    };
    let grown = publish(tx, &accepted, sequence)?;
    let receipt = ReceiptClaim {
        replica: claim.replica,
        upto: claim.last,
        seal: run.seal().hash(),
        received_at_ms: env.now_ms,
        sequence,
        epoch: epochs(tx)?.map_or(env.fresh_epoch, |epochs| epochs.current),
    };
    let (claim, signature) = receipt.sign(env.signer)?;
    let receipt = Receipt {
        claim,
        signature,
        verdicts: List(accepted.verdicts),
        secured: author.secured,
    };
    Ok(ServerReply::RunAccepted { receipt, grown })
}

/// Opens a book by its first run: the opening must be of this enrolment, officer and key.
fn open_book(tx: &mut Transaction<'_>, peer: EnrolmentId, run: &VerifiedRun) -> Result<Book, LedgerError> {
    let misbehaved = LedgerError::PeerMisbehaved("a book that is not opened by its own enrolment");
    let enrolment: Option<Enrolment> = register::get(tx, peer.as_bytes())?;
    let opening = run.entries().first().and_then(|first| first.entry.opening().ok());
    let (Some(enrolment), Some(opening)) = (enrolment, opening) else {
        return Err(misbehaved);
    };
    let fits = opening.replica == run.seal().claim.replica
        && opening.enrolment == peer
        && opening.officer == enrolment.officer
        && Some(&opening.key) == enrolment.key.as_ref();
    if !fits {
        return Err(misbehaved);
    }
    let officer: Option<Officer> = register::get(tx, enrolment.officer.as_bytes())?;
    let mut opened = Book::new(opening, false);
    let kind = opened.kind();
    opened.label = Some(reserve_label(
        tx,
        &officer.ok_or(misbehaved)?,
        opened.replica(),
        kind,
    )?);
    save_book(tx, &opened)?;
    Ok(opened)
}

/// Keeps apart what belongs to another history of a book.
fn part_ways(
    tx: &mut Transaction<'_>,
    run: &VerifiedRun,
    author: &mut Book,
    intake: Intake<'_>,
) -> Result<Accepted, LedgerError> {
    let mut accepted = Accepted {
        taken: true,
        ..Accepted::default()
    };
    for verified in run.entries() {
        let known = entry(tx, verified.dot)?;
        if known.is_none_or(|known| known.entry != verified.entry) {
            ledger::quarantine_taken(tx, verified, run.seal(), intake)?;
        }
        let standing = Standing::QUARANTINED_DOT_TAKEN;
        accepted.verdicts.push(Verdict {
            counter: verified.dot.counter,
            standing,
        });
    }
    save_book(tx, author)?;
    Ok(accepted)
}

fn accept_part(
    tx: &mut Transaction<'_>,
    env: &ServerEnv<'_>,
    run: &VerifiedRun,
) -> Result<ServerReply, LedgerError> {
    let sequence = next_sequence(tx)?;
    let intake = Intake {
        check: env.check,
        sequence,
        received_at_ms: env.now_ms,
    };
    let claim = &run.seal().claim;
    let mut author = match book(tx, claim.replica)? {
        Some(author) => author,
        None => {
            // Its opening was lost with the rest: only a part that brings it back can open the book.
            let opening = run.entries().first().filter(|first| first.dot.counter == 1);
            let opening = opening.and_then(|first| first.entry.opening().ok());
            let opening = opening.ok_or(LedgerError::PeerMisbehaved("a part of a book that is not known"))?;
            let enrolment: Option<Enrolment> = register::get(tx, opening.enrolment.as_bytes())?;
            if enrolment.and_then(|row| row.key).as_ref() != Some(&opening.key) {
                return Err(LedgerError::PeerMisbehaved(
                    "a book whose key is not in the register",
                ));
            }
            Book::new(opening, false)
        }
    };
    run.seal().verify(&author.opening.key)?;
    let accepted = accept_entries(tx, run, &mut author, intake)?;
    Ok(ServerReply::PartAccepted(publish(tx, &accepted, sequence)?))
}

/// The offered entries that are not held.
fn wanted(read: &dyn Read, stretches: &[(Dot, u32)]) -> Result<Vec<(Dot, u32)>, StoreError> {
    let mut wanted: Vec<(Dot, u32)> = Vec::new();
    for (first, count) in stretches {
        for counter in (first.counter..).take(*count as usize) {
            let dot = Dot {
                replica: first.replica,
                counter,
            };
            if entry(read, dot)?.is_some() {
                continue;
            }
            match wanted.last_mut() {
                Some((start, run))
                    if start.replica == dot.replica && start.counter + u64::from(*run) == counter =>
                {
                    *run += 1;
                }
                _ => wanted.push((dot, 1)),
            }
        }
    }
    Ok(wanted)
}

fn next_sequence(tx: &mut Transaction<'_>) -> Result<u64, LedgerError> {
    let next = sequence(tx)? + 1;
    save_meta(tx, SEQUENCE, &next)?;
    Ok(next)
}

fn tagged(tag_key: &[u8; 32], officer: OfficerId, scope: Scope, epoch: EpochId, end: FeedEnd) -> Cursor {
    let mut cursor = Cursor {
        scope,
        epoch,
        position: end.position,
        hash: end.hash,
        tag: [0; 16],
    };
    cursor.tag = tag_of(tag_key, officer, &cursor);
    cursor
}

fn is_ours(tag_key: &[u8; 32], officer: OfficerId, cursor: &Cursor) -> bool {
    // Both are outputs of a keyed hash, and a wrong guess only makes a feed start over: no timing matters.
    tag_of(tag_key, officer, cursor) == cursor.tag
}

fn tag_of(tag_key: &[u8; 32], officer: OfficerId, cursor: &Cursor) -> [u8; 16] {
    let position = cursor.position.to_be_bytes();
    let parts: [&[u8]; 6] = [
        tag_key,
        officer.as_bytes(),
        &cursor.scope.key(),
        cursor.epoch.as_bytes(),
        &position,
        &cursor.hash.0,
    ];
    let hash = Hash::of(TAG_DOMAIN, &parts);
    let mut tag = [0; 16];
    tag.iter_mut().zip(hash.0).for_each(|(to, from)| *to = from);
    tag
}

fn label_key(replica: ReplicaId) -> Vec<u8> {
    let mut key = b"label ".to_vec();
    key.extend_from_slice(replica.as_bytes());
    key
}

const EPOCHS: &str = "epochs";
const SEQUENCE: &str = "sequence";
const TAG_DOMAIN: &str = "beatbook 2026-11 cursor v1";
