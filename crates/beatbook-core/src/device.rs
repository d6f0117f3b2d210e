//! The device's side of the ledger: the coarse store operations of a session, executed inside a transaction.
//!
//! A session machine asks for a [`DeviceOp`]; the shell runs [`execute`] in a commit and hands the reply back.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use beatbook_proto::frame::{BookClaim, Feed, Verdicts, Welcome};
use beatbook_proto::{
    Cursor, Dot, Entry, FeedItem, Hash, Header, List, Original, Part, PublicKey, Receipt, RecordId,
    ReplicaId, ReplicaKind, Revision, RevisionKind, Run, RunSecret, Scope, Signer, Stamp, Standing,
    VersionVector, feed as wire,
};

use crate::keys;
use crate::ledger::{
    self, Book, Check, Identity, Intake, LedgerError, StoredEntry, accept_entries, book, entry, head,
    own_books, save, save_book, save_entry, save_head, seal_pending,
};
use crate::store::{Read, StoreError, Table, Transaction};

/// What the shell brings to an operation: keys, rules, and fresh randomness.
pub struct DeviceEnv<'a> {
    /// Who writes on this device.
    pub identity: &'a Identity,
    /// The enrolment's key.
    pub signer: &'a dyn Signer,
    /// The server's receipt key.
    pub server_key: &'a PublicKey,
    /// The rules of the families.
    pub check: &'a dyn Check,
    /// Fresh random bytes, used once: run secrets derive from them.
    pub seed: [u8; 32],
    /// Fresh replica ids, in case new books have to be opened.
    pub fresh: [ReplicaId; 2],
    /// The device's clock.
    pub now: Stamp,
}

/// A store operation of a device's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceOp {
    /// Apply a stretch of a feed.
    Feed(Feed),
    /// The next run of a book after an entry.
    NextRun {
        /// The book.
        replica: ReplicaId,
        /// Send what follows this entry.
        after: u64,
    },
    /// List what is held of others' books.
    Offers,
    /// Take out entries for re-offering.
    Parts(Vec<(Dot, u32)>),
    /// Seal what is pending and say where everything stands.
    Prepare {
        /// How many bytes of entries one run may hold before compression.
        unpacked_bytes_max: usize,
    },
    /// Keep a receipt.
    Receipt(Receipt),
    /// Re-issue what closed books hold and the server never saw.
    Reissue,
    /// Keep changed standings.
    Verdicts(Verdicts),
    /// Take in the server's answer to Hello.
    Welcome(Welcome),
}

/// The reply to a [`DeviceOp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceReply {
    /// A feed was applied.
    Fed(Fed),
    /// The run asked for, if there is one.
    NextRun(Option<Run>),
    /// What is held of others' books.
    Offers(Vec<(Dot, u32)>),
    /// The parts asked for, as far as held.
    Parts(Vec<Part>),
    /// Where everything stands.
    Prepared(Prepared),
    /// A receipt was kept: the book is safe up to an entry.
    Receipted {
        /// The book.
        replica: ReplicaId,
        /// Up to which entry.
        upto: u64,
        /// True if the server has other entries under dots of this book.
        taken: bool,
    },
    /// How many entries were re-issued.
    Reissued(u64),
    /// Standings were kept.
    Verdicts,
    /// The server's answer was taken in.
    Welcomed(Welcomed),
}

/// Where a device stands before a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Own books as they are sealed.
    pub books: Vec<BookClaim>,
    /// Cursors of the feeds read.
    pub cursors: Vec<Cursor>,
    /// Books with runs to send, and the entry after which to begin.
    pub to_send: Vec<(ReplicaId, u64)>,
}

/// What the server's answer changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcomed {
    /// Books to send from an earlier entry on: the server went back in time.
    pub rewound: Vec<(ReplicaId, u64)>,
    /// True if the server knows another history of a book, and new books were opened.
    pub forked: bool,
    /// True if closed books may hold entries that the server never saw.
    pub reissue_due: bool,
}

/// What a feed changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Records whose merged state changed.
    pub changed: Vec<RecordId>,
    /// Records that left this device.
    pub purged: Vec<RecordId>,
    /// The scope.
    pub scope: Option<Scope>,
}

