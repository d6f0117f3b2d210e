//! Samples of everything that is encoded, from fixed keys and synthetic people: what the golden
//! vectors pin, and what the corpus and the mutations start from.

use beatbook_proto::feed::{hash_after_departure, hash_after_entry};
use beatbook_proto::frame::{BookClaim, BookPosition, Close, Feed, Frame, Hello, Offer, Verdicts, Welcome};
use beatbook_proto::{
    Body, ClockSource, CloseCode, Code, Cursor, Dot, EnrolmentId, Entry, EpochId, FeedItem, FieldId, FieldOp,
    Hash, Header, OfficerId, Opening, Original, Part, Proof, Receipt, ReceiptClaim, ReplicaId, ReplicaKind,
    RevisionKind, Run, RunSecret, Scope, Seal, SealClaim, Signer, SigningKey, Stamp, Standing, Text, Value,
    Verdict, VersionVector, merkle,
};

mod thing;
mod values;

pub use thing::{Kind, Thing};

/// One sample.
pub struct Sample {
    /// Its name, the file name of its vector.
    pub name: String,
    /// What it shows.
    pub about: &'static str,
    /// The sample itself.
    pub thing: Thing,
}

/// Every sample.
pub fn all() -> Vec<Sample> {
    let mut samples = values::all();
    samples.extend(revisions());
    samples.extend(proofs());
    samples.extend(feeds());
    samples.extend(frames());
    samples
}

fn sample(name: &str, about: &'static str, thing: Thing) -> Sample {
    Sample {
        name: name.to_owned(),
        about,
        thing,
    }
}

fn revisions() -> Vec<Sample> {
    let original = Original {
        dot: dot(LAPTOP, 2),
        entry: note_entry(),
        salt: Some(SECRET.salt(LAPTOP, 2)),
        seal: None,
        proof: None,
    };
    let amend = Header {
        record: Some(dot(PHONE, 2)),
        kind: RevisionKind::AMEND,
        context: context(),
        prior: 2,
        lamport: 10,
        ..note_header()
    };
    let unknown = Header {
        family: code("DRONE_FLIGHT"),
        kind: RevisionKind(200),
        schema: 9_000,
        fields: vec![FieldId(60_000), FieldId(65_535)].into(),
        ..note_header()
    };
    vec![
        sample(
            "header-create",
            "founds a record: no record id",
            Thing::Header(note_header()),
        ),
        sample("header-amend", "amends what it had read", Thing::Header(amend)),
        sample(
            "header-unknown",
            "family, kind and fields of a newer peer",
            Thing::Header(unknown),
        ),
        sample("body", "an ordinary body", Thing::Body(note_body())),
        sample(
            "body-resolve",
            "names the dots that it settles",
            Thing::Body(resolve_body()),
        ),
        sample(
            "opening",
            "the body of a book's first entry",
            Thing::Opening(opening()),
        ),
        sample(
            "original",
            "the body of a re-issue",
            Thing::Original(Box::new(original)),
        ),
    ]
}

fn proofs() -> Vec<Sample> {
    vec![
        sample(
            "seal-p256",
            "signed by the key of RFC 6979 A.2.5",
            Thing::Seal(run().seal),
        ),
        sample(
            "seal-ed25519",
            "signed by key 1 of RFC 8032 7.1",
            Thing::Seal(ed25519_seal()),
        ),
        sample(
            "receipt",
            "the server's word, with one verdict",
            Thing::Receipt(receipt()),
        ),
        sample("run", "a whole run of three entries", Thing::Run(Box::new(run()))),
        sample(
            "part-whole",
            "a part that is the whole run",
            Thing::Part(Box::new(whole_part())),
        ),
        sample("part", "the second entry of three", Thing::Part(Box::new(part()))),
    ]
}

fn feeds() -> Vec<Sample> {
    let cursor = |scope| Thing::Cursor(cursor(scope));
    vec![
        sample(
            "cursor-own",
            "a place in the feed of one's own books",
            cursor(Scope::Own),
        ),
        sample(
            "cursor-reference",
            "a place in the feed of references",
            cursor(Scope::Reference),
        ),
        sample("cursor-beat", "a place in the feed of a beat", cursor(beat())),
    ]
}

