//! A whole store of which files were changed, cut, removed or swapped: opening it tells, or it holds what it held. The
//! engine behaves as sled was measured to: of a record that does not hold it says nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use beatbook_core::store::{Read, StoreError, Table};
use beatbook_store_sled::{ModelEngine, Options, Solo, Unlock};

use crate::disk::{Drawn, Files, MemoryDisk};
use crate::input::{Input, change};

/// Whether the store was closed, then changes of its files.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let closed = input.flag();
    let Made { files, states } = made_store(closed);
    let mut files = files.clone();
    while !input.is_spent() {
        change_file(&mut input, &mut files);
    }
    let disk = MemoryDisk::with(files);
    match Solo::open(DIR, &unlock(), options(&disk)) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok((store, _)) => {
            let found = store.read(rows).expect("an open store reads what it checked");
            // Where no end was written, a bad tail is a torn one: what is left is how the store once was.
            let known = if closed {
                &states[states.len() - 1..]
            } else {
                states
            };
            assert!(known.contains(&found), "the store holds what it never held");
            store.close().expect("an open store closes");
        }
    }
    // Whatever the first opening did, the second is told the same or nothing is wrong any more.
    if let Ok((store, _)) = Solo::open(DIR, &unlock(), options(&disk)) {
        let found = store.read(rows).expect("an open store reads what it checked");
        assert!(states.contains(&found), "the store holds what it never held");
    }
}

/// Each file with each change, in both stores.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let count = u8::try_from(made(true).files.files.len()).unwrap_or(u8::MAX);
    let mut seeds = vec![vec![0], vec![1]];
    for closed in [0, 1] {
        for file in 0..count {
            for kind in 0..8 {
                seeds.push(vec![closed, file, kind, 0, 60, kind, 1, 2, 3]);
            }
        }
    }
    seeds
}

/// Changes a file as an input says: within, or as a whole.
pub(super) fn change_file(input: &mut Input<'_>, files: &mut Files) {
    let names: Vec<_> = files.files.keys().cloned().collect();
    let Some(name) = names.get(input.below(names.len())) else {
        return;
    };
    match input.byte() % 8 {
        0 => drop(files.files.remove(name)),
        1 => {
            let other = &names[input.below(names.len())];
            let (one, two) = (files.files[name].clone(), files.files[other].clone());
            files.files.insert(name.clone(), two);
            files.files.insert(other.clone(), one);
        }
        2 => {
            let other = files.files[&names[input.below(names.len())]].clone();
            files.files.insert(name.clone(), other);
        }
        3 => {
            let bytes = files.files.entry(name.clone()).or_default();
            let piece = bytes.get(..DOUBLED_BYTES_MAX).unwrap_or(bytes).to_vec();
            bytes.extend_from_slice(&piece);
        }
        _ => change(input, files.files.entry(name.clone()).or_default()),
    }
}

/// A store on a disk, and every state that was durable.
pub(super) struct Made {
    pub(super) files: Files,
    pub(super) states: Vec<Rows>,
}

/// All that a store holds, by table and key.
pub(super) type Rows = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

/// A store that was closed, or left as a kill leaves it.
pub(super) fn made_store(closed: bool) -> &'static Made {
    let made = MADE.get_or_init(|| [made(false), made(true)]);
    &made[usize::from(closed)]
}

/// Commits over several segments, with a checkpoint and removals; closed, or left as a kill leaves it.
fn made(closed: bool) -> Made {
    let disk = MemoryDisk::default();
    let (mut store, _) = Solo::create(DIR, &unlock(), options(&disk)).expect("a store is made");
    let mut states = vec![store.read(rows).expect("a new store reads")];
    for round in 0_u8..12 {
        let stored = store.commit(|tx| {
            tx.put(
                Table::Entries,
                vec![round; 24],
                vec![round; 40 * usize::from(round)],
            );
            tx.put(Table::Meta, "round", [round]);
            tx.put(
                Table::Heads,
                [round % 3],
                vec![round; 20_000 * usize::from(round == 4)],
            );
            if round > 2 {
                tx.remove(Table::Entries, vec![round - 2; 24]);
            }
            Ok::<_, StoreError>(())
        });
        stored.expect("a commit is stored");
        if round == 7 {
            store.checkpoint().expect("a checkpoint is made");
        }
        states.push(store.read(rows).expect("a store reads"));
    }
    match closed {
        true => store.close().expect("a store closes"),
        false => drop(store),
    }
    let files = disk.files();
    Made { files, states }
}

pub(super) fn rows(read: &dyn Read) -> Result<Rows, StoreError> {
    let mut rows = BTreeMap::new();
    for table in Table::ALL {
        for (key, value) in read.scan(table, &[], &[0xff; 64], usize::MAX)? {
            rows.insert((table as u8, key), value);
        }
    }
    Ok(rows)
}

pub(super) fn options(disk: &MemoryDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        engine: Arc::new(ModelEngine::default()),
        random: Arc::new(Drawn::default()),
        segment_bytes: 2_000,
        ..Options::default()
    }
}

pub(super) fn unlock() -> Unlock {
    Unlock::keystore([7; 32])
}

static MADE: OnceLock<[Made; 2]> = OnceLock::new();
/// A longer file grows by this much: doubling again and again would test the memory alone.
const DOUBLED_BYTES_MAX: usize = 64 << 10;
pub(super) const DIR: &str = "/force/store";
