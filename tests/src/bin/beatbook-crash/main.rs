//! `beatbook-crash`: what power cuts, kills and failing disks do to the real programs and the real store, many times over.
//!
//! One module per subcommand; `cargo xtask crash` builds it and passes arguments on.

mod kills;
mod storm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    match &Arguments::parse().command {
        Command::Kills(arguments) => kills::run(arguments),
        Command::Storm(arguments) => storm::run(arguments),
    }
}

/// Crashes the real programs and the real store, and looks at what is left.
#[derive(Debug, Parser)]
#[command(name = "beatbook-crash", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Kill device and server, again and again, while one writes and both sync
    #[command(after_help = "Example: beatbook-crash kills --kills 200 --seed 7")]
    Kills(kills::Arguments),
    /// Let mixtures of faults come over the link and the processes of two phones and a server
    #[command(after_help = "Example: beatbook-crash storm --rounds 10 --seed 7")]
    Storm(storm::Arguments),
}
