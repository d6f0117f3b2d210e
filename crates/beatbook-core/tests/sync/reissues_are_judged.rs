//! A re-issue brings nothing that its revision could not have brought by itself, and takes nothing from anybody.

use std::sync::Mutex;

use beatbook_core::ledger::{self, Book, Check, CheckNothing};
use beatbook_core::server::{self, ServerOp, ServerReply};
use beatbook_proto::{
    Dot, Entry, FieldOp, Header, List, Original, RecordId, Revision, RevisionKind, Run, RunSecret, SealClaim,
    Signer, Standing, Value, VersionVector, merkle,
};

use crate::world::{DeviceIndex, PLACE, SUBJECT, World, set, texts};

/// Invariant: what the rules forbid is forbidden in an envelope too; it is set aside and not lost, and what is lawful
/// beside it is kept.
#[test]
fn what_the_rules_forbid_is_set_aside_in_an_envelope_too() {
    for restores in 1..3 {
        let (mut world, phone, record) = started();
        let other = world.found(phone, "CONTACT", "52/C02", "another");
        world.sync(phone);
        world.rules = &NothingForbidden;
        for (record, text) in [(record, FORBIDDEN), (other, "lawful")] {
            world.amend(phone, record, vec![(SUBJECT, set(text))]).unwrap();
        }
        for _ in 0..restores {
            world.reopen(phone);
        }
        world.heal();
        let standings = reissues_at_server(&world);
        let kept_first = [Standing::KEPT, Standing::QUARANTINED_NOT_PERMITTED];
        assert_eq!(standings, kept_first, "opened {restores} times");
        assert_eq!(texts(&world.server_head(record).unwrap(), SUBJECT), ["at first"]);
        assert_eq!(texts(&world.server_head(other).unwrap(), SUBJECT), ["lawful"]);
        assert_eq!(
            ledger::status(&world.devices[phone].store).unwrap().quarantined,
            1
        );
        world.check_nothing_lost();
        world.check_receipted_is_held();
    }
}

/// The rules see the innermost revision under the envelope's dot, its record by the name that it has since.
#[test]
fn the_rules_are_asked_about_what_is_folded() {
    let (mut world, phone, _) = started();
    let founded = world.found(phone, "CONTACT", "52/C02", "never sent");
    world
        .amend(phone, founded, vec![(PLACE, set("in the square"))])
        .unwrap();
    world.reopen(phone);
    let asked: &'static Asked = Box::leak(Box::default());
    world.rules = asked;
    // One run for each: what the first made is known when the second is judged.
    let slow = crate::link::Faults {
        run_bytes: 1,
        ..crate::link::Faults::NONE
    };
    world.sync_with(phone, slow);
    let asked = asked.0.lock().unwrap().clone();
    let dots: Vec<Dot> = asked.iter().map(|revision| revision.dot).collect();
    assert_eq!(dots.len(), 2, "{dots:?}");
    assert!(
        dots.iter().all(|dot| dot.replica != founded.replica),
        "the envelopes' dots"
    );
    assert_eq!(asked[0].header.record, None);
    assert_eq!(asked[1].header.record, Some(dots[0]));
    assert_eq!(asked[1].header.kind, RevisionKind::AMEND);
    assert_eq!(asked[1].body.ops.0, vec![(PLACE, set("in the square"))]);
}

/// What was accepted under its own dot says nothing new in an envelope, whatever the rules say since.
#[test]
fn what_was_accepted_before_is_not_asked_again() {
    let (mut world, phone, record) = started();
    let dot = world
        .amend(phone, record, vec![(SUBJECT, set(FORBIDDEN))])
        .unwrap()
        .dot;
    world.sync(phone);
    world.reopen(phone);
    world.sync(phone);
    world.rules = &NothingForbidden;
    let original = ledger::entry(&world.server, dot).unwrap().unwrap().entry;
    let envelope = wrapped(dot, original.clone());
    assert_eq!(hand_in(&mut world, phone, envelope), Standing::KEPT);
    // The same dot around other bytes does not pass with it.
    let other = changed(dot, &original, |revision| revision.header.lamport += 1);
    let envelope = wrapped(dot, other);
    assert_eq!(
        hand_in(&mut world, phone, envelope),
        Standing::QUARANTINED_NOT_PERMITTED
    );
}

