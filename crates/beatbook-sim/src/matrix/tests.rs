//! The table is whole, and a cell's world is its seed's alone.

use std::collections::BTreeSet;

use super::*;
use crate::run;

#[test]
fn every_cell_has_a_name_of_its_own() {
    let cells = Cell::all();
    let names: BTreeSet<String> = cells.iter().map(|cell| cell.name()).collect();
    assert_eq!(names.len(), cells.len());
    let moments = DeviceSide::ALL.len() * ServerSide::ALL.len() * Moment::ALL.len();
    assert_eq!(cells.len(), 2 * moments);
}

#[test]
fn no_two_cells_share_a_world() {
    let seeds: BTreeSet<u64> = Cell::all()
        .into_iter()
        .flat_map(|cell| [plan_of(cell, 1).seed, plan_of(cell, 2).seed])
        .collect();
    assert_eq!(seeds.len(), 2 * Cell::all().len());
}

/// A cell in which both go back while nothing else holds the phone's last work: that is told as gone, not as lost.
#[test]
fn a_cell_repeats_itself() {
    let cell = Cell {
        device: DeviceSide::CopiedWhole,
        server: ServerSide::RolledBack,
        moment: Moment::AfterReceipt,
        in_flight: true,
    };
    let plan = plan_of(cell, 1);
    let (one, other) = (run::one(&plan, &mut []), run::one(&plan, &mut []));
    assert_eq!(one.violation(), None);
    assert_eq!(one.hash, other.hash);
    assert_ne!(run::one(&plan_of(cell, 2), &mut []).hash, one.hash);
}
