//! What a peer claims costs what is there, never what it claims; and it is told nothing that is not its own.

use beatbook_core::device::{self, DeviceOp, DeviceReply};
use beatbook_core::ledger::LedgerError;
use beatbook_core::server::{self, ServerOp, ServerReply};
use beatbook_core::session::{Responder, ResponderInput, ResponderOutput};
use beatbook_core::store::{Durable, Read, Table};
use beatbook_proto::frame::{BookClaim, Feed, Hello};
use beatbook_proto::{
    Cursor, Dot, Entry, FeedItem, Frame, Hash, List, ReplicaId, ReplicaKind, Run, RunSecret, Scope,
    SealClaim, Signer, merkle,
};

use crate::world::{Device, World};

/// Invariant: counters that run over and counts that are not meant are answered, at the cost of what is held.
#[test]
fn offers_of_everything_cost_what_is_held() {
    let mut world = World::new(1);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    let record = world.found(phone, "NOTE", "52/C02", "a note");
    world.sync(phone);
    let unknown = ReplicaId::from_bytes([9; 16]);
    let stretches = vec![
        (Dot { counter: 1, ..record }, u32::MAX),
        (
            Dot {
                replica: unknown,
                counter: u64::MAX,
            },
            u32::MAX,
        ),
        (
            Dot {
                replica: unknown,
                counter: u64::MAX - 3,
            },
            2,
        ),
        (
            Dot {
                replica: unknown,
                counter: 5,
            },
            0,
        ),
    ];
    let op = ServerOp::Offered(stretches.clone());
    let reply = world.at_server(|tx, env| server::execute(tx, env, op)).unwrap();
    let lacking = vec![
        (Dot { counter: 3, ..record }, u32::MAX - 2),
        (
            Dot {
                replica: unknown,
                counter: u64::MAX - 3,
            },
            2,
        ),
    ];
    assert_eq!(reply, ServerReply::Wanted(lacking));
    let op = DeviceOp::Parts(stretches);
    let reply = world
        .with_env(phone, |tx, env| device::execute(tx, env, op))
        .unwrap();
    let DeviceReply::Parts(parts) = reply else {
        panic!("parts were asked for")
    };
    assert_eq!(parts.len(), 1);
}

/// Invariant: a feed whose steps run over something, or are more than a frame holds, is refused before they are walked.
#[test]
fn feeds_that_run_over_are_refused() {
    let mut world = World::new(2);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    world.sync(phone);
    let first = Dot {
        replica: ReplicaId::from_bytes([9; 16]),
        counter: u64::MAX - 1,
    };
    let held = FeedItem::Held {
        first,
        count: u32::MAX,
    };
    let nowhere = FeedItem::Entries {
        part: 7,
        first: 1,
        count: 1,
    };
    for items in [
        vec![held.clone()],
        vec![held.clone(), held.clone()],
        vec![nowhere],
    ] {
        let cursor = Cursor {
            scope: Scope::Reference,
            epoch: beatbook_proto::EpochId::default(),
            position: u64::from(u32::MAX),
            hash: Hash::default(),
            tag: [0; 16],
        };
        let feed = Feed {
            from: 0,
            items: List(items),
            parts: List(vec![]),
            openings: List(vec![]),
            labels: List(vec![]),
            cursor,
        };
        let op = DeviceOp::Feed(feed);
        let refused = world.with_env(phone, |tx, env| device::execute(tx, env, op));
        assert!(
            matches!(refused, Err(LedgerError::PeerMisbehaved(_))),
            "{refused:?}"
        );
    }
}

/// Invariant: who claims a book of someone else hears nothing of it: no counter, no seal, no label, no verdicts.
#[test]
fn a_claim_on_anothers_book_is_told_nothing() {
    let mut world = World::new(3);
    let (ann, eve) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C03"]),
    );
    let (phone, stranger) = (world.device(ann), world.device(eve));
    let record = world.found(phone, "NOTE", "52/C02", "a note");
    world.sync(phone);
    let claim = BookClaim {
        replica: record.replica,
        counter: 0,
        seal: SealClaim::NO_SEAL,
        kind: ReplicaKind::Book,
    };
    let hello = Hello {
        protocol_min: 1,
        protocol_max: 1,
        features: 0,
        books: List(vec![claim]),
        cursors: List(vec![]),
        live: false,
    };
    let site = &world.devices[stranger];
    let (peer, key) = (site.identity.enrolment, site.key.public_key());
    let op = ServerOp::Greet { peer, key, hello };
    let reply = world.at_server(|tx, env| server::execute(tx, env, op)).unwrap();
    let ServerReply::Greeted(greeted) = reply else {
        panic!("the stranger is enrolled")
    };
    let told = &greeted.welcome.books[0];
    assert_eq!((told.claim, told.secured, &told.label), (claim, 0, &None));
    assert!(greeted.verdicts.is_empty() && greeted.claims.is_empty());
}

