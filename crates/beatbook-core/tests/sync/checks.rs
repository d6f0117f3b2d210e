//! The numbered invariants of sync as checkers, for every scenario. Each panics with the invariant's number.

use std::collections::{BTreeMap, BTreeSet};

use beatbook_core::ledger::{self, CheckNothing};
use beatbook_core::merge::Head;
use beatbook_core::register::{self, Officer};
use beatbook_core::server::{self, ServerEnv, ServerOp};
use beatbook_core::store::{MemoryStore, Read, Table, Transaction};
use beatbook_proto::{Dot, Entry, EpochId, OfficerId, RevisionKind, Scope, Standing, Verdict};

use crate::world::World;

impl World {
    /// Every invariant that holds at any time, faults or not.
    pub fn check_always(&self) {
        self.check_written_is_on_device_or_server();
        self.check_names_for_ever();
        self.check_access();
        self.check_verdicts();
    }

    /// Every invariant, once faults have stopped and [`World::heal`] has run.
    pub fn check_healed(&self) {
        self.check_always();
        self.check_receipted_is_held();
        self.check_nothing_lost();
        self.check_heads_agree();
        self.check_status();
        self.check_replays();
    }

    /// Invariant 10: every run that the server holds, sent again or handed in by a reader, changes nothing but the
    /// server's own count.
    fn check_replays(&self) {
        let env = ServerEnv {
            signer: &self.server_key,
            check: &CheckNothing,
            tag_key: &[0x7a; 32],
            now_ms: self.now_ms,
            fresh_epoch: EpochId::default(),
        };
        for book in ledger::books(&self.server).unwrap() {
            let (mut after, mut seal) = (0, beatbook_proto::SealClaim::NO_SEAL);
            while let Some(run) = ledger::next_run(&self.server, book.replica(), after).unwrap() {
                if run.seal.claim.previous != seal {
                    // Of another history of the book, brought back by a reader: it lies beyond what is held without a gap.
                    break;
                }
                (after, seal) = (run.seal.claim.last, run.seal.hash());
                let run = Box::new(run.verify(&book.opening.key).unwrap());
                let peer = book.opening.enrolment;
                let part = run.clone();
                for op in [ServerOp::AcceptRun { peer, run }, ServerOp::AcceptPart(part)] {
                    let mut tx = Transaction::new(&self.server);
                    server::execute(&mut tx, &env, op).unwrap();
                    for (table, key, value) in tx.into_writes().iter() {
                        let before = self.server.get(table, key).unwrap();
                        assert!(
                            table == Table::Meta || before.as_deref() == value,
                            "invariant 10: {:?}/{after}: {key:?}",
                            book.replica()
                        );
                    }
                }
            }
            assert_eq!(
                after,
                book.held,
                "invariant 1: the runs of {:?} are held whole",
                book.replica()
            );
        }
    }

    /// Invariant 1: what was receipted is held by the server, with the same bytes.
    pub fn check_receipted_is_held(&self) {
        for (index, device) in self.devices.iter().enumerate() {
            for book in ledger::own_books(&device.store).unwrap() {
                for counter in 1..=book.receipted {
                    let dot = Dot {
                        replica: book.replica(),
                        counter,
                    };
                    let here = ledger::entry(&device.store, dot).unwrap();
                    let there = ledger::entry(&self.server, dot).unwrap();
                    let Some(here) = here else { continue };
                    assert_eq!(
                        Some(&here.entry),
                        there.as_ref().map(|stored| &stored.entry),
                        "invariant 1: device {index} was told that {dot:?} is safe"
                    );
                }
            }
        }
    }

    /// Invariant 2: what was acknowledged is on the device that wrote it, as long as its store was not rolled back.
    fn check_written_is_on_device_or_server(&self) {
        assert!(
            self.dots_reused.is_empty(),
            "a dot was given twice: {:?}",
            self.dots_reused
        );
        for device in &self.devices {
            for book in ledger::own_books(&device.store).unwrap() {
                for counter in 1..=book.held {
                    let dot = Dot {
                        replica: book.replica(),
                        counter,
                    };
                    let held = ledger::entry(&device.store, dot).unwrap().is_some();
                    assert!(held || book.closed, "invariant 2: {dot:?} has a gap before it");
                }
            }
        }
    }

    /// Invariant 3: a dot names the same bytes at the server and at every reader.
    fn check_names_for_ever(&self) {
        let mut named: BTreeMap<Dot, Entry> = entries(&self.server);
        for device in &self.devices {
            let own: BTreeSet<_> = ledger::own_books(&device.store)
                .unwrap()
                .into_iter()
                .map(|book| book.replica())
                .collect();
            for (dot, entry) in entries(&device.store) {
                // What a copy wrote under a dot of its own stays there until it hears of the other history.
                if own.contains(&dot.replica) {
                    continue;
                }
                let first = named.entry(dot).or_insert_with(|| entry.clone());
                assert_eq!(*first, entry, "invariant 3: {dot:?} names two entries");
            }
        }
    }

