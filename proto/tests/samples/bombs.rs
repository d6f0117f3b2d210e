//! What an unlimited decoder does not survive: declared lengths, dense values and lists, deep nesting, bytes behind a
//! value. Each is to be refused, or read within the bound on memory.

use beatbook_proto::limits::{FEED_ITEMS_MAX, ITEMS_MAX, OPS_MAX, RUN_ENTRIES_MAX, VALUES_MAX};

use crate::samples::{self, Kind, Thing};

/// Bytes that cost a careless decoder far more than they are.
pub struct Bomb {
    pub name: String,
    pub kind: Kind,
    pub bytes: Vec<u8>,
    /// Whether they are refused; else they are at a limit, and read within the bound.
    pub refused: bool,
}

/// Every one of them.
pub fn all() -> Vec<Bomb> {
    let mut bombs = declared_lengths();
    bombs.extend(dense_values());
    bombs.extend(dense_lists());
    bombs.extend(trailing());
    bombs
}

fn refused(name: impl Into<String>, kind: Kind, bytes: Vec<u8>) -> Bomb {
    Bomb {
        name: name.into(),
        kind,
        bytes,
        refused: true,
    }
}

fn read(name: impl Into<String>, kind: Kind, bytes: Vec<u8>) -> Bomb {
    Bomb {
        refused: false,
        ..refused(name, kind, bytes)
    }
}

/// Lengths that the input does not hold, wherever a length stands.
fn declared_lengths() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    for length in [1_u64 << 20, 1 << 32, 1 << 33, 1 << 40, u64::MAX] {
        let length = [&[253][..], &length.to_le_bytes()].concat();
        for tag in [2_u8, 3, 7, 11, 12] {
            let bytes = [&[tag][..], &length].concat();
            bombs.push(refused(format!("value {tag} of {length:?}"), Kind::Value, bytes));
        }
        bombs.push(refused("vector", Kind::Vector, length.clone()));
        bombs.push(refused(
            "verdicts",
            Kind::Frame,
            framed(6, &[&[0; 16][..], &length].concat()),
        ));
        bombs.push(refused(
            "hello",
            Kind::Frame,
            framed(1, &[&[1, 1, 0][..], &length].concat()),
        ));
        bombs.push(refused(
            "feed",
            Kind::Frame,
            framed(5, &[&[0][..], &length].concat()),
        ));
    }
    // Lists within their limit, each the first item of the one before, none of them held.
    let lists = [0x0c, 251, 0, 4].repeat(NESTED);
    bombs.push(refused("lists of 1,024 declared", Kind::Value, lists));
    bombs.push(refused(
        "lists nested 50,000 deep",
        Kind::Value,
        [0x0c, 1].repeat(NESTED),
    ));
    bombs.push(refused(
        "groups nested 50,000 deep",
        Kind::Value,
        [0x0b, 1, 1].repeat(NESTED),
    ));
    bombs
}

/// The shortest values in the greatest number.
fn dense_values() -> Vec<Bomb> {
    let list = |items: &[u8], count: u16| [&[0x0c, 251][..], &count.to_le_bytes(), items].concat();
    let most = u16::try_from(VALUES_MAX).expect("the limit is small") - 1;
    let body = |ops: &[u8], count: u16| [&[0, 0, 0, 0, 0, 0, 251][..], &count.to_le_bytes(), ops].concat();
    let ops_max = u16::try_from(OPS_MAX).expect("the limit is small");
    let inner = [&[0x0c, 250][..], &[0, 0].repeat(250)].concat();
    vec![
        read(
            "a list of the most values",
            Kind::Value,
            list(&[0, 1].repeat(most.into()), most),
        ),
        refused(
            "one value more",
            Kind::Value,
            list(&[0, 1].repeat(ITEMS_MAX), most + 1),
        ),
        refused(
            "lists of 250 in a list",
            Kind::Value,
            list(&inner.repeat(300), 300),
        ),
        refused(
            "lists of one in a list",
            Kind::Value,
            list(&[0x0c, 1, 0, 0].repeat(600), 600),
        ),
        read(
            "a body of clears",
            Kind::Body,
            body(&[1, 6].repeat(OPS_MAX), ops_max),
        ),
        refused(
            "one clear more",
            Kind::Body,
            body(&[1, 6].repeat(OPS_MAX + 1), ops_max + 1),
        ),
        refused(
            "more values than operations",
            Kind::Body,
            body(&[1, 0, 0x0c, 1, 0, 0].repeat(600), 600),
        ),
        refused(
            "fewer clears than declared",
            Kind::Body,
            body(&[1, 6].repeat(900), ops_max),
        ),
    ]
}

/// Lists of the smallest items, whole and cut.
fn dense_lists() -> Vec<Bomb> {
    let run = samples::all()
        .into_iter()
        .find_map(|sample| matches!(sample.thing, Thing::Run(_)).then(|| sample.thing.bytes()))
        .expect("there is a sample of a run");
    // Seal and secret, then as many entries of the shortest header and no body as a run may hold.
    let entry = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let entries_max = u16::try_from(RUN_ENTRIES_MAX).expect("the limit is small");
    let entries = [
        &[251][..],
        &entries_max.to_le_bytes(),
        &entry.repeat(RUN_ENTRIES_MAX),
    ]
    .concat();
    let run = [&run[..180], &entries].concat();
    let items_max = u16::try_from(FEED_ITEMS_MAX).expect("the limit is small");
    let items = |count: usize| {
        [
            &[0, 251][..],
            &items_max.to_le_bytes(),
            &[0, 0, 0, 1].repeat(count),
        ]
        .concat()
    };
    let feed_end = [&[0, 0, 0, 0][..], &[0; 16], &[0], &[0; 32], &[0; 16]].concat();
    let full = [items(FEED_ITEMS_MAX), feed_end].concat();
    let mut bombs = vec![
        read("a run of empty entries", Kind::Run, run.clone()),
        refused(
            "a run cut in its entries",
            Kind::Run,
            run[..run.len() / 3 * 2].to_vec(),
        ),
        read("a feed of short items", Kind::Frame, framed(5, &full)),
    ];
    for count in [1, 100, 1_000, 4_000, 6_554, FEED_ITEMS_MAX] {
        bombs.push(refused(
            "a feed cut in its items",
            Kind::Frame,
            framed(5, &items(count)),
        ));
    }
    bombs
}

/// Bytes behind a value, for every sample.
fn trailing() -> Vec<Bomb> {
    let behind = |thing: Thing| [thing.bytes(), vec![0]].concat();
    samples::all()
        .into_iter()
        .map(|sample| {
            refused(
                format!("{} and a byte", sample.name),
                sample.thing.kind(),
                behind(sample.thing),
            )
        })
        .collect()
}

fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a payload is short");
    [&length.to_be_bytes()[..], &[1, kind], payload].concat()
}

const NESTED: usize = 50_000;
