//! `cargo xtask sim`: builds the simulator with its own profile and runs it with the arguments given.

use std::ffi::OsString;
use std::io;

use crate::run;
use crate::tree::Tree;

/// Runs the simulator; `true` when no seed failed. What it says, it says itself.
pub(crate) fn command(tree: &Tree, args: &[OsString]) -> Result<bool, Error> {
    let mut command = run::tuned(
        tree,
        &["run", "--quiet", "--profile", "sim", "--package", "beatbook-sim"],
    );
    if args.iter().any(|arg| arg == "--planted") {
        // Into a folder of its own: no other build must ever hold a defect. A hunt takes minutes, so it is to be built quickly.
        command.env("RUSTFLAGS", run::flags(&["--cfg planted_bugs"]));
        command
            .args(["--config", "profile.sim.lto=\"off\""])
            .args(["--config", "profile.sim.codegen-units=16"])
            .arg("--target-dir")
            .arg(tree.root().join("target/planted"));
    }
    command.arg("--").args(args);
    run::shown(command).map_err(Error::Cargo)
}

/// Why the simulator did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// Cargo could not be started.
    #[error("cargo could not be started: {0}; is the Rust toolchain installed?")]
    Cargo(#[source] io::Error),
}