fn frames() -> Vec<Sample> {
    let frame = |name: &str, about, frame| sample(&format!("frame-{name}"), about, Thing::Frame(frame));
    let wordy = Verdicts {
        replica: PHONE,
        verdicts: (1..=300)
            .map(|counter| verdict(counter, Standing::ERASED))
            .collect(),
        secured: 300,
    };
    let close = Close {
        code: CloseCode::BUSY,
        retry_after_ms: 30_000,
    };
    let verdicts = Verdicts {
        replica: PHONE,
        verdicts: vec![verdict(2, Standing::KEPT), verdict(3, Standing(77))].into(),
        secured: 3,
    };
    let stretches = |replica, first, count| Offer {
        stretches: vec![(dot(replica, first), count)].into(),
    };
    vec![
        frame("hello", "the device speaks first", Frame::Hello(hello())),
        frame("run", "a run on the wire", Frame::Run(Box::new(run()))),
        frame(
            "welcome",
            "the server's answer",
            Frame::Welcome(Box::new(welcome())),
        ),
        frame("receipt", "a run is durable", Frame::Receipt(Box::new(receipt()))),
        frame("feed", "changes in a scope", Frame::Feed(Box::new(feed()))),
        frame(
            "verdicts",
            "standings that changed, one of them unknown",
            Frame::Verdicts(verdicts),
        ),
        frame(
            "verdicts-packed",
            "a payload worth compressing",
            Frame::Verdicts(wordy),
        ),
        frame("caught-up", "no payload", Frame::CaughtUp),
        frame("close", "come back in 30 s", Frame::Close(close)),
        frame(
            "offer",
            "held of another's book",
            Frame::Offer(stretches(LAPTOP, 5, 40)),
        ),
        frame(
            "want",
            "what the server lacks of it",
            Frame::Want(stretches(LAPTOP, 7, 3)),
        ),
        frame("part", "a part re-offered", Frame::Part(Box::new(part()))),
    ]
}

fn context() -> VersionVector {
    [dot(PHONE, 2), dot(LAPTOP, 300)].into_iter().collect()
}

fn stamp() -> Stamp {
    Stamp {
        utc_ms: 1_793_361_600_000,
        offset_min: 60,
        source: ClockSource::NETWORK,
        uncertainty_ms: 250,
    }
}

fn note_header() -> Header {
    Header {
        record: None,
        family: code("NOTE"),
        kind: RevisionKind::CREATE,
        schema: 1,
        context: VersionVector::new(),
        prior: 0,
        lamport: 1,
        fields: vec![FieldId(1), FieldId(16)].into(),
    }
}

fn note_body() -> Body {
    Body {
        recorded_at: stamp(),
        reason: None,
        settles: Vec::new().into(),
        ops: vec![
            (FieldId(1), FieldOp::Set(Value::Code(code("52/C02")))),
            (
                FieldId(16),
                FieldOp::Set(Value::Text(text("Spoke with A. Sample, 01632 960123."))),
            ),
        ]
        .into(),
    }
}

fn resolve_body() -> Body {
    Body {
        recorded_at: stamp(),
        reason: Some(text("Both seen; the later is right.")),
        settles: vec![dot(PHONE, 4), dot(LAPTOP, 9)].into(),
        ops: vec![(FieldId(16), FieldOp::Clear)].into(),
    }
}

fn note_entry() -> Entry {
    Entry::new(&note_header(), &note_body()).expect("a short note fits an entry")
}

fn opening() -> Opening {
    Opening {
        domain: code(Opening::DOMAIN),
        force: code("52"),
        replica: PHONE,
        kind: ReplicaKind::Book,
        officer: OFFICER,
        enrolment: EnrolmentId::from_bytes([0x44; 16]),
        key: p256_key().public_key(),
        follows: Some(LAPTOP),
        opened_at: stamp(),
    }
}

/// Three entries: the opening, a note, and one of a newer peer that this build cannot read.
fn entries() -> Vec<Entry> {
    let open = Header {
        family: code("BOOK"),
        kind: RevisionKind::OPEN,
        fields: Vec::new().into(),
        ..note_header()
    };
    let newer = Header {
        family: code("DRONE_FLIGHT"),
        kind: RevisionKind(200),
        schema: 9_000,
        lamport: 3,
        ..note_header()
    };
    vec![
        Entry::new(&open, &opening()).expect("an opening fits an entry"),
        note_entry(),
        Entry::new(&newer, &[0xfe_u8, 0xff, 0x00]).expect("three bytes fit an entry"),
    ]
}

fn commitments() -> Vec<Hash> {
    (1..)
        .zip(entries())
        .map(|(counter, entry)| entry.commitment(&SECRET.salt(PHONE, counter)))
        .collect()
}

fn claim() -> SealClaim {
    SealClaim {
        replica: PHONE,
        first: 1,
        last: 3,
        root: merkle::root(&commitments()),
        previous: SealClaim::NO_SEAL,
    }
}

fn run() -> Run {
    Run {
        seal: claim().sign(&p256_key()).expect("a key in memory signs"),
        secret: SECRET,
        entries: entries().into(),
    }
}

