//! The verbs of Beatbook, pure: local writes, merge, sessions, recovery and retry.
//!
//! Reads no clock, no random source, no file and no socket.
#![no_std]

extern crate alloc;

pub mod device;
mod keys;
pub mod ledger;
pub mod merge;
pub mod register;
pub mod retry;
pub mod server;
pub mod session;
pub mod store;
