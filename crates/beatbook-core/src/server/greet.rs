//! Answering Hello: who is admitted, where books and feeds stand, and whether the log went back in time.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

use beatbook_proto::frame::{BookClaim, BookPosition, Hello, VERSION, Verdicts, Welcome};
use beatbook_proto::limits::RUN_ENTRIES_MAX;
use beatbook_proto::{
    Code, Cursor, EnrolmentId, EpochId, Hash, List, OfficerId, PublicKey, ReplicaId, ReplicaKind, Scope,
};

use super::{Epochs, Greeted, ServerEnv, ServerReply, epochs, leave_epoch, mint_epoch};
use crate::keys;
use crate::ledger::{self, FeedEnd, LedgerError, book, feed_hash_at, feed_nonce_at};
use crate::planted::{Bug, is_planted};
use crate::register::{self, Enrolment, Officer};
use crate::store::{Read, StoreError, Table, Transaction};

pub(super) fn greet(
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
    let mut apart = Vec::new();
    for claim in hello.books.iter() {
        let position = place_book(tx, &officer, peer, claim)?;
        // Only the same seal shows that the device holds what the server holds under these dots.
        let same = position.claim.counter == claim.counter && position.claim.seal == claim.seal;
        if same && !position.forked {
            claims.insert(claim.replica, claim.counter);
        }
        let known = book(tx, claim.replica)?.filter(|known| known.opening.enrolment == peer);
        let own = known.is_some();
        if let Some(known) = known.filter(|known| known.had_verdicts) {
            let newest = known.verdicts.len().saturating_sub(RUN_ENTRIES_MAX);
            let list = known.verdicts.into_iter().skip(newest).collect();
            verdicts.push(Verdicts {
                replica: claim.replica,
                verdicts: list,
                secured: known.secured,
            });
        }
        apart.extend(
            ledger::apart(tx, Some(claim.replica))?
                .into_iter()
                .filter(|_| own),
        );
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
        apart,
    };
    Ok(ServerReply::Greeted(Box::new(greeted)))
}

fn admitted(
    read: &dyn Read,
    peer: EnrolmentId,
    key: &PublicKey,
) -> Result<Option<(Enrolment, Officer)>, StoreError> {
    let enrolment: Option<Enrolment> = register::get(read, peer.as_bytes())?;
    let Some(enrolment) = enrolment.filter(|row| {
        (row.revoked_at_ms.is_none() || is_planted(Bug::RevocationIgnored)) && row.key.as_ref() == Some(key)
    }) else {
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
            let nonce = feed_nonce_at(tx, &keys::feed(&cursor.scope, officer), cursor.position)?;
            let same = hash == Some(cursor.hash) && nonce == nonce_of(cursor);
            rolled_back |= !same && !is_planted(Bug::RollbackNotNoticed);
        } else {
            earlier_life = true;
        }
    }
    if rolled_back {
        // Where the log went back to is not known: it may have grown again since.
        leave_epoch(tx, env.fresh_epoch, Vec::new())?;
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
            end = continued(read, epochs.as_ref(), &feed, cursor)?;
        }
        if *scope == Scope::Own && end.position > 0 {
            own_sequence = ledger::feed_sequence_at(read, &feed, end.position)?;
        }
        let nonce = feed_nonce_at(read, &feed, end.position)?;
        cursors.push(tagged(env.tag_key, officer, scope.clone(), current, end, nonce));
    }
    Ok((cursors, own_sequence))
}

/// Where a reader's feed goes on.
fn continued(
    read: &dyn Read,
    epochs: Option<&Epochs>,
    feed: &[u8],
    cursor: &Cursor,
) -> Result<FeedEnd, StoreError> {
    // The hash covers all that came before it, but dots only: another entry can have taken the same place after the log
    // went back. Where the commit is the same, the reader has read this very log.
    if feed_hash_at(read, feed, cursor.position)? == Some(cursor.hash)
        && feed_nonce_at(read, feed, cursor.position)? == nonce_of(cursor)
    {
        return Ok(FeedEnd {
            position: cursor.position,
            hash: cursor.hash,
        });
    }
    // Beyond a branch that is known, both lives agree up to it. Elsewhere the feed is read again from its start.
    let branch = branch_position(epochs, cursor.epoch, feed).filter(|branch| *branch < cursor.position);
    let position = branch.unwrap_or(0);
    let hash = feed_hash_at(read, feed, position)?;
    Ok(hash.map_or_else(FeedEnd::default, |hash| FeedEnd { position, hash }))
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
        let label = promise_label(tx, officer, claim.replica, claim.kind)?;
        return Ok(BookPosition {
            claim: claim_none,
            secured: 0,
            label,
            forked: false,
        });
    };
    if known.opening.enrolment != peer {
        // Of a book of someone else nothing is told.
        return Ok(BookPosition {
            claim: BookClaim {
                counter: 0,
                seal: beatbook_proto::SealClaim::NO_SEAL,
                ..*claim
            },
            secured: 0,
            label: None,
            forked: true,
        });
    }
    let ours = BookClaim {
        counter: known.held,
        seal: known.seal,
        ..*claim
    };
    let forked = if is_planted(Bug::ForkNotNoticed) {
        false
    } else if claim.counter < known.held {
        // It has sent more than it holds: an older copy of its store.
        true
    } else if claim.counter == known.held {
        claim.seal != known.seal
    } else {
        false
    };
    Ok(BookPosition {
        claim: ours,
        secured: known.secured,
        label: known.label,
        forked,
    })
}

