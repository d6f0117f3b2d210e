//! The benchmark program: what a write and a sync cost on this machine, beside the limit of the disk.
//!
//! `cargo run --release -p beatbook-bench -- write` and `-- sync --data FILE`. Prints one table; asserts nothing.

mod data;
mod figures;
mod force;
mod synced;
mod written;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures Beatbook on this machine.
#[derive(Parser)]
#[command(version, about)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A durable write of a short note on the device, beside a bare append and fsync in the same folder.
    Write {
        /// How many writes of each kind, in turn.
        #[arg(long, default_value_t = 2_000)]
        writes: usize,
        /// The folder to write in; by default one in the system's temporary folder.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Records from a device to a durable server and on to a supervisor: real processes, real sockets, real disks.
    Sync {
        /// Records as JSON Lines: `type` note, contact or patrol, as the peers' generator writes them.
        #[arg(long)]
        data: PathBuf,
        /// How many rounds; each begins with empty stores.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// The folder for the stores.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Write { writes, dir } => written::run(writes, dir),
        Command::Sync { data, rounds, dir } => synced::run(&data, rounds, dir),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("beatbook-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whatever stops a measurement.
type Failure = Box<dyn std::error::Error + Send + Sync>;
