//! The program that the engine drives: one target for a process, named by a variable of the environment.
//!
//! Started by `cargo xtask fuzz`, which gives the engine its arguments.
#![no_main]

use beatbook_fuzz::{Target, begin};
use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(
    init: {
        TARGET.get_or_init(begin);
    },
    |data: &[u8]| {
        if let Some(target) = TARGET.get() {
            (target.run)(data);
        }
    }
);

static TARGET: OnceLock<&'static Target> = OnceLock::new();
