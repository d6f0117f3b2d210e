//! The simulator: one server and up to forty enrolments in one thread, every choice of them from one seed.
//!
//! The machines of the core, the real store over a simulated disk, links that lose and delay and break, clocks that
//! are wrong, and days of shifts. A [`plan::Plan`] says everything that a seed decides; what happens is told to an
//! [`observe::Observer`] as [`fact::Fact`]s. Reads no clock, no random source, no file and no socket of this
//! machine; [`run`] alone looks at a clock, to say which seed was slow.

pub mod check;
pub mod clock;
pub mod disk;
pub mod ended;
pub mod fact;
pub mod fault;
pub mod hash;
mod link;
pub mod mark;
pub mod matrix;
pub mod model;
pub mod observe;
pub mod open;
pub mod plan;
pub mod planted;
pub mod random;
pub mod regression;
pub mod run;
pub mod shrink;
pub mod story;
pub mod summary;
pub mod world;
