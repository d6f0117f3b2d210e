//! Feeds on a device: checking where they lead, accepting what they bring, and records that come and go.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use beatbook_proto::frame::Feed;
use beatbook_proto::{
    Code, Cursor, Dot, FeedItem, Hash, Part, RecordId, ReplicaId, Scope, VerifiedRun, feed as wire,
};

use super::{DeviceEnv, Fed, recover};
use crate::keys;
use crate::ledger::{
    self, Accepted, Book, Intake, LedgerError, StoredEntry, accept_entries, book, entry, head, save,
    save_book, save_entry, save_head,
};
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

pub(super) fn apply_feed(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    feed: Feed,
) -> Result<Fed, LedgerError> {
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
            leave(tx, env, *record, &feed.cursor.scope, &mut fed)?;
        }
    }
    let entered = spans_of(&feed);
    for opening in feed.openings {
        introduce(tx, opening)?;
    }
    for (replica, label) in feed.labels {
        keep_label(tx, replica, label)?;
    }
    let intake = Intake {
        check: env.check,
        sequence: 0,
        received_at_ms: 0,
    };
    let scope = &feed.cursor.scope;
    let (mut founded, mut founded_elsewhere) = (BTreeSet::new(), BTreeSet::new());
    let left_out = usize::from(is_planted(Bug::CursorBeforeEntries) && env.seed[0] < 16);
    let named: BTreeSet<u16> = feed.items.iter().filter_map(part_named).collect();
    for (place, part) in (0_u16..).zip(feed.parts).skip(left_out) {
        if !named.contains(&place) {
            // SPEC R-FEED-4: it was kept apart, and is given back to the device that wrote it.
            fed.reissued += u64::from(recover::take_back(tx, env, part)?);
            continue;
        }
        let accepted = take_part(tx, env, part, intake, &mut fed)?;
        for (record, scopes) in accepted.founded {
            if scopes == core::slice::from_ref(scope) {
                founded.insert(record);
            } else {
                founded_elsewhere.insert(record);
            }
        }
    }
    if matches!(scope, Scope::Beat { .. }) {
        for (span, brought) in entered {
            // What a step brings is of this scope. What it only speaks of may have left it since.
            let mut none = BTreeSet::new();
            let elsewhere = if brought {
                &mut founded_elsewhere
            } else {
                &mut none
            };
            enter_all(tx, span, scope, &founded, elsewhere, &mut fed)?;
        }
    }
    fed.changed.sort();
    fed.changed.dedup();
    save(tx, Table::Cursors, feed.cursor.scope.key(), &feed.cursor)?;
    Ok(fed)
}

fn keep_label(tx: &mut Transaction<'_>, replica: ReplicaId, label: Code) -> Result<(), LedgerError> {
    match book(tx, replica)? {
        Some(mut named) if named.label.as_ref() != Some(&label) => {
            named.label = Some(label);
            save_book(tx, &named)
        }
        _ => Ok(()),
    }
}

/// Accepts one part of a feed.
fn take_part(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    part: Part,
    intake: Intake<'_>,
    fed: &mut Fed,
) -> Result<Accepted, LedgerError> {
    let replica = part.seal.claim.replica;
    let author = book(tx, replica)?;
    let mut author = author.ok_or(LedgerError::PeerMisbehaved("entries of a book not introduced"))?;
    // One signature for all parts of a seal: the same claim under the same signature was verified before.
    let run = if ledger::is_known_seal(tx, &part.seal)? {
        part.verify_root()?
    } else {
        part.verify(&author.opening.key)?
    };
    // An own book of which the server has what is not here, or is otherwise here, has another history.
    let beyond = run
        .entries()
        .iter()
        .any(|verified| verified.dot.counter > author.held);
    if author.own && !author.closed && (beyond || ledger::is_taken(tx, &run)?) {
        super::reopen_books(tx, env)?;
        fed.forked.push(replica);
        author.closed = true;
    }
    if author.own && author.closed {
        take_own_history(tx, env, &run, intake, fed)?;
        return Ok(Accepted::default());
    }
    let touched = if ledger::is_taken(tx, &run)? {
        fed.displaced = true;
        recover::set_offers_due(tx, true)?;
        ledger::displace(tx, &run, intake)?
    } else {
        BTreeSet::new()
    };
    let accepted = accept_entries(tx, &run, &mut author, intake)?;
    for record in touched {
        match head(tx, record)? {
            Some(_) => fed.changed.push(record),
            None => fed.purged.push(record),
        }
    }
    fed.changed
        .extend(accepted.folded.iter().map(|(_, record)| *record));
    fed.changed
        .extend(accepted.renamed.iter().map(|(_, record)| *record));
    fed.changed.extend(&accepted.gave_back);
    Ok(accepted)
}