/// Executes one operation.
pub fn execute(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    op: DeviceOp,
) -> Result<DeviceReply, LedgerError> {
    Ok(match op {
        DeviceOp::Feed(feed) => DeviceReply::Fed(apply_feed(tx, env, feed)?),
        DeviceOp::NextRun { replica, after } => DeviceReply::NextRun(ledger::next_run(tx, replica, after)?),
        DeviceOp::Offers => DeviceReply::Offers(offers(tx)?),
        DeviceOp::Parts(stretches) => DeviceReply::Parts(parts(tx, &stretches)?),
        DeviceOp::Prepare { unpacked_bytes_max } => {
            DeviceReply::Prepared(prepare(tx, env, unpacked_bytes_max)?)
        }
        DeviceOp::Receipt(receipt) => keep_receipt(tx, env, &receipt)?,
        DeviceOp::Reissue => DeviceReply::Reissued(reissue(tx)?),
        DeviceOp::Verdicts(verdicts) => keep_verdicts(tx, &verdicts)?,
        DeviceOp::Welcome(welcome) => DeviceReply::Welcomed(take_welcome(tx, env, &welcome)?),
    })
}

/// Closes the open books and opens new ones: the store was restored, copied or rolled back, and must not issue a dot
/// twice. What the server never saw is re-issued when it has been asked.
pub fn reopen_books(tx: &mut Transaction<'_>, env: &DeviceEnv<'_>) -> Result<(), LedgerError> {
    ledger::open_books(tx, env.identity, env.fresh, env.now)
}

fn prepare(tx: &mut Transaction<'_>, env: &DeviceEnv<'_>, bytes_max: usize) -> Result<Prepared, LedgerError> {
    let mut prepared = Prepared::default();
    for own in own_books(tx)? {
        let mut round = 0_u64;
        loop {
            let secret = Hash::of(
                SECRET_DOMAIN,
                &[&env.seed, own.replica().as_bytes(), &round.to_le_bytes()],
            );
            if seal_pending(tx, own.replica(), env.signer, RunSecret(secret.0), bytes_max)?.is_none() {
                break;
            }
            round += 1;
        }
        let own = book(tx, own.replica())?.ok_or(LedgerError::NoBook)?;
        let claim = BookClaim {
            replica: own.replica(),
            counter: own.sealed,
            seal: own.seal,
            kind: own.kind(),
        };
        prepared.books.push(claim);
        if !own.closed && own.receipted < own.sealed {
            prepared.to_send.push((own.replica(), own.receipted));
        }
    }
    prepared.cursors = cursors(tx)?.into_values().collect();
    Ok(prepared)
}

fn take_welcome(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    welcome: &Welcome,
) -> Result<Welcomed, LedgerError> {
    let mut welcomed = Welcomed::default();
    for position in welcome.books.iter() {
        let Some(mut known) = book(tx, position.claim.replica)? else {
            continue;
        };
        known.label.clone_from(&position.label);
        if known.own {
            known.secured = position.secured;
            let held = position.claim.counter;
            if position.forked && !known.closed {
                welcomed.forked = true;
            } else if !known.closed && held < known.receipted {
                welcomed.rewound.push((known.replica(), held));
            }
            if !position.forked {
                known.receipted = known.receipted.min(held);
            }
            welcomed.reissue_due |= known.closed && known.settled < known.held;
        }
        save_book(tx, &known)?;
    }
    if welcomed.forked {
        reopen_books(tx, env)?;
        welcomed.reissue_due = true;
    }
    let granted: BTreeSet<&Scope> = welcome.scopes.iter().collect();
    for (key, cursor) in cursors(tx)? {
        if !granted.contains(&cursor.scope) {
            tx.remove(Table::Cursors, key);
        }
    }
    for cursor in welcome.cursors.iter() {
        save(tx, Table::Cursors, cursor.scope.key(), cursor)?;
    }
    ledger::save_meta(tx, GRANTED_SCOPES, &welcome.scopes)?;
    Ok(welcomed)
}

