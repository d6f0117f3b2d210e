//! The device's side of the ledger: the coarse store operations of a session, executed inside a transaction.
//!
//! A session machine asks for a [`DeviceOp`]; the shell runs [`execute`] in a commit and hands the reply back.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use beatbook_proto::frame::{BookClaim, BookPosition, Feed, Verdicts, Welcome};
use beatbook_proto::{
    Cursor, Dot, Hash, List, Part, PublicKey, Receipt, RecordId, ReplicaId, Run, RunSecret, Scope, Signer,
    Stamp, Standing,
};

use crate::keys;
use crate::ledger::{
    self, Book, Check, Identity, LedgerError, book, own_books, save, save_book, seal_pending,
};
use crate::planted::{Bug, is_planted};
use crate::store::{Read, StoreError, Table, Transaction};

mod feed;
mod recover;

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
    /// Take out what was set apart here because the server has other entries under its dots.
    Apart,
    /// Note that the server lacks nothing of what was offered.
    Offered,
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
    /// It was noted that nothing is to be offered any more.
    Offered,
    /// What was set apart here.
    Apart(Vec<Part>),
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
        /// True if the server has other entries under dots of this book: it is closed now.
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
    /// True if there is more to seal: the first runs can go out meanwhile.
    pub more: bool,
}

/// What the server's answer changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Welcomed {
    /// Books to send from an earlier entry on: the server went back in time.
    pub rewound: Vec<(ReplicaId, u64)>,
    /// Books of which the server knows another history: all open books were closed, and new ones opened.
    pub forked: Vec<ReplicaId>,
    /// True if closed books may hold entries that the server never saw.
    pub reissue_due: bool,
    /// Open books that hold verdicts, and how far the server has secured them: where it says nothing more of their
    /// verdicts in this session, they have none left.
    pub judged: Vec<(ReplicaId, u64)>,
    /// True if the server is to be offered what others wrote: it asked for it, or a session broke before it had all.
    pub offers_due: bool,
}

/// What a feed changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Records whose merged state changed.
    pub changed: Vec<RecordId>,
    /// Records that left this device.
    pub purged: Vec<RecordId>,
    /// Own books of which the server turned out to know another history: all open books were closed, new ones opened.
    pub forked: Vec<ReplicaId>,
    /// How many own entries that had lost their dots were issued again.
    pub reissued: u64,
    /// True if entries of others' books gave way to those of the server: they are to be handed in.
    pub displaced: bool,
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
        DeviceOp::Feed(feed) => DeviceReply::Fed(feed::apply_feed(tx, env, feed)?),
        DeviceOp::NextRun { replica, after } => DeviceReply::NextRun(ledger::next_run(tx, replica, after)?),
        DeviceOp::Offers => DeviceReply::Offers(recover::offers(tx)?),
        DeviceOp::Apart => DeviceReply::Apart(ledger::apart(tx, None)?),
        DeviceOp::Parts(stretches) => DeviceReply::Parts(recover::parts(tx, &stretches)?),
        DeviceOp::Prepare { unpacked_bytes_max } => {
            DeviceReply::Prepared(prepare(tx, env, unpacked_bytes_max)?)
        }
        DeviceOp::Receipt(receipt) => keep_receipt(tx, env, &receipt)?,
        DeviceOp::Offered => {
            recover::set_offers_due(tx, false)?;
            DeviceReply::Offered
        }
        DeviceOp::Reissue => DeviceReply::Reissued(recover::reissue_all(tx, env)?),
        DeviceOp::Verdicts(verdicts) => keep_verdicts(tx, &verdicts)?,
        DeviceOp::Welcome(welcome) => DeviceReply::Welcomed(take_welcome(tx, env, &welcome)?),
    })
}

/// Closes the open books and opens new ones: the store was restored, copied or rolled back, and must not issue a dot
/// twice. What the server never saw is re-issued when it has been asked.
pub fn reopen_books(tx: &mut Transaction<'_>, env: &DeviceEnv<'_>) -> Result<(), LedgerError> {
    if is_planted(Bug::DotReusedAfterRestore) && ledger::open_replicas(tx)?.is_some() {
        return Ok(());
    }
    ledger::open_books(tx, env.identity, env.fresh, env.now)
}

