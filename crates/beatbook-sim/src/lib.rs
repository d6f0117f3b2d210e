//! The simulator: one server and up to forty enrolments in one thread, every choice of them from one seed.
//!
//! The machines of the core, the real store over a simulated disk, links that lose and delay and break, clocks that
//! are wrong, and days of shifts. A [`plan::Plan`] says everything that a seed decides; what happens is told to an
//! [`observe::Observer`] as [`fact::Fact`]s. Reads no clock, no random source, no file and no socket of this machine.

pub mod ended;
pub mod fact;
pub mod fault;
pub mod mark;
pub mod observe;
pub mod plan;
pub mod random;