fn keep_receipt(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    receipt: &Receipt,
) -> Result<DeviceReply, LedgerError> {
    receipt.verify(env.server_key)?;
    let claim = receipt.claim;
    let mut own = own_book(tx, claim.replica)?;
    let seal = ledger::seal_ending_at(tx, claim.replica, claim.upto)?;
    if seal.as_ref().map(beatbook_proto::Seal::hash) != Some(claim.seal) {
        return Err(LedgerError::PeerMisbehaved(
            "a receipt for a run that was not sent",
        ));
    }
    let first = seal.map_or(claim.upto, |seal| seal.claim.first);
    own.verdicts
        .retain(|verdict| !(first..=claim.upto).contains(&verdict.counter));
    for verdict in receipt.verdicts.iter() {
        own.set_verdict(verdict.counter, verdict.standing);
    }
    let taken = receipt
        .verdicts
        .iter()
        .any(|verdict| verdict.standing == Standing::QUARANTINED_DOT_TAKEN);
    if !taken {
        own.receipted = own.receipted.max(claim.upto);
        own.receipted_at_ms = own.receipted_at_ms.max(claim.received_at_ms);
        let key = keys::entry(Dot {
            replica: claim.replica,
            counter: claim.upto,
        });
        save(tx, Table::Receipts, key, receipt)?;
    }
    own.secured = own.secured.max(receipt.secured);
    save_book(tx, &own)?;
    if taken && !own.closed {
        reopen_books(tx, env)?;
    }
    Ok(DeviceReply::Receipted {
        replica: claim.replica,
        upto: claim.upto,
        taken,
    })
}

fn keep_verdicts(tx: &mut Transaction<'_>, verdicts: &Verdicts) -> Result<DeviceReply, LedgerError> {
    let mut own = own_book(tx, verdicts.replica)?;
    own.verdicts.clear();
    for verdict in verdicts.verdicts.iter() {
        own.set_verdict(verdict.counter, verdict.standing);
    }
    own.secured = verdicts.secured;
    save_book(tx, &own)?;
    Ok(DeviceReply::Verdicts)
}

fn apply_feed(tx: &mut Transaction<'_>, env: &DeviceEnv<'_>, feed: Feed) -> Result<Fed, LedgerError> {
    let stored: Option<Cursor> = ledger::load(tx, Table::Cursors, &feed.cursor.scope.key())?;
    let (position, hash) = stored.map_or((0, Hash::default()), |cursor| (cursor.position, cursor.hash));
    if position != feed.from {
        return Err(LedgerError::PeerMisbehaved("a feed that does not follow on"));
    }
    check_feed_hash(&feed, hash)?;
    let mut fed = Fed {
        scope: Some(feed.cursor.scope.clone()),
        ..Fed::default()
    };
    for item in feed.items.iter() {
        if let FeedItem::Left(record) = item {
            leave(tx, env, *record, &mut fed)?;
        }
    }
    for opening in feed.openings {
        introduce(tx, opening)?;
    }
    for (replica, label) in feed.labels {
        if let Some(mut named) = book(tx, replica)?
            && named.label.as_ref() != Some(&label)
        {
            named.label = Some(label);
            save_book(tx, &named)?;
        }
    }
    let intake = Intake {
        check: env.check,
        sequence: 0,
        received_at_ms: 0,
    };
    for part in feed.parts {
        let replica = part.seal.claim.replica;
        let mut author =
            book(tx, replica)?.ok_or(LedgerError::PeerMisbehaved("entries of a book not introduced"))?;
        let run = part.verify(&author.opening.key)?;
        let own_history = author.own && author.closed;
        let accepted = accept_entries(tx, &run, &mut author, intake)?;
        fed.changed
            .extend(accepted.folded.iter().map(|(_, record)| *record));
        if own_history {
            // A closed own book comes back from the server, also beyond what this store still had.
            for verified in run.entries() {
                give_up_taken(tx, verified, &mut author, intake, &mut fed)?;
            }
            let highest = run.entries().iter().map(|verified| verified.dot.counter).max();
            author.held = author.held.max(highest.unwrap_or(0));
            author.receipted = author.receipted.max(highest.unwrap_or(0));
            save_book(tx, &author)?;
        }
    }
    fed.changed.sort();
    fed.changed.dedup();
    save(tx, Table::Cursors, feed.cursor.scope.key(), &feed.cursor)?;
    Ok(fed)
}

/// Where the server has another entry under a dot of an own closed book: ours is re-issued, the dot is given up.
fn give_up_taken(
    tx: &mut Transaction<'_>,
    verified: &beatbook_proto::VerifiedEntry,
    author: &mut Book,
    intake: Intake<'_>,
    fed: &mut Fed,
) -> Result<(), LedgerError> {
    let Some(stored) = entry(tx, verified.dot)? else {
        return Ok(());
    };
    if stored.entry == verified.entry {
        return Ok(());
    }
    let records = reissue_entry(tx, verified.dot, &stored)?;
    fed.changed.extend(records);
    let accepted = ledger::replace_taken(tx, verified, author, intake)?;
    fed.changed
        .extend(accepted.folded.iter().map(|(_, record)| *record));
    Ok(())
}