/// A closed own book comes back from the server, also beyond what this store still had. Where the server has another
/// entry under one of its dots, ours is issued again first, and the dot is given up.
fn take_own_history(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    run: &VerifiedRun,
    intake: Intake<'_>,
    fed: &mut Fed,
) -> Result<(), LedgerError> {
    let replica = run.seal().claim.replica;
    if let Some(counter) = first_taken(tx, run)? {
        // From there on no receipt of an earlier life of the server speaks of what it has now.
        let mut author = book(tx, replica)?.ok_or(LedgerError::NoBook)?;
        author.receipted = author.receipted.min(counter - 1);
        recover::doubt(tx, &mut author, counter - 1)?;
        save_book(tx, &author)?;
        fed.reissued += recover::reissue_book(tx, env, replica, &mut fed.changed)?;
    }
    ledger::drop_other_seals(tx, run.seal())?;
    let mut author = book(tx, replica)?.ok_or(LedgerError::NoBook)?;
    for verified in run.entries() {
        if entry(tx, verified.dot)?.is_some_and(|stored| stored.entry != verified.entry) {
            ledger::give_up(tx, verified.dot)?;
        }
    }
    let accepted = accept_entries(tx, run, &mut author, intake)?;
    fed.changed
        .extend(accepted.folded.iter().map(|(_, record)| *record));
    for verified in run.entries() {
        if let Some(mut stored) = entry(tx, verified.dot)? {
            stored.sequence = StoredEntry::AT_SERVER;
            save_entry(tx, verified.dot, &stored)?;
        }
        author.held = author.held.max(verified.dot.counter);
    }
    // What the server told of may have gaps before it: only what is known without one is safe.
    let at_server = |counter| -> Result<bool, StoreError> {
        let stored = entry(tx, Dot { replica, counter })?;
        Ok(stored.is_some_and(|stored| stored.sequence == StoredEntry::AT_SERVER))
    };
    while at_server(author.receipted + 1)? {
        author.receipted += 1;
    }
    save_book(tx, &author)
}

/// The first entry of a run that is held otherwise.
fn first_taken(read: &dyn Read, run: &VerifiedRun) -> Result<Option<u64>, StoreError> {
    for verified in run.entries() {
        if entry(read, verified.dot)?.is_some_and(|stored| stored.entry != verified.entry) {
            return Ok(Some(verified.dot.counter));
        }
    }
    Ok(None)
}

/// The part that an item takes its entries from.
fn part_named(item: &FeedItem) -> Option<u16> {
    match item {
        FeedItem::Entries { part, .. } => Some(*part),
        FeedItem::Held { .. } | FeedItem::Left(_) => None,
    }
}

/// The entries that the items speak of, as consecutive ones, and whether this frame brings them.
fn spans_of(feed: &Feed) -> Vec<((Dot, u32), bool)> {
    let spans = feed
        .items
        .iter()
        .map(|item| (span_of(feed, item), part_named(item).is_some()));
    spans
        .filter_map(|(span, brought)| Some((span?, brought)))
        .collect()
}

fn span_of(feed: &Feed, item: &FeedItem) -> Option<(Dot, u32)> {
    match item {
        FeedItem::Left(_) => None,
        FeedItem::Held { first, count } => Some((*first, *count)),
        FeedItem::Entries { part, first, count } => {
            let replica = feed.parts.get(usize::from(*part))?.seal.claim.replica;
            let first = Dot {
                replica,
                counter: *first,
            };
            Some((first, *count))
        }
    }
}