    /// Invariants 4 and 6: whoever may read a record shows what the server shows, byte for byte.
    pub fn check_heads_agree(&self) {
        let server: BTreeMap<Dot, Head> = heads(&self.server);
        for (index, device) in self.devices.iter().enumerate() {
            let granted = self.granted(device.identity.officer);
            let shown = heads(&device.store);
            for (record, head) in &server {
                if !ledger::scopes_of(head)
                    .iter()
                    .any(|scope| granted.contains(scope))
                {
                    continue;
                }
                let here = shown.get(record);
                assert_eq!(
                    here.map(plain),
                    Some(plain(head)),
                    "invariants 4, 6: device {index} shows another {record:?}"
                );
                assert!(
                    here.is_some_and(|head| !head.frozen),
                    "device {index}: {record:?} is frozen"
                );
            }
        }
    }

    /// Invariant 5, and the promise that nothing acknowledged is lost: every entry ever acknowledged is at the server,
    /// under its dot, in a re-issue, or apart in quarantine.
    pub fn check_nothing_lost(&self) {
        let mut kept: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut keep = |mut entry: Entry| {
            kept.insert(whole(&entry));
            while entry
                .header()
                .is_ok_and(|header| header.kind == RevisionKind::REISSUE)
            {
                let Ok(original) = entry.original() else { break };
                entry = original.entry;
                kept.insert(whole(&entry));
            }
        };
        entries(&self.server).into_values().for_each(&mut keep);
        for quarantined in ledger::quarantined(&self.server).unwrap() {
            keep(quarantined.entry);
        }
        for (dot, entry) in &self.written {
            assert!(kept.contains(&whole(entry)), "invariant 5: {dot:?} is lost");
        }
    }

    /// Invariant 7: a device holds nothing of others but what is in the scopes that it was ever granted.
    fn check_access(&self) {
        for (index, device) in self.devices.iter().enumerate() {
            let officer = device.identity.officer;
            let granted = self.granted(officer);
            for record in heads(&self.server).values() {
                let may = ledger::scopes_of(record)
                    .iter()
                    .any(|scope| granted.contains(scope));
                let own = record
                    .revisions
                    .iter()
                    .any(|(_, dot)| self.author(*dot) == Some(officer));
                if may || own {
                    continue;
                }
                for (_, dot) in &record.revisions {
                    let held = ledger::entry(&device.store, *dot).unwrap().is_some();
                    assert!(
                        !held || self.may_have_held.contains(&(index, *dot)),
                        "invariant 7: device {index} holds {dot:?}"
                    );
                }
            }
        }
    }

    /// Invariant 9: the standing of every entry is the verdict that its book carries.
    fn check_verdicts(&self) {
        for book in ledger::books(&self.server).unwrap() {
            for (dot, stored) in ledger::log(&self.server, book.replica(), 1, usize::MAX).unwrap() {
                let verdicts: Vec<&Verdict> = book
                    .verdicts
                    .iter()
                    .filter(|verdict| verdict.counter == dot.counter)
                    .collect();
                let expected = (stored.standing != Standing::KEPT).then_some(stored.standing);
                assert!(verdicts.len() < 2, "invariant 9: {dot:?} has two verdicts");
                let found = verdicts.first().map(|verdict| verdict.standing);
                assert_eq!(found, expected, "invariant 9: {dot:?}");
            }
        }
    }

    /// What a device says of itself is what the server says of it.
    fn check_status(&self) {
        for (index, device) in self.devices.iter().enumerate() {
            let status = ledger::status(&device.store).unwrap();
            assert_eq!(status.pending, 0, "device {index}: {status:?}");
            for own in ledger::own_books(&device.store).unwrap() {
                let Some(there) = ledger::book(&self.server, own.replica()).unwrap() else {
                    assert_eq!(own.receipted, 0, "device {index}: a receipt for an unknown book");
                    continue;
                };
                assert_eq!(own.label, there.label, "device {index}: the label");
                if !own.closed {
                    assert_eq!(own.receipted, there.held, "device {index}: how far it is safe");
                    assert_eq!(
                        own.verdicts,
                        there.verdicts,
                        "device {index}: the verdicts of {:?}",
                        own.replica()
                    );
                }
            }
        }
    }

    /// The scopes granted to an officer.
    pub fn granted(&self, officer: OfficerId) -> Vec<Scope> {
        let row: Officer = register::get(&self.server, officer.as_bytes()).unwrap().unwrap();
        register::scopes_granted(&self.server, &row, self.now_ms).unwrap()
    }

    fn author(&self, dot: Dot) -> Option<OfficerId> {
        let book = ledger::book(&self.server, dot.replica).unwrap()?;
        Some(book.opening.officer)
    }
}

/// A head without what each store keeps beside the merged state.
pub fn plain(head: &Head) -> Head {
    let mut plain = head.clone();
    plain.scopes.clear();
    plain.frozen = false;
    plain
}

fn heads(store: &MemoryStore) -> BTreeMap<Dot, Head> {
    let heads = ledger::heads(store, None, usize::MAX).unwrap();
    heads.into_iter().map(|head| (head.record, head)).collect()
}

fn entries(store: &MemoryStore) -> BTreeMap<Dot, Entry> {
    let books = ledger::books(store).unwrap().into_iter();
    let logs = books.map(|book| ledger::log(store, book.replica(), 1, usize::MAX).unwrap());
    logs.flatten().map(|(dot, stored)| (dot, stored.entry)).collect()
}

fn whole(entry: &Entry) -> Vec<u8> {
    let mut bytes = entry.header.to_vec();
    bytes.push(0xff);
    bytes.extend_from_slice(&entry.body);
    bytes
}