/// As [`reopen_books`], where a repair lost some of what the store held: what others wrote may be among it, so every feed
/// is read again from its start. Without its cursors the device would not see that the server went back in time
/// meanwhile, so what it knew the server to hold is asked again.
pub fn reopen_after_loss(tx: &mut Transaction<'_>, env: &DeviceEnv<'_>) -> Result<(), LedgerError> {
    let read: Vec<Vec<u8>> = cursors(tx)?.into_keys().collect();
    for scope in read {
        tx.remove(Table::Cursors, scope);
    }
    for mut own in own_books(tx)? {
        if own.closed {
            recover::doubt(tx, &mut own, 0)?;
            save_book(tx, &own)?;
        }
    }
    recover::set_offers_due(tx, true)?;
    reopen_books(tx, env)
}

fn prepare(tx: &mut Transaction<'_>, env: &DeviceEnv<'_>, bytes_max: usize) -> Result<Prepared, LedgerError> {
    let mut prepared = Prepared::default();
    let mut seals = 0;
    for own in own_books(tx)? {
        let mut round = 0_u64;
        loop {
            if seals == SEALS_MAX {
                prepared.more = true;
                break;
            }
            let secret = Hash::of(
                SECRET_DOMAIN,
                &[&env.seed, own.replica().as_bytes(), &round.to_le_bytes()],
            );
            if seal_pending(tx, own.replica(), env.signer, RunSecret(secret.0), bytes_max)?.is_none() {
                break;
            }
            round += 1;
            seals += 1;
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
            if !position.forked && !known.verdicts.is_empty() {
                welcomed.judged.push((known.replica(), position.secured));
            }
            let held = position.claim.counter;
            let parted = !position.forked && is_parted(tx, &known, position)?;
            if parted {
                // What the server once receipted beyond it, and whether it is the same up to there, its feed will say.
                known.receipted = known.receipted.min(held);
                recover::doubt(tx, &mut known, held)?;
            }
            if (position.forked || parted) && !known.closed {
                welcomed.forked.push(known.replica());
            } else if !known.closed && held < known.receipted && !is_planted(Bug::RewindForgotten) {
                welcomed.rewound.push((known.replica(), held));
            }
            if !position.forked && !parted && !is_planted(Bug::RewindForgotten) {
                known.receipted = known.receipted.min(held);
                let seal = ledger::seal_ending_at(tx, known.replica(), held)?;
                if known.closed && seal.is_some_and(|seal| seal.hash() == position.claim.seal) {
                    known.receipted = held;
                }
            }
            if known.closed && welcome.wants_offers {
                recover::doubt(tx, &mut known, held)?;
            }
            welcomed.reissue_due |= known.closed && recover::is_reissue_due(tx, &known)?;
        }
        save_book(tx, &known)?;
    }
    if !welcomed.forked.is_empty() {
        reopen_books(tx, env)?;
        welcomed.reissue_due = true;
    }
    if welcome.wants_offers {
        recover::set_offers_due(tx, true)?;
    }
    welcomed.offers_due = recover::offers_due(tx)?;
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

/// True if the server holds less of an open own book and under a seal that is not of it: a copy of this store was there
/// first after the server went back in time. No run of this store goes on from there.
fn is_parted(read: &dyn Read, own: &Book, position: &BookPosition) -> Result<bool, StoreError> {
    let held = position.claim.counter;
    if own.closed || held == 0 || held >= own.sealed {
        return Ok(false);
    }
    let seal = ledger::seal_ending_at(read, own.replica(), held)?;
    Ok(seal.is_none_or(|seal| seal.hash() != position.claim.seal))
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
        if own.closed {
            // Sent before the other history of the book was heard of, and given up since.
            return Ok(DeviceReply::Receipted {
                replica: claim.replica,
                upto: claim.upto,
                taken: true,
            });
        }
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
/// Most runs sealed in one operation, so that the first ones go out while the rest is sealed.
const SEALS_MAX: usize = 16;
const SECRET_DOMAIN: &str = "beatbook 2026-11 run secret v1";
