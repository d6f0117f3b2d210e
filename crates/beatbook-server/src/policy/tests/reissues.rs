//! What an officer may not write may not come in an envelope either: each way of misuse, and what is lawful, through the
//! store operations of a session.

use beatbook_core::register;
use beatbook_core::store::MemoryStore;
use beatbook_proto::{
    Entry, FieldId, OfficerId, Opening, Original, ReplicaKind, Run, RunSecret, SealClaim, SigningKey, merkle,
};

use super::*;

/// Invariant: neither a record that the server holds nor one of which everything comes in envelopes is marked lower, or
/// checked, by an envelope around what says so.
#[test]
fn what_only_a_supervisor_may_is_not_permitted_in_an_envelope() {
    for (role, standing) in [
        ("PCSO", Standing::QUARANTINED_NOT_PERMITTED),
        ("SGT", Standing::KEPT),
    ] {
        for what in [OFFICIAL, CHECKED] {
            for times in 1..3 {
                let mut hand = Hand::of(role);
                let founding = hand.found();
                let of_old = |counter| Dot { counter, ..founding };
                let unsent = entry_of(&sets(of_old(3), Some(founding), RevisionKind::AMEND, what));
                let envelope = wrapped_times(times, of_old(3), unsent);
                assert_eq!(
                    hand.hand_in(CARRYING, envelope),
                    standing,
                    "{role} {what:?} {times}"
                );
            }
        }
    }
}

/// Invariant: that the founding entry goes by another name since, or comes so in the same run, opens no way round.
#[test]
fn a_record_that_takes_another_name_within_the_run_keeps_its_marking() {
    let mut hand = Hand::of("PCSO");
    let founding = hand.found();
    let of_old = |counter| Dot { counter, ..founding };
    let held = hand.entry(founding);
    let unsent = entry_of(&sets(of_old(3), Some(founding), RevisionKind::AMEND, OFFICIAL));
    let run = vec![
        wrapped_times(1, founding, held),
        wrapped_times(1, of_old(3), unsent),
    ];
    let standings = hand.hand_in_run(CARRYING, run);
    assert_eq!(standings, [Standing::KEPT, Standing::QUARANTINED_NOT_PERMITTED]);
    // By its new name neither.
    let named = ledger::record_name(&hand.server, founding).unwrap();
    assert_ne!(named, founding);
    let unsent = entry_of(&sets(of_old(4), Some(founding), RevisionKind::AMEND, OFFICIAL));
    let envelope = wrapped_times(1, of_old(4), unsent);
    assert_eq!(
        hand.hand_in(CARRYING, envelope),
        Standing::QUARANTINED_NOT_PERMITTED
    );
    assert!(hand.shows_sensitive(founding));
}

/// Invariant: what is malformed by itself is malformed in an envelope: records without a beat, changed breadcrumbs,
/// headers that keep quiet about what the body touches.
#[test]
fn what_the_families_forbid_is_malformed_in_an_envelope() {
    let mut hand = Hand::of("PCSO");
    let founding = hand.found();
    let of_old = |counter| Dot { counter, ..founding };
    let amended = sets(of_old(3), Some(founding), RevisionKind::AMEND, OFFICIAL);
    let homeless = sets(of_old(3), None, RevisionKind::CREATE, OFFICIAL);
    let mut breadcrumb = amended.clone();
    breadcrumb.header.family = Code::new("BREADCRUMB").unwrap();
    let mut quiet = amended.clone();
    quiet.header.fields = List(Vec::new());
    for (name, revision) in [
        ("homeless", homeless),
        ("breadcrumb", breadcrumb),
        ("quiet", quiet),
    ] {
        let envelope = wrapped_times(1, of_old(3), entry_of(&revision));
        assert_eq!(
            hand.hand_in(CARRYING, envelope),
            Standing::QUARANTINED_MALFORMED,
            "{name}"
        );
    }
    // Nor does it pass by itself.
    let mut quiet = amended;
    quiet.header.fields = List(Vec::new());
    assert_eq!(
        hand.hand_in(OLD, entry_of(&quiet)),
        Standing::QUARANTINED_MALFORMED
    );
}

/// What an officer may write may come in an envelope: raised markings, and what the server held before.
#[test]
fn what_is_lawful_is_kept_in_an_envelope() {
    let mut hand = Hand::of("PCSO");
    let founding = hand.found();
    let of_old = |counter| Dot { counter, ..founding };
    let held = hand.entry(founding);
    assert_eq!(
        hand.hand_in(CARRYING, wrapped_times(1, founding, held)),
        Standing::KEPT
    );
    let raised = sets(of_old(3), Some(founding), RevisionKind::AMEND, SENSITIVE);
    let envelope = wrapped_times(2, of_old(3), entry_of(&raised));
    assert_eq!(hand.hand_in(CARRYING, envelope), Standing::KEPT);
}