fn check_feed_hash(feed: &Feed, from: Hash) -> Result<(), LedgerError> {
    let mut hash = from;
    let mut position = feed.from;
    for item in feed.items.iter() {
        match item {
            FeedItem::Left(record) => {
                hash = wire::hash_after_departure(&hash, *record);
                position += 1;
            }
            FeedItem::Held { first, count } => {
                let counters = (first.counter..).take(*count as usize);
                hash = counters.fold(hash, |hash, counter| {
                    wire::hash_after_entry(&hash, Dot { counter, ..*first })
                });
                position += u64::from(*count);
            }
            FeedItem::Entries { part, first, count } => {
                let part = feed.parts.get(usize::from(*part));
                let replica = part
                    .ok_or(LedgerError::PeerMisbehaved("a feed item without its part"))?
                    .seal
                    .claim
                    .replica;
                let counters = (*first..).take(*count as usize);
                hash = counters.fold(hash, |hash, counter| {
                    wire::hash_after_entry(&hash, Dot { replica, counter })
                });
                position += u64::from(*count);
            }
        }
    }
    if hash == feed.cursor.hash && position == feed.cursor.position {
        Ok(())
    } else {
        Err(LedgerError::PeerMisbehaved(
            "a feed that does not lead to its cursor",
        ))
    }
}

/// Takes in the opening of a book: it proves itself by the key that it names.
fn introduce(tx: &mut Transaction<'_>, part: Part) -> Result<(), LedgerError> {
    let misbehaved = LedgerError::PeerMisbehaved("an opening that does not open its book");
    let replica = part.seal.claim.replica;
    if book(tx, replica)?.is_some() {
        return Ok(());
    }
    let opening = part
        .entries
        .first()
        .filter(|(counter, _)| *counter == 1)
        .map(|(_, entry)| entry.opening());
    let Some(Ok(opening)) =
        opening.filter(|opening| opening.as_ref().is_ok_and(|opening| opening.replica == replica))
    else {
        return Err(misbehaved);
    };
    let run = part.verify(&opening.key)?;
    let mut author = Book::new(opening, false);
    let intake = Intake {
        check: &ledger::CheckNothing,
        sequence: 0,
        received_at_ms: 0,
    };
    accept_entries(tx, &run, &mut author, intake)?;
    Ok(())
}

/// A record left a scope: it is purged, or frozen where own work is in it.
fn leave(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    record: RecordId,
    fed: &mut Fed,
) -> Result<(), LedgerError> {
    let Some(mut left) = head(tx, record)? else {
        return Ok(());
    };
    let mut others = Vec::new();
    for (_, dot) in &left.revisions {
        let author = book(tx, dot.replica)?;
        if author.is_none_or(|author| author.opening.officer != env.identity.officer) {
            others.push(*dot);
        }
    }
    if others.len() < left.revisions.len() {
        left.frozen = true;
        save_head(tx, &left)?;
        fed.changed.push(record);
        return Ok(());
    }
    for dot in others {
        tx.remove(Table::Entries, keys::entry(dot));
    }
    tx.remove(Table::Heads, keys::entry(record));
    fed.purged.push(record);
    Ok(())
}

/// Re-issues what closed own books hold beyond the server's knowledge, oldest first.
fn reissue(tx: &mut Transaction<'_>) -> Result<u64, LedgerError> {
    let mut count = 0;
    let mut closed: Vec<Book> = own_books(tx)?.into_iter().filter(|book| book.closed).collect();
    closed.sort_by_key(|book| book.opening.opened_at);
    for mut book in closed {
        for counter in (book.receipted.max(book.settled) + 1)..=book.held {
            let dot = Dot {
                replica: book.replica(),
                counter,
            };
            let Some(stored) = entry(tx, dot)? else { continue };
            if ledger::alias(tx, dot)?.is_none()
                && stored.entry.header().is_ok_and(|h| h.kind != RevisionKind::OPEN)
            {
                reissue_entry(tx, dot, &stored)?;
                count += 1;
            }
        }
        book.settled = book.held;
        save_book(tx, &book)?;
    }
    Ok(count)
}

