//! Whatever this side writes it reads back as it was, and what it cannot read it passes on unchanged.

use beatbook_proto::frame::{BookClaim, Close, Feed, Frame, Hello, Offer, Verdicts};
use beatbook_proto::{
    BlobRef, Body, ClockSource, CloseCode, Code, Cursor, Dot, Entry, EpochId, FeedItem, FieldId, FieldOp,
    Hash, Header, Instant, OfficerId, Part, Point, Proof, ReplicaId, ReplicaKind, Revision, RevisionKind,
    Run, RunSecret, Salt, Scope, SealClaim, Signer, SigningKey, Stamp, Standing, Text, Value, Verdict,
    VersionVector, codec, merkle,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_and_operations(value in value(), number in any::<i64>()) {
        prop_assert!(value.depth() <= 4);
        let ops = vec![
            FieldOp::Set(value.clone()), FieldOp::Add(value.clone()), FieldOp::Remove(value.clone()),
            FieldOp::Append(value.clone()), FieldOp::Increment(number), FieldOp::Max(number), FieldOp::Clear,
        ];
        prop_assert_eq!(again(&value), value);
        for op in ops {
            prop_assert_eq!(again(&op), op);
        }
    }

    #[test]
    fn headers_of_known_and_unknown_kinds(header in header()) {
        prop_assert_eq!(again(&header), header);
    }

    #[test]
    fn bodies(body in body()) {
        prop_assert_eq!(again(&body), body);
    }

    // Invariant: an entry of which this build understands nothing leaves as the bytes that came (R-REV-1,
    // R-REV-2), also through a run, its proof and a part made of it.
    #[test]
    fn entries_are_passed_on_byte_for_byte(entries in vec(entry(), 1..9), first in 1_u64..1 << 40, ed in any::<bool>()) {
        let key = if ed { SigningKey::ed25519_from_seed(&[9; 32]) } else { p256() };
        let run = sealed(&entries, first, &key);
        let read: Run = again(&run);
        prop_assert_eq!(&read.entries.0, &entries);
        let proved = read.verify(&key.public_key()).expect("a run that was sealed verifies");
        let kept: Vec<Entry> = proved.entries().iter().map(|entry| entry.entry.clone()).collect();
        prop_assert_eq!(kept, entries);
    }

    #[test]
    fn any_part_of_a_run_proves_itself(entries in vec(entry(), 1..20), held in vec(any::<bool>(), 20)) {
        let key = SigningKey::ed25519_from_seed(&[9; 32]);
        let run = sealed(&entries, 7, &key);
        let held = &held[..entries.len()];
        let part = part_of(&run, held);
        let whole = run.verify(&key.public_key()).expect("a run that was sealed verifies");
        let proved = again(&part).verify(&key.public_key()).expect("a part of it verifies");
        prop_assert_eq!(proved.seal().hash(), whole.seal().hash());
        prop_assert_eq!(proved.entries().len(), held.iter().filter(|held| **held).count());
        prop_assert!(proved.entries().iter().all(|entry| whole.entries().contains(entry)));
    }

    #[test]
    fn frames(frame in frame()) {
        let bytes = frame.encode().expect("a frame within the limits encodes");
        prop_assert_eq!(Frame::decode_whole(&bytes), Ok(frame));
    }

    #[test]
    fn whatever_is_packed_is_unpacked(piece in vec(any::<u8>(), 1..200), times in 1_usize..400) {
        let bytes = piece.repeat(times);
        prop_assert_eq!(codec::unpack(&codec::pack(&bytes)), Ok(bytes));
    }
}

/// Property: header fields of a newer peer survive a read and a write through every layer.
#[test]
fn unknown_family_kind_and_fields_survive() {
    let header = Header {
        record: None,
        family: word("HOVERBOARD_CHECK"),
        kind: RevisionKind(250),
        schema: 40_000,
        context: VersionVector::new(),
        prior: 0,
        lamport: 1,
        fields: vec![FieldId(u16::MAX)].into(),
    };
    let body = Body {
        recorded_at: Stamp {
            utc_ms: 0,
            offset_min: 0,
            source: ClockSource(99),
            uncertainty_ms: 0,
        },
        reason: None,
        settles: Vec::new().into(),
        ops: vec![(FieldId(u16::MAX), FieldOp::Set(Value::Code(word("LEVITATING"))))].into(),
    };
    let entry = Entry::new(&header, &body).expect("a short entry fits");
    let dot = Dot {
        replica: ReplicaId::from_bytes([1; 16]),
        counter: 1,
    };
    let revision = Revision::read(dot, &again(&entry)).expect("it reads");
    assert_eq!((&revision.header, &revision.body), (&header, &body));
    assert_eq!(revision.record(), dot);
    assert_eq!(Entry::new(&revision.header, &revision.body), Ok(entry));
}

