//! The program `beatbookd`: the server of a force and its administration.
//!
//! Every command runs against an open [`ServerStore`]: in the process that serves it, reached over the store's control
//! socket, or in this one if nobody serves. Results go to the standard output, everything else to the standard error
//! output. Exit status: 0 done, 1 failed, 2 wrong usage.

mod args;
mod commands;
mod output;
mod serve;
mod when;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use beatbook_server::{OpenError, ServerStore};
use beatbook_store_sled::control::{self, CallError, Request};
use clap::Parser;

use crate::args::{Args, Command};
use crate::commands::Failed;
use crate::output::Io;

fn main() -> ExitCode {
    let args = Args::parse();
    log(&args);
    let mut io = Io::terminal();
    ExitCode::from(match run(args, &mut io) {
        Ok(()) => 0,
        Err(error) => output::fail(&mut io, &error),
    })
}

fn run(args: Args, io: &mut Io) -> Result<(), Failed> {
    let json = args.json;
    let data = args.data.ok_or(Failed::NoData)?;
    match args.command {
        Command::Init(options) => commands::init(&data, options, json, io),
        Command::Repair(options) => commands::repair(&data, &options, json, io),
        Command::Restore(options) => commands::restore(&data, options, json, io),
        Command::Serve(options) => serve::serve(&data, &options, json, io),
        command => administer(&data, command, json, io),
    }
}

/// Runs a command where the store is open: at its holder, or here.
fn administer(data: &Path, command: Command, json: bool, io: &mut Io) -> Result<(), Failed> {
    let deadline = Instant::now() + HANDOVER_TIMEOUT;
    loop {
        match control::call(ServerStore::store_dir(data), &request(io)?) {
            Ok(response) => {
                let code = response.relay(&mut io.out, &mut io.err)?;
                return if code == 0 {
                    Ok(())
                } else {
                    Err(Failed::Told(code))
                };
            }
            Err(CallError::NobodyHolds) => {}
            Err(error) => return Err(error.into()),
        }
        match ServerStore::open(data) {
            Ok(store) => {
                let done = commands::run(&store, command, json, io);
                let closed = store.close().map_err(Failed::from);
                return done.and(closed);
            }
            // A holder that has just begun or is about to end does not answer yet or any more.
            Err(OpenError::Store(beatbook_store_sled::OpenError::Locked { .. }))
                if Instant::now() < deadline =>
            {
                std::thread::sleep(HANDOVER_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn request(io: &Io) -> Result<Request, Failed> {
    let arguments = std::env::args_os().skip(1).map(|argument| {
        argument
            .into_string()
            .map_err(|argument| Failed::NotText(PathBuf::from(argument)))
    });
    let request = Request::new(arguments.collect::<Result<Vec<_>, _>>()?).map_err(Failed::Folder)?;
    let terminal = if io.terminal { "1" } else { "0" };
    Ok(request.with(output::TERMINAL, terminal))
}

/// Sends what is worth a remark to the standard error output, as `BEATBOOK_LOG` says.
fn log(args: &Args) {
    let default = match args.command {
        Command::Serve(_) => "info",
        _ => "warn",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("BEATBOOK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .init();
    // A log that nobody reads must not end the program.
    let _ = std::io::stderr().flush();
}

/// How long a command waits for a holder that begins or ends.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);
const HANDOVER_PAUSE: Duration = Duration::from_millis(50);