/// Invariant: names of books cost a peer nothing, so they cost the server no more than a few rows an officer; a book that
/// is opened has its label all the same, and a colleague is not touched by it.
#[test]
fn names_of_books_do_not_fill_the_server() {
    let mut world = World::new(5);
    let (ann, bob) = (
        world.officer("PCSO", &["52/C02"]),
        world.officer("PCSO", &["52/C02"]),
    );
    let (phone, colleague) = (world.device(ann), world.device(bob));
    let claimed = |hello: u8, book: u16| {
        let mut replica = [hello; 16];
        replica[..2].copy_from_slice(&book.to_be_bytes());
        BookClaim {
            replica: ReplicaId::from_bytes(replica),
            counter: 0,
            seal: SealClaim::NO_SEAL,
            kind: ReplicaKind::Trace,
        }
    };
    let rows = |world: &World| {
        let (from, to) = (b"label".as_slice(), b"labem".as_slice());
        world
            .server
            .scan(Table::Meta, from, to, usize::MAX)
            .unwrap()
            .len()
    };
    for hello in 1..4 {
        let site = &world.devices[phone];
        let (peer, key) = (site.identity.enrolment, site.key.public_key());
        let op = ServerOp::Greet {
            peer,
            key,
            hello: Hello {
                protocol_min: 1,
                protocol_max: 1,
                features: 0,
                books: List((0..4_096).map(|book| claimed(hello, book)).collect()),
                cursors: List(vec![]),
                live: false,
            },
        };
        let reply = world.at_server(|tx, env| server::execute(tx, env, op)).unwrap();
        let ServerReply::Greeted(greeted) = reply else {
            panic!("the phone is enrolled")
        };
        assert_eq!(greeted.welcome.books.len(), 4_096, "each claim has its answer");
        assert!(rows(&world) < 100, "{} rows of labels", rows(&world));
    }
    for device in [phone, colleague] {
        world.found(device, "NOTE", "52/C02", "a note");
        world.sync(device);
        world.sync(device);
        let label = world.book(device).label.expect("an opened book has its label");
        assert_eq!(label.as_str(), "B01");
    }
    // What is opened makes room for the next.
    world.sync(phone);
    for _ in 0..3 {
        world.reopen(phone);
        world.sync(phone);
        world.sync(phone);
    }
    assert!(world.book(phone).label.is_some());
    world.check_healed();
}

/// Invariant: what comes before the register has answered takes bounded memory: beyond that no frame is read, and an
/// honest device goes on once it has.
#[test]
fn frames_before_the_register_has_answered_take_bounded_memory() {
    let mut world = World::new(4);
    let ann = world.officer("PCSO", &["52/C02"]);
    let phone = world.device(ann);
    let site = &world.devices[phone];
    let mut responder = Responder::new(site.identity.enrolment, site.key.public_key());
    let run = large_run(site);
    let bytes: usize = run.entries.iter().map(Entry::byte_len).sum();
    let hello = Hello {
        protocol_min: 1,
        protocol_max: 1,
        features: 0,
        books: List(vec![]),
        cursors: List(vec![]),
        live: false,
    };
    responder
        .handle(ResponderInput::Frame(Frame::Hello(hello)))
        .unwrap();
    let mut taken = 0;
    while responder.has_room() {
        let frame = Frame::Run(Box::new(run.clone()));
        responder.handle(ResponderInput::Frame(frame)).unwrap();
        taken += bytes;
        assert!(
            taken <= (4 << 20) + bytes,
            "{taken} bytes are kept and more are taken"
        );
    }
    let Some(ResponderOutput::Store(greet)) = responder.poll_output() else {
        panic!("the register is asked")
    };
    let reply = world
        .at_server(|tx, env| server::execute(tx, env, *greet))
        .unwrap();
    let reply = ResponderInput::Reply(Ok(Durable::assert_stored(reply)));
    responder.handle(reply).unwrap();
    assert!(responder.has_room());
}

/// A run of the largest entries, sealed by the device's key.
fn large_run(device: &Device) -> Run {
    let (replica, secret) = (ReplicaId::from_bytes([6; 16]), RunSecret([7; 32]));
    let entry = Entry {
        header: vec![0; 9].into(),
        body: vec![1; 250 << 10].into(),
    };
    let root = merkle::root(&[entry.commitment(&secret.salt(replica, 1))]);
    let claim = SealClaim {
        replica,
        first: 1,
        last: 1,
        root,
        previous: SealClaim::NO_SEAL,
    };
    let seal = claim.sign(&device.key).unwrap();
    Run {
        seal,
        secret,
        entries: List(vec![entry]),
    }
}
