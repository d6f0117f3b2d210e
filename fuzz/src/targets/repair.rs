//! Repairs of a store of which files were changed: refused, or what is there afterwards is what was there before, and
//! what is not is told. Nothing is made up.

use beatbook_store_sled::{Solo, Store};

use super::store::{DIR, Rows, change_file, made_store, options, rows, unlock};
use crate::disk::MemoryDisk;
use crate::input::Input;

/// Whether the store was closed, then changes of its files.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let closed = input.flag();
    let made = made_store(closed);
    let mut files = made.files.clone();
    while !input.is_spent() {
        change_file(&mut input, &mut files);
    }
    let disk = MemoryDisk::with(files);
    match Store::repair(DIR, &unlock(), &options(&disk), None) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(report) => {
            let (store, _) = Solo::open(DIR, &unlock(), options(&disk)).expect("what was repaired opens");
            let found = store.read(rows).expect("what was repaired reads");
            let known = if closed {
                &made.states[made.states.len() - 1..]
            } else {
                &made.states
            };
            // What is lost is told entry by entry, or as not known, where the end of the journal went with its state.
            let whole = report.lost.is_empty() && !report.opened.lost;
            assert!(
                !whole || known.contains(&found),
                "something is missing, and nothing is told as lost"
            );
            assert!(
                found.iter().all(|row| was_there(&made.states, row)),
                "a repair made something up"
            );
        }
    }
}

/// The same changes as for opening.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    super::store::seeds()
}

fn was_there(states: &[Rows], (key, value): (&(u8, Vec<u8>), &Vec<u8>)) -> bool {
    states.iter().any(|state| state.get(key) == Some(value))
}