/// The steps of a feed, checked: they run over nothing, and lead to its cursor.
fn check_feed_hash(feed: &Feed, from: Hash) -> Result<(), LedgerError> {
    let misbehaved = |what| Err(LedgerError::PeerMisbehaved(what));
    // SPEC R-FEED-2: counted before anything is hashed or allocated for it.
    let mut steps = 0_u64;
    for item in feed.items.iter() {
        steps = steps.saturating_add(match item {
            FeedItem::Left(_) => 1,
            FeedItem::Held { count, .. } | FeedItem::Entries { count, .. } => u64::from(*count),
        });
        if let FeedItem::Entries { part, .. } = item
            && feed.parts.get(usize::from(*part)).is_none()
        {
            return misbehaved("a feed item without its part");
        }
    }
    if steps > ledger::FEED_STEPS_MAX || feed.from.checked_add(steps) != Some(feed.cursor.position) {
        return misbehaved("a feed that does not lead to its cursor");
    }
    let mut hash = from;
    for item in feed.items.iter() {
        if let FeedItem::Left(record) = item {
            hash = wire::hash_after_departure(&hash, *record);
        } else if let Some((first, count)) = span_of(feed, item) {
            let counters = (0..u64::from(count)).filter_map(|step| first.counter.checked_add(step));
            hash = counters.fold(hash, |hash, counter| {
                wire::hash_after_entry(&hash, Dot { counter, ..first })
            });
        }
    }
    if hash == feed.cursor.hash {
        Ok(())
    } else {
        misbehaved("a feed that does not lead to its cursor")
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

/// A record left a scope. Where no other granted scope has it, it is purged, or frozen where own work is in it.
fn leave(
    tx: &mut Transaction<'_>,
    env: &DeviceEnv<'_>,
    record: RecordId,
    scope: &Scope,
    fed: &mut Fed,
) -> Result<(), LedgerError> {
    let Some(mut left) = head(tx, record)?.filter(|_| !is_planted(Bug::DepartedNotPurged)) else {
        return Ok(());
    };
    left.scopes.retain(|other| other != scope);
    let granted = super::granted_scopes(tx)?;
    if left.scopes.iter().any(|other| granted.contains(other)) {
        return save_head(tx, &left);
    }
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
        ledger::keep_leaves(tx, dot)?;
        ledger::remove_entry(tx, dot)?;
    }
    tx.remove(Table::Heads, keys::entry(record));
    fed.purged.push(record);
    Ok(())
}

/// Entries came by a scope.
fn enter_all(
    tx: &mut Transaction<'_>,
    (first, count): (Dot, u32),
    scope: &Scope,
    founded: &BTreeSet<RecordId>,
    founded_elsewhere: &mut BTreeSet<RecordId>,
    fed: &mut Fed,
) -> Result<(), LedgerError> {
    let Some(end) = first.counter.checked_add(u64::from(count)) else {
        return Ok(());
    };
    let mut next = first.counter;
    while next < end {
        let record = ledger::holding_part(tx, first.replica, next)?;
        // What is not held came with this frame or comes with a later one.
        let upto = record
            .as_ref()
            .map_or(next, |record| record.seal.claim.last.min(end - 1));
        if record.is_some_and(|record| record.founded.is_some()) {
            // SPEC R-FEED-5: what a founding entry alone makes is in the scopes that it names. Only what came of it later
            // needs a look, and what moved before it came.
            let (from, to) = keys::counters(first.replica, next, upto);
            let rows = tx.scan(Table::Heads, &from, &to, usize::MAX)?;
            let mut looked_at: BTreeSet<Dot> =
                rows.iter().filter_map(|(key, _)| Dot::from_key(key)).collect();
            let [from, to] = [next, upto].map(|counter| Dot { counter, ..first });
            looked_at.extend(founded_elsewhere.range(from..=to));
            for dot in looked_at {
                enter(tx, dot, scope, founded_elsewhere, fed)?;
            }
        } else {
            for counter in next..=upto {
                let dot = Dot { counter, ..first };
                // A record that was founded just now, in this scope by its own word, needs no look either.
                if !founded.contains(&dot) {
                    enter(tx, dot, scope, founded_elsewhere, fed)?;
                }
            }
        }
        next = upto + 1;
    }
    Ok(())
}

/// An entry came by a scope: its record is of that scope, and no longer frozen. One of `founded_elsewhere` moved before it
/// came here: it is of this scope alone, as nothing would ever say that it left the one that its founding entry names.
fn enter(
    tx: &mut Transaction<'_>,
    dot: Dot,
    scope: &Scope,
    founded_elsewhere: &mut BTreeSet<RecordId>,
    fed: &mut Fed,
) -> Result<(), LedgerError> {
    let Some(stored) = entry(tx, dot)? else {
        return Ok(());
    };
    let Some(revision) = ledger::as_folded(tx, dot, &stored.entry)? else {
        return Ok(());
    };
    let Some(mut entered) = head(tx, revision.record())? else {
        return Ok(());
    };
    let anew = founded_elsewhere.remove(&entered.record);
    if entered.scopes.contains(scope) && !entered.frozen && !anew {
        return Ok(());
    }
    if anew {
        entered.scopes.clear();
    }
    if core::mem::take(&mut entered.frozen) {
        fed.changed.push(entered.record);
    }
    if !entered.scopes.contains(scope) {
        entered.scopes.push(scope.clone());
        entered.scopes.sort();
    }
    save_head(tx, &entered)
}