/// Invariant: nobody issues again what another officer wrote, or says in the open something else than is inside.
#[test]
fn an_envelope_that_lies_is_malformed() {
    let (mut world, phone, record) = started();
    let bob = world.officer("PCSO", &["52/C02"]);
    let theirs = world.device(bob);
    let of_bob = world.found(theirs, "CONTACT", "52/C02", "of another officer");
    world.sync(theirs);
    let stolen = ledger::entry(&world.server, of_bob).unwrap().unwrap().entry;
    let dot = world
        .amend(phone, record, vec![(SUBJECT, set("own"))])
        .unwrap()
        .dot;
    world.reopen(phone);
    let own = ledger::entry(&world.devices[phone].store, dot)
        .unwrap()
        .unwrap()
        .entry;
    let here = world.book(phone).replica();
    let lies = [
        ("another officer's", wrapped(of_bob, stolen)),
        (
            "of its own book",
            wrapped(Dot { replica: here, ..dot }, own.clone()),
        ),
        (
            "an opening",
            wrapped(
                dot,
                changed(dot, &own, |revision| revision.header.kind = RevisionKind::OPEN),
            ),
        ),
        (
            "no reason",
            wrapped(dot, changed(dot, &own, |revision| revision.body.reason = None)),
        ),
    ];
    let headers = headers_that_lie(dot, &own, of_bob, record);
    world.rules = &CheckNothing;
    world.sync(phone);
    for (name, lie) in lies.into_iter().chain(headers) {
        let standing = hand_in(&mut world, phone, lie);
        assert_eq!(standing, Standing::QUARANTINED_MALFORMED, "{name}");
    }
    assert_eq!(
        texts(&world.server_head(of_bob).unwrap(), SUBJECT),
        ["of another officer"]
    );
}