/// Property: a record's words show in no `Debug` of what carries them.
#[test]
fn debug_shows_no_words() {
    let secret = "Wren Sample of 01632 960555";
    let text = Text::new(secret).expect("short");
    let value = Value::Group(vec![(FieldId(1), Value::Text(text)), (FieldId(2), Value::Int(960_555))].into());
    let point = Value::Point(Point {
        lat_e7: 960_555,
        lon_e7: 960_555,
    });
    let code = Value::Code(word("960555"));
    for value in [value, point, code, Value::Int(960_555), Value::Date(960_555)] {
        for shown in [
            format!("{value:?}"),
            format!("{:?}", FieldOp::Set(value.clone())),
            format!("{:?}", Value::List(vec![value].into())),
        ] {
            assert!(
                !shown.contains("Wren") && !shown.contains("960555") && !shown.contains("960_555"),
                "{shown}"
            );
        }
    }
    for shown in [
        format!("{:?}", FieldOp::Increment(960_555)),
        format!("{:?}", FieldOp::Max(960_555)),
    ] {
        assert!(!shown.contains("960555"), "{shown}");
    }
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let bytes = codec::encode(value).expect("a value within the limits encodes");
    codec::decode(&bytes).expect("what was encoded decodes")
}

fn sealed(entries: &[Entry], first: u64, key: &SigningKey) -> Run {
    let secret = RunSecret([3; 32]);
    let claim = SealClaim {
        replica: ReplicaId::from_bytes([1; 16]),
        first,
        last: first + entries.len() as u64 - 1,
        root: merkle::root(&commitments(entries, first, &secret)),
        previous: SealClaim::NO_SEAL,
    };
    Run {
        seal: claim.sign(key).expect("a key in memory signs"),
        secret,
        entries: entries.to_vec().into(),
    }
}

fn commitments(entries: &[Entry], first: u64, secret: &RunSecret) -> Vec<Hash> {
    let replica = ReplicaId::from_bytes([1; 16]);
    (first..)
        .zip(entries)
        .map(|(counter, entry)| entry.commitment(&secret.salt(replica, counter)))
        .collect()
}

fn part_of(run: &Run, held: &[bool]) -> Part {
    let claim = &run.seal.claim;
    let entries: Vec<(u64, Entry)> = (claim.first..)
        .zip(run.entries.iter().cloned())
        .zip(held)
        .filter_map(|(entry, held)| held.then_some(entry))
        .collect();
    let salts: Vec<Salt> = entries
        .iter()
        .map(|(counter, _)| run.secret.salt(claim.replica, *counter))
        .collect();
    let hashes = merkle::prove(&commitments(&run.entries, claim.first, &run.secret), held);
    Part {
        seal: run.seal.clone(),
        proof: Proof::Partial {
            salts: salts.into(),
            hashes: hashes.into(),
        },
        entries: entries.into(),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        text().prop_map(Value::Text),
        code().prop_map(Value::Code),
        (any::<i64>(), any::<i16>())
            .prop_map(|(utc_ms, offset_min)| Value::Instant(Instant { utc_ms, offset_min })),
        any::<i32>().prop_map(Value::Date),
        (any::<i32>(), any::<i32>()).prop_map(|(lat_e7, lon_e7)| Value::Point(Point { lat_e7, lon_e7 })),
        vec(any::<u8>(), 0..64).prop_map(|bytes| Value::Track(bytes.into())),
        dot().prop_map(Value::Record),
        any::<[u8; 16]>().prop_map(|bytes| Value::Officer(OfficerId::from_bytes(bytes))),
        (any::<[u8; 32]>(), any::<u64>(), code()).prop_map(|(hash, length, media)| {
            Value::Blob(Box::new(BlobRef {
                hash: Hash(hash),
                length,
                media,
            }))
        }),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|items| Value::List(items.into())),
            vec((field(), inner), 0..6).prop_map(|members| Value::Group(members.into())),
        ]
    })
}

fn body() -> impl Strategy<Value = Body> {
    let op = prop_oneof![
        value().prop_map(FieldOp::Set),
        value().prop_map(FieldOp::Add),
        any::<i64>().prop_map(FieldOp::Increment),
        Just(FieldOp::Clear),
    ];
    let parts = (
        stamp(),
        option::of(text()),
        vec(dot(), 0..4),
        vec((field(), op), 0..8),
    );
    parts.prop_map(|(recorded_at, reason, settles, ops)| Body {
        recorded_at,
        reason,
        settles: settles.into(),
        ops: ops.into(),
    })
}

fn header() -> impl Strategy<Value = Header> {
    let parts = (
        option::of(dot()),
        code(),
        any::<u8>(),
        any::<u16>(),
        vector(),
        any::<u64>(),
        any::<u64>(),
    );
    (parts, vec(field(), 0..9)).prop_map(
        |((record, family, kind, schema, context, prior, lamport), fields)| Header {
            record,
            family,
            kind: RevisionKind(kind),
            schema,
            context,
            prior,
            lamport,
            fields: fields.into(),
        },
    )
}

