//! A set of the restore matrix's cells, in which every side and every moment occurs, is sound with work and faults around
//! it. Every cell is played by `cargo xtask sim --matrix`.

use beatbook_sim::matrix::{Cell, Matrix};

/// Invariant: every one, in every cell: nothing lost, no number given twice, no fork that nobody is told of.
#[test]
fn a_set_of_cells_is_sound() {
    let matrix = Matrix {
        cells: Cell::representative(),
        start: 1,
        seeds: 1,
        threads: 2,
        failing_max: 0,
    };
    let played = matrix.play(&|_, _| {});
    assert!(played.is_sound(), "{played}");
    assert!(played.summary.total.written > 0 && !played.summary.total.faults.is_empty());
}