/// Wraps one entry of a closed book and writes it as the next entry of its successor.
fn reissue_entry(
    tx: &mut Transaction<'_>,
    dot: Dot,
    stored: &StoredEntry,
) -> Result<Vec<RecordId>, LedgerError> {
    let kind = book(tx, dot.replica)?.map_or(ReplicaKind::Book, |book| book.kind());
    let replica = ledger::open_replicas(tx)?.ok_or(LedgerError::NoBook)?.of(kind);
    let mut open = book(tx, replica)?.ok_or(LedgerError::NoBook)?;
    let header = stored.entry.header().map_err(LedgerError::TooLarge)?;
    // An envelope is not wrapped again: the original goes on under another dot.
    let original = if header.kind == RevisionKind::REISSUE {
        stored.entry.original().map_err(LedgerError::TooLarge)?
    } else {
        let (salt, seal, proof) = match ledger::proof_of(tx, dot)? {
            Some((salt, seal, proof)) => (Some(salt), Some(seal), Some(proof)),
            None => (None, None, None),
        };
        Original { dot, entry: stored.entry.clone(), salt, seal, proof }
    };
    let inner: Revision = Revision::read(original.dot, &original.entry).map_err(LedgerError::TooLarge)?;
    let envelope = Header {
        record: inner.header.record,
        family: inner.header.family,
        kind: RevisionKind::REISSUE,
        schema: inner.header.schema,
        context: VersionVector::new(),
        prior: 0,
        lamport: inner.header.lamport,
        fields: inner.header.fields,
    };
    let entry = Entry::new(&envelope, &original).map_err(LedgerError::TooLarge)?;
    let now = Dot {
        replica,
        counter: open.held + 1,
    };
    open.held = now.counter;
    save_book(tx, &open)?;
    let reissued = StoredEntry {
        entry,
        salt: None,
        standing: Standing::KEPT,
        sequence: 0,
        received_at_ms: 0,
    };
    save_entry(tx, now, &reissued)?;
    let accepted = ledger::fold_reissue(tx, now, &reissued.entry)?;
    Ok(accepted.folded.into_iter().map(|(_, record)| record).collect())
}

/// Everything held of others' books, as stretches.
fn offers(read: &dyn Read) -> Result<Vec<(Dot, u32)>, StoreError> {
    let mut stretches: Vec<(Dot, u32)> = Vec::new();
    for other in ledger::books(read)?
        .into_iter()
        .filter(|book| !book.own || book.closed)
    {
        for (dot, _) in ledger::log(read, other.replica(), 1, usize::MAX)? {
            if other.own && ledger::holding_part(read, dot.replica, dot.counter)?.is_none() {
                continue;
            }
            match stretches.last_mut() {
                Some((first, count))
                    if first.replica == dot.replica && first.counter + u64::from(*count) == dot.counter =>
                {
                    *count += 1;
                }
                _ => stretches.push((dot, 1)),
            }
        }
    }
    Ok(stretches)
}

/// Takes out entries with their proofs, one part a sealed run.
fn parts(read: &dyn Read, stretches: &[(Dot, u32)]) -> Result<Vec<Part>, StoreError> {
    let mut parts = Vec::new();
    for (first, count) in stretches {
        let mut counters = (first.counter..).take(*count as usize).peekable();
        while let Some(counter) = counters.peek().copied() {
            let Some(record) = ledger::holding_part(read, first.replica, counter)? else {
                counters.next();
                continue;
            };
            let mut held = Vec::new();
            while let Some(counter) = counters.next_if(|counter| record.holds(*counter)) {
                held.push(counter);
            }
            parts.extend(ledger::part_of(read, &record, &held)?);
        }
    }
    Ok(parts)
}

fn own_book(read: &dyn Read, replica: ReplicaId) -> Result<Book, LedgerError> {
    let known = book(read, replica)?.filter(|book| book.own);
    known.ok_or(LedgerError::PeerMisbehaved(
        "news of a book that is not of this device",
    ))
}

/// The cursors kept, by their key.
fn cursors(read: &dyn Read) -> Result<BTreeMap<Vec<u8>, Cursor>, StoreError> {
    let pairs = read.scan(Table::Cursors, &[], &keys::after(&[]), usize::MAX)?;
    pairs
        .into_iter()
        .map(|(key, bytes)| Ok((key, ledger::decode(Table::Cursors, &bytes)?)))
        .collect()
}

/// The scopes granted at the last contact.
pub fn granted_scopes(read: &dyn Read) -> Result<Vec<Scope>, StoreError> {
    let granted: Option<List<Scope, { beatbook_proto::limits::SCOPES_MAX }>> =
        ledger::meta(read, GRANTED_SCOPES)?;
    Ok(granted.map(|scopes| scopes.0).unwrap_or_default())
}

const GRANTED_SCOPES: &str = "granted scopes";
const SECRET_DOMAIN: &str = "beatbook 2026-11 run secret v1";