fn ed25519_seal() -> Seal {
    let next = SealClaim {
        first: 4,
        last: 4_099,
        previous: claim().hash(),
        ..claim()
    };
    next.sign(&ed25519_key()).expect("a key in memory signs")
}

fn whole_part() -> Part {
    Part {
        seal: run().seal,
        proof: Proof::Whole(SECRET),
        entries: (1..).zip(entries()).collect(),
    }
}

fn part() -> Part {
    let second = entries().swap_remove(1);
    Part {
        seal: run().seal,
        proof: Proof::Partial {
            salts: vec![SECRET.salt(PHONE, 2)].into(),
            hashes: merkle::prove(&commitments(), &[false, true, false]).into(),
        },
        entries: vec![(2, second)].into(),
    }
}

fn receipt() -> Receipt {
    let claim = ReceiptClaim {
        replica: PHONE,
        upto: 3,
        seal: claim().hash(),
        received_at_ms: 1_793_361_700_000,
        sequence: 70_000,
        epoch: EPOCH,
    };
    let (claim, signature) = claim.sign(&ed25519_key()).expect("a key in memory signs");
    Receipt {
        claim,
        signature,
        verdicts: vec![verdict(3, Standing::QUARANTINED_MALFORMED)].into(),
        secured: 1,
    }
}

fn verdict(counter: u64, standing: Standing) -> Verdict {
    Verdict { counter, standing }
}

fn beat() -> Scope {
    Scope::Beat {
        beat: code("52/C02"),
        class: 1,
    }
}

fn cursor(scope: Scope) -> Cursor {
    let hash = hash_after_entry(&Hash([0; 32]), dot(PHONE, 2));
    Cursor {
        scope,
        epoch: EPOCH,
        position: 2,
        hash: hash_after_departure(&hash, dot(LAPTOP, 9)),
        tag: [0x66; 16],
    }
}

fn book_claim() -> BookClaim {
    BookClaim {
        replica: PHONE,
        counter: 3,
        seal: claim().hash(),
        kind: ReplicaKind::Book,
    }
}

fn hello() -> Hello {
    Hello {
        protocol_min: 1,
        protocol_max: 1,
        features: 0,
        books: vec![book_claim()].into(),
        cursors: vec![cursor(beat())].into(),
        live: true,
    }
}

fn welcome() -> Welcome {
    let position = BookPosition {
        claim: book_claim(),
        secured: 1,
        label: Some(code("B07")),
        forked: false,
    };
    Welcome {
        protocol: 1,
        epoch: EPOCH,
        policy: 0,
        books: vec![position].into(),
        scopes: vec![Scope::Own, Scope::Reference, beat()].into(),
        cursors: vec![cursor(beat())].into(),
        now_ms: 1_793_361_700_000,
        wants_offers: false,
    }
}

fn feed() -> Feed {
    let items = vec![
        FeedItem::Entries {
            part: 0,
            first: 2,
            count: 1,
        },
        FeedItem::Held {
            first: dot(LAPTOP, 7),
            count: 2,
        },
        FeedItem::Left(dot(LAPTOP, 9)),
    ];
    Feed {
        from: 0,
        items: items.into(),
        parts: vec![part()].into(),
        openings: Vec::new().into(),
        labels: vec![(PHONE, code("B07"))].into(),
        cursor: cursor(beat()),
    }
}

fn dot(replica: ReplicaId, counter: u64) -> Dot {
    Dot { replica, counter }
}

fn code(word: &str) -> Code {
    Code::new(word).expect("a word of the samples is a code")
}

fn text(words: &str) -> Text {
    Text::new(words).expect("a text of the samples is short")
}

fn p256_key() -> SigningKey {
    SigningKey::p256_from_pkcs8(&P256_PKCS8).expect("the key of RFC 6979 reads")
}

fn ed25519_key() -> SigningKey {
    SigningKey::ed25519_from_seed(&ED25519_SEED)
}

const PHONE: ReplicaId = ReplicaId::from_bytes([0x11; 16]);
const LAPTOP: ReplicaId = ReplicaId::from_bytes([0x22; 16]);
const OFFICER: OfficerId = OfficerId::from_bytes([0x33; 16]);
const EPOCH: EpochId = EpochId::from_bytes([0x55; 16]);
const SECRET: RunSecret = RunSecret([0x5a; 32]);

/// RFC 6979 A.2.5, as PKCS#8 without the public half.
const P256_PKCS8: [u8; 67] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
    0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04,
    0x20, 0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
    0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
];
/// RFC 8032 7.1, test 1.
const ED25519_SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