/// Invariant: a marking that was set beside one that raised it stands beside it, in whichever runs the two come; only over
/// what its author had read it would lower it.
#[test]
fn a_marking_beside_one_that_was_raised_lowers_nothing() {
    let mut hand = Hand::of("PCSO");
    let founding = hand.found();
    let raised = sets(
        Dot {
            counter: 3,
            ..founding
        },
        Some(founding),
        RevisionKind::AMEND,
        SENSITIVE,
    );
    assert_eq!(hand.hand_in(OLD, entry_of(&raised)), Standing::KEPT);
    let written = |counter| Dot {
        replica: CARRYING,
        counter,
    };
    let mut beside = sets(written(2), Some(raised.dot), RevisionKind::AMEND, OFFICIAL);
    beside.header.record = Some(founding);
    beside.header.context = [founding].into_iter().collect();
    // It lowers what the record was founded with.
    assert_eq!(
        hand.hand_in(CARRYING, entry_of(&beside)),
        Standing::QUARANTINED_NOT_PERMITTED
    );
    let mut hand = Hand::of("PCSO");
    let founding = hand.found_with(OFFICIAL);
    assert_eq!(hand.hand_in(OLD, entry_of(&raised)), Standing::KEPT);
    assert_eq!(hand.hand_in(CARRYING, entry_of(&beside)), Standing::KEPT);
    assert!(hand.shows_sensitive(founding));
    let mut over = sets(written(3), Some(founding), RevisionKind::AMEND, OFFICIAL);
    over.header.context = [raised.dot, written(2)].into_iter().collect();
    assert_eq!(
        hand.hand_in(CARRYING, entry_of(&over)),
        Standing::QUARANTINED_NOT_PERMITTED
    );
}

/// An officer's device in the hands of somebody who writes its bytes.
struct Hand {
    server: MemoryStore,
    key: SigningKey,
    officer: OfficerId,
    enrolment: EnrolmentId,
}

impl Hand {
    /// Enrolled, with an old book and one that carries on what that could not send.
    fn of(role: &str) -> Self {
        let key = SigningKey::ed25519_from_seed(&[3; 32]);
        let mut hand = Self {
            server: MemoryStore::default(),
            officer: OfficerId::from_bytes([1; 16]),
            enrolment: EnrolmentId::from_bytes([2; 16]),
            key,
        };
        let officer = Officer {
            id: hand.officer,
            collar: "9123".to_owned(),
            name: "Sam Pike".to_owned(),
            role: Code::new(role).unwrap(),
            added_at_ms: 0,
        };
        let enrolment = Enrolment {
            id: hand.enrolment,
            officer: hand.officer,
            label: "phone".to_owned(),
            key: Some(hand.key.public_key()),
            issued_at_ms: 0,
            enrolled_at_ms: Some(0),
            revoked_at_ms: None,
            last_contact_ms: None,
        };
        hand.commit(|tx| {
            register::put(tx, &officer).unwrap();
            register::put(tx, &enrolment).unwrap();
            server::mint_epoch(tx, EpochId::from_bytes([4; 16])).unwrap();
        });
        for (replica, follows) in [(OLD, None), (CARRYING, Some(OLD))] {
            let opening = hand.opening(replica, follows);
            assert_eq!(hand.hand_in(replica, opening), Standing::KEPT);
        }
        hand
    }

    /// Founds a sensitive note in the old book, as its second entry.
    fn found(&mut self) -> Dot {
        let dot = self.found_with(SENSITIVE);
        assert!(self.shows_sensitive(dot));
        dot
    }

    fn shows_sensitive(&self, record: Dot) -> bool {
        let named = ledger::record_name(&self.server, record).unwrap();
        is_sensitive(&ledger::head(&self.server, named).unwrap().unwrap())
    }

    fn found_with(&mut self, marking: (FieldId, &str)) -> Dot {
        let dot = Dot {
            replica: OLD,
            counter: 2,
        };
        let mut founding = sets(dot, None, RevisionKind::CREATE, marking);
        let beat = FieldOp::Set(Value::Code(Code::new("52/C02").unwrap()));
        founding.body.ops.0.push((field::BEAT, beat));
        founding.header.fields.0.push(field::BEAT);
        assert_eq!(self.hand_in(OLD, entry_of(&founding)), Standing::KEPT);
        dot
    }

