//! `beatbook-crash`: what power cuts, kills and failing disks do to the real programs and the real store, many times over.
//!
//! One module per subcommand; `cargo xtask crash` builds it and passes arguments on. For what happens to a store alone,
//! [`workload`] holds what is run, [`recording`] and [`disk`] what a machine would keep of it, [`check`] what is
//! demanded of that.

mod check;
mod child;
mod disk;
mod flips;
mod images;
mod kills;
mod nth;
mod recording;
mod scratch;
mod storm;
mod work;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Check(arguments) => check::command(&arguments).map(|()| true),
        Command::Flips(arguments) => return flips::run(&arguments),
        Command::Images(arguments) => images::command(&arguments),
        Command::Kills(arguments) => return kills::run(&arguments),
        Command::Nth(arguments) => nth::command(&arguments),
        Command::Storm(arguments) => return storm::run(&arguments),
        Command::Work(arguments) => work::command(&arguments).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
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
    #[command(hide = true)]
    Check(check::Args),
    #[command(after_help = "Example: beatbook-crash flips --flips 500 --seed 7")]
    Flips(flips::Arguments),
    #[command(after_help = "Example: beatbook-crash images --images 1000 --seed 7")]
    Images(images::Args),
    /// Kill device and server, again and again, while one writes and both sync
    #[command(after_help = "Example: beatbook-crash kills --kills 200 --seed 7")]
    Kills(kills::Arguments),
    #[command(after_help = "Example: beatbook-crash nth --every 5")]
    Nth(nth::Args),
    /// Let mixtures of faults come over the link and the processes of two phones and a server
    #[command(after_help = "Example: beatbook-crash storm --rounds 10 --seed 7")]
    Storm(storm::Arguments),
    #[command(hide = true)]
    Work(work::Args),
}
