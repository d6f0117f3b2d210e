//! The harness of the end-to-end suites: real programs, real stores, real QUIC over loopback.
//!
//! A [`Force`] is a folder with a server in it, a [`Device`] a notebook enrolled there; both run the programs as
//! processes of their own. A [`Relay`] stands between them and does to datagrams what a bad link does. Whatever is
//! random comes from a [`Seed`], which is told when a test fails. Nothing here sleeps for luck: [`wait_for`] waits for
//! a condition and gives up at a deadline.

mod canary;
mod deadline;
mod device;
mod force;
mod ledger;
mod offline;
mod preload;
mod process;
mod programs;
mod relay;
mod seed;
mod stage;
mod storm;

pub use canary::{Canaries, files_under};
pub use deadline::{DEADLINE, wait_for, wait_true};
pub use device::{Device, PIN, assert_each_once, assert_none, records_with};
pub use force::{Enrolment, Force};
pub use ledger::{Ledger, note_draft, note_of};
pub use offline::{copy_folder, enrolled_offline, enrolled_offline_with};
pub use preload::{preload, preloaded};
pub use process::{Outcome, Running};
pub use programs::{Programs, programs};
pub use relay::{Bursts, Counts, Direction, Pipe, Relay, Weather};
pub use seed::Seed;
pub use stage::{Clock, LastCall, Variables};
pub use storm::{Fault, Storm};
