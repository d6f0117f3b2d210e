//! Starts cargo in the root of the repository.

use std::ffi::OsString;
use std::process::Command;
use std::{env, io};

use crate::tree::Tree;

/// A cargo command in the root of the repository, by the same cargo that started this program.
pub(crate) fn cargo(tree: &Tree, args: &[&str]) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command.args(args).current_dir(tree.root());
    // The environment of `cargo run` describes this package, and would confuse a build of another.
    for (name, _) in env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// A cargo command that builds with the profile `sim` for this very machine: half of a simulated day is ciphers, whose vector
/// code is only then compiled into them. Everything of that profile is built alike, so that it is built once.
pub(crate) fn tuned(tree: &Tree, args: &[&str]) -> Command {
    let mut command = cargo(tree, args);
    command.env("RUSTFLAGS", flags(&[]));
    command
}

/// The compiler's flags of [`tuned`], with others.
pub(crate) fn flags(others: &[&str]) -> String {
    let given = env::var("RUSTFLAGS").unwrap_or_default();
    let mut flags = vec![given.as_str(), "-C target-cpu=native"];
    flags.extend(others);
    flags.join(" ").trim().to_owned()
}

/// Runs a command with its output shown; `true` when it succeeded.
pub(crate) fn shown(mut command: Command) -> io::Result<bool> {
    Ok(command.status()?.success())
}
