//! The automation of the repository, in Rust: `cargo xtask <command>`.
//!
//! One module per command; [`tree`] says where files are, [`run`] starts cargo. Nothing here is
//! part of a program that is shipped.

mod arrows;
mod ci;
mod crash;
mod fuzz;
mod reliability;
mod run;
mod sim;
mod tidy;
mod tree;
mod vectors;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use tree::Tree;

fn main() -> ExitCode {
    if let Some(code) = fuzz::instead_of_compiler() {
        return code;
    }
    let args = Args::parse();
    match perform(&args.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Performs one command; `false` means that it ran and found something wrong.
fn perform(command: &Command) -> Result<bool, Error> {
    let tree = Tree::locate()?;
    Ok(match command {
        Command::Arrows => arrows::command(&tree)?,
        Command::Ci { quick } => ci::command(&tree, *quick),
        Command::Fuzz(args) => fuzz::command(&tree, args)?,
        Command::Crash(args) => crash::command(&tree, args).map_err(Error::Started)?,
        Command::Reliability(arguments) => reliability::command(&tree, arguments)?,
        Command::Sim { args } => sim::command(&tree, args)?,
        Command::Tidy { paths } => tidy::command(&tree, paths)?,
        Command::Vectors { bless } => vectors::command(&tree, *bless)?,
    })
}

/// Checks and regenerates what this repository promises about itself.
#[derive(Parser)]
#[command(
    bin_name = "cargo xtask",
    after_help = "Before you say done: `cargo xtask ci`. While you work: `cargo xtask ci --quick`."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the crate graph: arrows point downward, each fenced dependency stays behind its fence
    ///
    /// The table of levels is in xtask/src/arrows/house.rs. A new arrow or a new crate is a design
    /// decision: change the table in the same commit and say why in its body.
    Arrows,
    /// Run all that CI runs and print a table of the steps
    ///
    /// Every step runs even when an earlier one failed, so that one run shows everything.
    Ci {
        /// Leave out the slow steps: documentation, the whole test suite, the simulator, the searches
        #[arg(long)]
        quick: bool,
    },
    /// Run any bytes through the real code, led by coverage, and see whether a promise breaks
    ///
    /// Each target asserts what is promised of what it drives. All share the time. An input that breaks a promise is made
    /// small and kept under fuzz/regressions, where `cargo test -p beatbook-fuzz` runs it from then on: fix, then
    /// commit both. What is learnt stays in fuzz/corpus, so that the next run goes on from there.
    Fuzz(fuzz::Args),
    /// Break the real store and the real programs on purpose and look at what is left
    ///
    /// Power cuts, failing calls, kills and damaged files; the last line sums up what was lost, which must be nothing.
    Crash(crash::Args),
    /// Run the simulator: worlds of devices, a server, disks, links and clocks, with faults
    ///
    /// `cargo xtask sim --seeds 2000` as CI does, `--seed 7` for the story of one, `--planted` to see that every known
    /// defect is found. `cargo xtask sim --help` lists the rest.
    #[command(disable_help_flag = true)]
    Sim {
        /// Arguments of the simulator
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run what shows that nothing is lost, and write docs/reliability.md from the figures
    ///
    /// Each run leaves its figures in target/reliability, so that a campaign can be run in parts:
    /// `cargo xtask reliability --full --only kills`. With --from the page is made of figures that
    /// were left before. Fails where a run failed or is missing; the page says which.
    Reliability(reliability::Arguments),
    /// Check the source files against the house rules that no compiler checks
    ///
    /// Prints `path:line: what is wrong, and what to do`. Warnings do not fail the command.
    Tidy {
        /// Only files whose path begins with one of these, e.g. `proto crates/beatbook-core`
        paths: Vec<String>,
    },
    /// Check the golden vectors of the wire format and the generated pages under docs/
    ///
    /// The bytes on the wire and on disk are promises: a difference is a bug unless the format
    /// was changed on purpose, with proto/SPEC.md and proto/CHANGES.md in the same commit.
    Vectors {
        /// Rewrite vectors and pages from what the code does; read the diff before committing it
        #[arg(long)]
        bless: bool,
    },
}

/// What keeps a command from running at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum Error {
    /// The crate graph could not be read.
    #[error(transparent)]
    Arrows(#[from] arrows::Error),
    /// Nothing could be fuzzed.
    #[error(transparent)]
    Fuzz(#[from] fuzz::Error),
    /// A program could not be started.
    #[error("cargo could not be started: {0}")]
    Started(std::io::Error),
    /// The simulator could not be started.
    #[error(transparent)]
    Sim(#[from] sim::Error),
    /// A run could not be started, or the page not be written.
    #[error(transparent)]
    Reliability(#[from] reliability::Error),
    /// The source tree could not be listed or read.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// Vectors or generated pages could not be checked.
    #[error(transparent)]
    Vectors(#[from] vectors::Error),
}

#[cfg(test)]
mod tests;
