//! Entries read as they were written, however they are kept; against a plain map, by random operations.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use beatbook_proto::{Dot, Entry, ReplicaId, Standing};
use proptest::prelude::*;

use super::{
    Arrival, STRETCH_BYTES, each_held, entry, holds_any, page_after, remove_entry, save_entry, save_stretch,
};
use crate::ledger::StoredEntry;
use crate::store::{MemoryStore, Transaction};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Keep consecutive entries from a counter on, as far as none of them is held.
    Keep {
        first: u64,
        count: u64,
    },
    Change(u64),
    Remove(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_u64..60, 1_u64..20).prop_map(|(first, count)| Step::Keep { first, count }),
        (1_u64..60).prop_map(Step::Change),
        (1_u64..60).prop_map(Step::Remove),
    ]
}

fn dot(book: u8, counter: u64) -> Dot {
    Dot {
        replica: ReplicaId::from_bytes([book; 16]),
        counter,
    }
}

/// A stored entry; some are so long that few fit a stretch.
fn stored(counter: u64, standing: Standing) -> StoredEntry {
    let length = if counter.is_multiple_of(5) {
        STRETCH_BYTES / 3
    } else {
        40
    };
    let body = (0..length)
        .map(|place| (place as u64 * counter) as u8)
        .collect::<Vec<u8>>();
    StoredEntry {
        entry: Entry {
            header: vec![counter as u8; 9].into(),
            body: body.into(),
        },
        salt: None,
        standing,
        sequence: 7,
        received_at_ms: 8,
    }
}

type Model = BTreeMap<Dot, StoredEntry>;

fn take(tx: &mut Transaction<'_>, model: &mut Model, book: u8, step: Step) {
    match step {
        Step::Keep { first, count } => {
            let free = (first..first + count).take_while(|counter| !model.contains_key(&dot(book, *counter)));
            let fresh: Vec<(Dot, StoredEntry)> = free
                .map(|counter| (dot(book, counter), stored(counter, Standing::KEPT)))
                .collect();
            let arrival = Arrival {
                sequence: 7,
                received_at_ms: 8,
            };
            let entries = fresh.iter().map(|(_, stored)| &stored.entry);
            save_stretch(tx, dot(book, first), entries, arrival).unwrap();
            model.extend(fresh);
        }
        Step::Change(counter) => {
            let changed = stored(counter, Standing::WAITING);
            save_entry(tx, dot(book, counter), &changed).unwrap();
            model.insert(dot(book, counter), changed);
        }
        Step::Remove(counter) => {
            remove_entry(tx, dot(book, counter)).unwrap();
            model.remove(&dot(book, counter));
        }
    }
}

proptest! {
    #[test]
    fn entries_read_as_they_were_written(
        before in prop::collection::vec((1_u8..3, step()), 0..12),
        after in prop::collection::vec((1_u8..3, step()), 0..12),
        (first, last) in (0_u64..70, 0_u64..70),
    ) {
        let mut store = MemoryStore::default();
        let mut model = Model::new();
        let mut tx = Transaction::new(&store);
        for (book, step) in before {
            take(&mut tx, &mut model, book, step);
        }
        let writes = tx.into_writes();
        store.apply(&writes);
        let mut tx = Transaction::new(&store);
        for (book, step) in after {
            take(&mut tx, &mut model, book, step);
        }
        for book in 1..3 {
            for counter in (0..90).chain((0..90).rev()) {
                let read = entry(&tx, dot(book, counter)).unwrap();
                prop_assert_eq!(read.as_ref(), model.get(&dot(book, counter)));
            }
            let mut seen = Vec::new();
            each_held(&tx, dot(book, 0).replica, (first, last), &mut |counter, stored| {
                seen.push((dot(book, counter), stored.clone()));
                Ok(true)
            }).unwrap();
            let within = |(at, _): &(&Dot, &StoredEntry)| {
                at.replica == dot(book, 0).replica && (first..=last).contains(&at.counter)
            };
            let held: Vec<_> = model.iter().filter(within).map(|(at, stored)| (*at, stored.clone())).collect();
            prop_assert_eq!(holds_any(&tx, dot(book, 0).replica, (first, last)).unwrap(), !held.is_empty());
            prop_assert_eq!(seen, held);
        }
        let (mut all, mut from) = (Vec::new(), Vec::new());
        loop {
            let page = page_after(&tx, &from).unwrap();
            all.extend(page.entries);
            let Some(next) = page.next else { break };
            from = next;
        }
        prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
    }
}