/// Promises a label to a book that a device says it has: officers see it before the first run is in. `None` where so many
/// promises wait for their books already: such a book gets its label when it is opened.
fn promise_label(
    tx: &mut Transaction<'_>,
    officer: &Officer,
    replica: ReplicaId,
    kind: ReplicaKind,
) -> Result<Option<Code>, LedgerError> {
    if let Some(label) = ledger::load(tx, Table::Meta, &label_key(replica))? {
        return Ok(Some(label));
    }
    let waiting = ledger::load::<u32>(tx, Table::Meta, &promised_key(officer))?.unwrap_or(0);
    if waiting >= LABELS_PROMISED_MAX {
        return Ok(None);
    }
    ledger::save(tx, Table::Meta, promised_key(officer), &(waiting + 1))?;
    next_label(tx, officer, replica, kind).map(Some)
}

/// The label of a book that is opened: the one that was promised, or the next.
pub(super) fn take_label(
    tx: &mut Transaction<'_>,
    officer: &Officer,
    replica: ReplicaId,
    kind: ReplicaKind,
) -> Result<Code, LedgerError> {
    let Some(label) = ledger::load(tx, Table::Meta, &label_key(replica))? else {
        return next_label(tx, officer, replica, kind);
    };
    let waiting = ledger::load::<u32>(tx, Table::Meta, &promised_key(officer))?.unwrap_or(0);
    ledger::save(tx, Table::Meta, promised_key(officer), &waiting.saturating_sub(1))?;
    Ok(label)
}

/// `B` and a number per officer, `T` for traces.
fn next_label(
    tx: &mut Transaction<'_>,
    officer: &Officer,
    replica: ReplicaId,
    kind: ReplicaKind,
) -> Result<Code, LedgerError> {
    let letter = if kind == ReplicaKind::Book { 'B' } else { 'T' };
    let mut counter_name = format!("labels {letter} ").into_bytes();
    counter_name.extend_from_slice(officer.id.as_bytes());
    let number = 1 + ledger::load::<u32>(tx, Table::Meta, &counter_name)?.unwrap_or(0);
    ledger::save(tx, Table::Meta, counter_name, &number)?;
    let label = Code::new(format!("{letter}{number:02}"));
    let label = label.map_err(|_| LedgerError::TooLarge(beatbook_proto::codec::CodecError::TooLarge))?;
    ledger::save(tx, Table::Meta, label_key(replica), &label)?;
    Ok(label)
}

pub(super) fn tagged(
    tag_key: &[u8; 32],
    officer: OfficerId,
    scope: Scope,
    epoch: EpochId,
    end: FeedEnd,
    nonce: [u8; 8],
) -> Cursor {
    let mut cursor = Cursor {
        scope,
        epoch,
        position: end.position,
        hash: end.hash,
        tag: [0; 16],
    };
    cursor.tag = tag_of(tag_key, officer, &cursor, nonce);
    cursor
}

fn is_ours(tag_key: &[u8; 32], officer: OfficerId, cursor: &Cursor) -> bool {
    // Both are outputs of a keyed hash, and a wrong guess only makes a feed start over: no timing matters.
    tag_of(tag_key, officer, cursor, nonce_of(cursor)) == cursor.tag
}

/// The commit that the cursor was given out for, as the second half of its tag says.
fn nonce_of(cursor: &Cursor) -> [u8; 8] {
    cursor.tag.last_chunk::<8>().copied().unwrap_or_default()
}

/// The tag of a cursor: a keyed hash over all it says, and the nonce of the commit that it was given out for.
fn tag_of(tag_key: &[u8; 32], officer: OfficerId, cursor: &Cursor, nonce: [u8; 8]) -> [u8; 16] {
    let position = cursor.position.to_be_bytes();
    let parts: [&[u8]; 7] = [
        tag_key,
        officer.as_bytes(),
        &cursor.scope.key(),
        cursor.epoch.as_bytes(),
        &position,
        &cursor.hash.0,
        &nonce,
    ];
    let hash = Hash::of(TAG_DOMAIN, &parts);
    let mut tag = [0; 16];
    let bytes = hash.0.into_iter().take(8).chain(nonce);
    tag.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    tag
}

fn label_key(replica: ReplicaId) -> Vec<u8> {
    let mut key = b"label ".to_vec();
    key.extend_from_slice(replica.as_bytes());
    key
}

/// How many labels an officer has been promised for books that are not opened yet.
fn promised_key(officer: &Officer) -> Vec<u8> {
    let mut key = b"labels promised ".to_vec();
    key.extend_from_slice(officer.id.as_bytes());
    key
}

/// Most labels promised to one officer's books before they are opened. A device has two books and one for each stretch
/// that it issues again; a name costs a peer nothing, and a promise is kept for good.
const LABELS_PROMISED_MAX: u32 = 64;
const TAG_DOMAIN: &str = "beatbook 2026-11 cursor v1";