    fn hand_in(&mut self, replica: ReplicaId, entry: Entry) -> Standing {
        self.hand_in_run(replica, vec![entry])[0]
    }

    /// Hands in the next run of a book; returns how its entries stand.
    fn hand_in_run(&mut self, replica: ReplicaId, entries: Vec<Entry>) -> Vec<Standing> {
        let known = ledger::book(&self.server, replica).unwrap();
        let (held, previous) = known.map_or((0, SealClaim::NO_SEAL), |known| (known.held, known.seal));
        let secret = RunSecret([7; 32]);
        let dots: Vec<Dot> = (held + 1..)
            .map(|counter| Dot { replica, counter })
            .take(entries.len())
            .collect();
        let commitments: Vec<_> = dots
            .iter()
            .zip(&entries)
            .map(|(dot, entry)| entry.commitment(&secret.salt(replica, dot.counter)))
            .collect();
        let claim = SealClaim {
            replica,
            first: held + 1,
            last: held + entries.len() as u64,
            root: merkle::root(&commitments),
            previous,
        };
        let run = Run {
            seal: claim.sign(&self.key).unwrap(),
            secret,
            entries: List(entries),
        };
        let key = self.key.public_key();
        let op = ServerOp::AcceptRun {
            peer: self.enrolment,
            run: Box::new(run.verify(&key).unwrap()),
        };
        let peer = (self.enrolment, &key);
        let receipts = SigningKey::ed25519_from_seed(&[5; 32]);
        let reply = self.commit(|tx| {
            let desk = Desk {
                signer: &receipts,
                tag_key: &[6; 32],
                now_ms: 1,
                fresh_epoch: EpochId::from_bytes([8; 16]),
            };
            execute(tx, &desk, peer, op).unwrap()
        });
        assert!(matches!(reply, ServerReply::RunAccepted { .. }), "{reply:?}");
        let standing = |dot: &Dot| ledger::entry(&self.server, *dot).unwrap().unwrap().standing;
        dots.iter().map(standing).collect()
    }

    fn entry(&self, dot: Dot) -> Entry {
        ledger::entry(&self.server, dot).unwrap().unwrap().entry
    }

    fn opening(&self, replica: ReplicaId, follows: Option<ReplicaId>) -> Entry {
        let opening = Opening {
            domain: Code::new(Opening::DOMAIN).unwrap(),
            force: Code::new("52").unwrap(),
            replica,
            kind: ReplicaKind::Book,
            officer: self.officer,
            enrolment: self.enrolment,
            key: self.key.public_key(),
            follows,
            opened_at: stamp(),
        };
        let header = Header {
            record: None,
            family: Code::new(beatbook_proto::field::BOOK_FAMILY).unwrap(),
            kind: RevisionKind::OPEN,
            schema: 1,
            context: VersionVector::new(),
            prior: 0,
            lamport: 1,
            fields: List::default(),
        };
        Entry::new(&header, &opening).unwrap()
    }

    fn commit<T>(&mut self, job: impl FnOnce(&mut Transaction<'_>) -> T) -> T {
        let mut tx = Transaction::new(&self.server);
        let done = job(&mut tx);
        let writes = tx.into_writes();
        self.server.apply(&writes);
        done
    }
}

fn entry_of(revision: &Revision) -> Entry {
    Entry::new(&revision.header, &revision.body).unwrap()
}

/// The envelope that a device makes around an entry that was closed in so many times.
fn wrapped_times(times: u8, dot: Dot, entry: Entry) -> Entry {
    let header = Header {
        kind: RevisionKind::REISSUE,
        context: VersionVector::new(),
        prior: 0,
        ..entry.header().unwrap()
    };
    let original = |dot, entry| Original {
        dot,
        entry,
        salt: None,
        seal: None,
        proof: None,
    };
    let mut wrapped = Entry::new(&header, &original(dot, entry)).unwrap();
    for time in 1..times {
        let between = Dot {
            replica: ReplicaId::from_bytes([100 + time; 16]),
            counter: 2,
        };
        wrapped = Entry::new(&header, &original(between, wrapped)).unwrap();
    }
    wrapped
}

const SENSITIVE: (FieldId, &str) = (field::MARKING, "OFFICIAL_SENSITIVE");
const CHECKED: (FieldId, &str) = (field::LIFECYCLE, "CHECKED");
const OLD: ReplicaId = ReplicaId::from_bytes([10; 16]);
const CARRYING: ReplicaId = ReplicaId::from_bytes([11; 16]);
