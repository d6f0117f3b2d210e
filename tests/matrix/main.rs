//! The restore matrix end to end: what happens to a device's store, to the server's data, and at which moment, with real
//! programs over folders of real stores. The table is the simulator's, one cell is played in `scene`.
//!
//! `cargo test` plays a set in which every side and every moment occurs; `BEATBOOK_MATRIX=all` plays every cell, and
//! `BEATBOOK_MATRIX_CELL="cloned"` those whose name holds the words. `BEATBOOK_MATRIX_WRITE=1` writes the page anew.

mod page;
mod scene;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use beatbook_sim::matrix::Cell;

#[test]
fn every_cell_heals() {
    let wanted = std::env::var("BEATBOOK_MATRIX_CELL").unwrap_or_default();
    let all = !wanted.is_empty() || std::env::var_os("BEATBOOK_MATRIX").is_some();
    let cells: Vec<Cell> = if all { Cell::all() } else { Cell::representative() };
    let cells: Vec<Cell> = cells
        .into_iter()
        .filter(|cell| cell.name().contains(&wanted))
        .collect();
    assert!(!cells.is_empty(), "no cell is called \"{wanted}\"");
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..PLAYED_AT_ONCE {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let played = catch_unwind(AssertUnwindSafe(|| scene::play(*cell)));
                    match played {
                        Ok(sessions) => println!("{}: healed in {sessions} rounds", cell.name()),
                        Err(_) => failed.lock().expect("nobody panics with it").push(cell.name()),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics with it");
    println!("{} cells played, {} failed", cells.len(), failed.len());
    assert!(
        failed.is_empty(),
        "to play one again: BEATBOOK_MATRIX_CELL=\"...\"; failed:\n{}",
        failed.join("\n")
    );
}

#[test]
fn the_set_that_is_always_played_meets_everything() {
    let played = Cell::representative();
    for cell in Cell::all() {
        assert!(played.iter().any(|other| other.device == cell.device));
        assert!(played.iter().any(|other| other.server == cell.server));
        assert!(played.iter().any(|other| other.moment == cell.moment));
        assert!(played.iter().any(|other| other.in_flight == cell.in_flight));
    }
}

/// As many as there are cores to count on.
const PLAYED_AT_ONCE: usize = 2;
