//! A transaction over a state reads as that state with its writes applied; against a plain map, by random operations.

use alloc::rc::Rc;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{MemoryStore, Opened, Pair, Read, StoreError, Table, Transaction, WriteSet};

/// One write to a small space of keys, so that writes meet.
type Step = (u8, Option<u8>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((0_u8..12, prop::option::of(0_u8..3)), 0..24)
}

fn writes_of(steps: &[Step]) -> WriteSet {
    let mut writes = WriteSet::default();
    for (key, value) in steps {
        writes.set(Table::Meta, [*key].to_vec(), value.map(|value| [value].to_vec()));
    }
    writes
}

fn open(key: &[u8], value: &[u8]) -> Result<Opened, StoreError> {
    let pair: Pair = (key.to_vec(), value.to_vec());
    Ok(Opened {
        low: key.to_vec(),
        value: Rc::new(pair),
    })
}

proptest! {
    // Invariant: removing the last key of the base does not hide a later key of the transaction.
    #[test]
    fn reads_as_the_state_with_its_writes(
        base in steps(),
        first in steps(),
        nested in steps(),
        from in 0_u8..13,
        to in 0_u8..13,
        limit in 0_usize..14,
    ) {
        let mut store = MemoryStore::default();
        store.apply(&writes_of(&base));
        let mut model = store.clone();
        model.apply(&writes_of(&first));
        model.apply(&writes_of(&nested));
        let mut outer = Transaction::new(&store);
        outer.absorb(writes_of(&first));
        let mut inner = Transaction::new(&outer);
        for (key, value) in &nested {
            match value {
                Some(value) => inner.put(Table::Meta, [*key], [*value]),
                None => inner.remove(Table::Meta, [*key]),
            }
        }
        let (from, to) = ([from], [to]);
        prop_assert_eq!(inner.last(Table::Meta, &from, &to), model.last(Table::Meta, &from, &to));
        prop_assert_eq!(inner.scan(Table::Meta, &from, &to, limit), model.scan(Table::Meta, &from, &to, limit));
        prop_assert_eq!(inner.get(Table::Meta, &from), model.get(Table::Meta, &from));
        let first = model.scan(Table::Meta, &from, &to, 1).unwrap().into_iter().next();
        // Asked twice: the second time it may be remembered.
        for _ in 0..2 {
            let opened = inner.first_opened(Table::Meta, &from, &to, &open).unwrap();
            let opened = opened.map(|opened| opened.downcast_ref::<Pair>().unwrap().clone());
            prop_assert_eq!(&opened, &first);
        }
        let later = inner.into_writes();
        outer.absorb(later);
        let writes = outer.into_writes();
        store.apply(&writes);
        let all = |store: &MemoryStore| store.scan(Table::Meta, &[], &[u8::MAX], usize::MAX);
        prop_assert_eq!(all(&store), all(&model));
    }
}