/// Envelopes around an entry whose headers say something else than is inside.
fn headers_that_lie(dot: Dot, own: &Entry, other: Dot, context: Dot) -> [(&'static str, Entry); 4] {
    let with_header = |change: &dyn Fn(&mut Header)| {
        let mut header = wrapped(dot, own.clone()).header().unwrap();
        change(&mut header);
        Entry::new(&header, &original(dot, own.clone())).unwrap()
    };
    [
        (
            "another record",
            with_header(&|header| header.record = Some(other)),
        ),
        (
            "another family",
            with_header(&|header| header.family = crate::world::code("NOTE")),
        ),
        (
            "no field",
            with_header(&|header| header.fields = List(Vec::new())),
        ),
        (
            "a context of its own",
            with_header(&|header| header.context = VersionVector::from_iter([context])),
        ),
    ]
}

/// Invariant: whoever was first to bring what another officer wrote, while the server did not know that book, takes
/// nothing: it stays its author's, under its own dot.
#[test]
fn what_another_officer_wrote_stays_theirs_when_it_comes() {
    let (mut world, phone, _) = started();
    let bob = world.officer("PCSO", &["52/C02"]);
    let theirs = world.device(bob);
    let of_bob = world.found(theirs, "CONTACT", "52/C02", "of another officer");
    world
        .amend(theirs, of_bob, vec![(PLACE, set("in the square"))])
        .unwrap();
    let stolen = ledger::entry(&world.devices[theirs].store, of_bob)
        .unwrap()
        .unwrap()
        .entry;
    assert_eq!(
        hand_in(&mut world, phone, wrapped(of_bob, stolen)),
        Standing::KEPT
    );
    world.sync(theirs);
    world.sync(theirs);
    let name = ledger::record_name(&world.server, of_bob).unwrap();
    assert_eq!(name, of_bob, "it goes by the dot that its author gave it");
    let head = world.server_head(of_bob).unwrap();
    assert_eq!(texts(&head, PLACE), ["in the square"]);
    assert!(
        head.revisions
            .iter()
            .all(|(_, dot)| dot.replica == of_bob.replica)
    );
}

/// Hands in an entry as the next of the device's open book, as a program of one's own could; returns how it stands.
fn hand_in(world: &mut World, device: DeviceIndex, entry: Entry) -> Standing {
    let replica = world.book(device).replica();
    let known = ledger::book(&world.server, replica)
        .unwrap()
        .expect("the book was sent");
    let (counter, secret) = (known.held + 1, RunSecret([7; 32]));
    let claim = SealClaim {
        replica,
        first: counter,
        last: counter,
        root: merkle::root(&[entry.commitment(&secret.salt(replica, counter))]),
        previous: known.seal,
    };
    let site = &world.devices[device];
    let run = Run {
        seal: claim.sign(&site.key).unwrap(),
        secret,
        entries: List(vec![entry]),
    };
    let op = ServerOp::AcceptRun {
        peer: site.identity.enrolment,
        run: Box::new(run.verify(&site.key.public_key()).unwrap()),
    };
    let reply = world.at_server(|tx, env| server::execute(tx, env, op)).unwrap();
    assert!(matches!(reply, ServerReply::RunAccepted { .. }), "{reply:?}");
    let held = ledger::entry(&world.server, Dot { replica, counter }).unwrap();
    held.expect("whatever is said of it, it is kept").standing
}

fn original(dot: Dot, entry: Entry) -> Original {
    Original {
        dot,
        entry,
        salt: None,
        seal: None,
        proof: None,
    }
}

/// The envelope that a device would make.
fn wrapped(dot: Dot, entry: Entry) -> Entry {
    let header = Header {
        kind: RevisionKind::REISSUE,
        context: VersionVector::new(),
        prior: 0,
        ..entry.header().unwrap()
    };
    Entry::new(&header, &original(dot, entry)).unwrap()
}

fn changed(dot: Dot, entry: &Entry, change: impl FnOnce(&mut Revision)) -> Entry {
    let mut revision = Revision::read(dot, entry).unwrap();
    change(&mut revision);
    Entry::new(&revision.header, &revision.body).unwrap()
}

/// How the re-issues at the server stand, in order.
fn reissues_at_server(world: &World) -> Vec<Standing> {
    let mut standings = Vec::new();
    for book in ledger::books(&world.server).unwrap() {
        for (_, stored) in ledger::log(&world.server, book.replica(), 1, usize::MAX).unwrap() {
            if stored.entry.header().unwrap().kind == RevisionKind::REISSUE {
                standings.push(stored.standing);
            }
        }
    }
    standings.sort();
    standings
}

fn started() -> (World, DeviceIndex, RecordId) {
    let mut world = World::new(1);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    let record = world.found(phone, "CONTACT", "52/C02", "at first");
    world.sync(phone);
    (world, phone, record)
}

/// Sets aside whatever sets the forbidden text.
struct NothingForbidden;

impl Check for NothingForbidden {
    fn standing(&self, revision: &Revision, _: &Book) -> Standing {
        let forbidden =
            |op: &FieldOp| matches!(op, FieldOp::Set(Value::Text(text)) if text.as_str() == FORBIDDEN);
        if revision.body.ops.iter().any(|(_, op)| forbidden(op)) {
            Standing::QUARANTINED_NOT_PERMITTED
        } else {
            Standing::KEPT
        }
    }
}

/// Keeps what it was asked about.
#[derive(Default)]
struct Asked(Mutex<Vec<Revision>>);

impl Check for Asked {
    fn standing(&self, revision: &Revision, _: &Book) -> Standing {
        self.0.lock().unwrap().push(revision.clone());
        Standing::KEPT
    }
}

const FORBIDDEN: &str = "what the rules forbid";
