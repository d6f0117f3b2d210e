//! The restore matrix: its table, and its cells played in simulated worlds. How the story of one cell goes is in
//! `world::cell`; the same cells are played in memory by the core's tests and with real programs end to end.

mod played;
mod table;

pub use played::{Matrix, Played, plan_of};
pub use table::{Cell, DeviceSide, Moment, ServerSide};

#[cfg(test)]
mod tests;