/// Entries of ordinary revisions, and of bytes that mean nothing here.
fn entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        (header(), body()).prop_map(|(header, body)| Entry::new(&header, &body).expect("it fits an entry")),
        (vec(any::<u8>(), 9..64), vec(any::<u8>(), 0..64)).prop_map(|(header, body)| Entry {
            header: header.into(),
            body: body.into(),
        }),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let kind = prop_oneof![Just(ReplicaKind::Book), Just(ReplicaKind::Trace)];
    let claim = (replica(), any::<u64>(), any::<[u8; 32]>(), kind);
    let claim = claim.prop_map(|(replica, counter, seal, kind)| BookClaim {
        replica,
        counter,
        seal: Hash(seal),
        kind,
    });
    let hello = (any::<u64>(), vec(claim, 0..9), vec(cursor(), 0..5), any::<bool>());
    let verdict = (any::<u64>(), any::<u8>()).prop_map(|(counter, standing)| Verdict {
        counter,
        standing: Standing(standing),
    });
    let item = prop_oneof![
        (any::<u16>(), any::<u64>(), any::<u32>()).prop_map(|(part, first, count)| FeedItem::Entries {
            part,
            first,
            count
        }),
        (dot(), any::<u32>()).prop_map(|(first, count)| FeedItem::Held { first, count }),
        dot().prop_map(FeedItem::Left),
    ];
    let feed = (
        any::<u64>(),
        vec(item, 0..40),
        vec((replica(), code()), 0..4),
        cursor(),
        vec(entry(), 1..5),
    );
    let stretches = vec((dot(), any::<u32>()), 0..9);
    prop_oneof![
        hello.prop_map(|(features, books, cursors, live)| Frame::Hello(Hello {
            protocol_min: 1,
            protocol_max: 9,
            features,
            books: books.into(),
            cursors: cursors.into(),
            live,
        })),
        feed.prop_map(|(from, items, labels, cursor, entries)| {
            let run = sealed(&entries, 1, &SigningKey::ed25519_from_seed(&[9; 32]));
            Frame::Feed(Box::new(Feed {
                from,
                items: items.into(),
                parts: vec![part_of(&run, &vec![true; entries.len()])].into(),
                openings: Vec::new().into(),
                labels: labels.into(),
                cursor,
            }))
        }),
        (replica(), vec(verdict, 0..300), any::<u64>()).prop_map(|(replica, verdicts, secured)| {
            Frame::Verdicts(Verdicts {
                replica,
                verdicts: verdicts.into(),
                secured,
            })
        }),
        Just(Frame::CaughtUp),
        (any::<u16>(), any::<u32>()).prop_map(|(code, retry_after_ms)| Frame::Close(Close {
            code: CloseCode(code),
            retry_after_ms,
        })),
        stretches.prop_map(|stretches| Frame::Offer(Offer {
            stretches: stretches.into(),
        })),
    ]
}

fn cursor() -> impl Strategy<Value = Cursor> {
    let scope = prop_oneof![
        Just(Scope::Own),
        Just(Scope::Reference),
        (code(), any::<u8>()).prop_map(|(beat, class)| Scope::Beat { beat, class }),
    ];
    let parts = (
        scope,
        any::<[u8; 16]>(),
        any::<u64>(),
        any::<[u8; 32]>(),
        any::<[u8; 16]>(),
    );
    parts.prop_map(|(scope, epoch, position, hash, tag)| Cursor {
        scope,
        epoch: EpochId::from_bytes(epoch),
        position,
        hash: Hash(hash),
        tag,
    })
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (any::<i64>(), any::<i16>(), any::<u8>(), any::<u32>()).prop_map(
        |(utc_ms, offset_min, source, uncertainty_ms)| Stamp {
            utc_ms,
            offset_min,
            source: ClockSource(source),
            uncertainty_ms,
        },
    )
}

fn vector() -> impl Strategy<Value = VersionVector> {
    btree_map(replica(), 1_u64.., 0..9).prop_map(|counters| {
        counters
            .into_iter()
            .map(|(replica, counter)| Dot { replica, counter })
            .collect()
    })
}

fn text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(|text| Text::new(text).expect("a short text"))
}

fn code() -> impl Strategy<Value = Code> {
    "[!-~]{1,64}".prop_map(|code| Code::new(code).expect("printable and short"))
}

fn field() -> impl Strategy<Value = FieldId> {
    any::<u16>().prop_map(FieldId)
}

fn dot() -> impl Strategy<Value = Dot> {
    (replica(), any::<u64>()).prop_map(|(replica, counter)| Dot { replica, counter })
}

fn replica() -> impl Strategy<Value = ReplicaId> {
    any::<[u8; 16]>().prop_map(ReplicaId::from_bytes)
}

fn word(word: &str) -> Code {
    Code::new(word).expect("a word")
}

fn p256() -> SigningKey {
    // PKCS#8 around any scalar below the order of the curve.
    let head = [
        0x30, 0x41, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48,
        0xce, 0x3d, 3, 1, 7, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20,
    ];
    SigningKey::p256_from_pkcs8(&[&head[..], &[0x21; 32]].concat())
        .expect("a scalar below the order is a key")
}
