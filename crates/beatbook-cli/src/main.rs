//! The program `beatbook`: a notebook that works the same with no signal.

mod args;
mod demo;
mod desk;
mod door;
mod enrol;
mod error;
mod output;
mod patrol;
mod pin;
mod read;
mod repair;
mod resolve;
mod sync;
mod teach;
mod time;
mod versions;
mod view;
mod words;
mod write;

use std::io::{self, ErrorKind, Read as _, Write};
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use door::{Call, Ended};
use error::{Exit, Failure};
use output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log();
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let ended = execute(&cli, &mut out, &mut err);
    let code = match ended {
        Ok(Ended::Here(exit)) => exit.code(),
        Ok(Ended::Elsewhere(code)) => code,
        // Whoever read the answer has read enough.
        Err(Failure::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Exit::Done.code(),
        Err(failure) => {
            let mut output = Output::new(&mut out, &mut err, false, door::terminal());
            complain(&failure, &mut output);
            failure.exit().code()
        }
    };
    ExitCode::from(code)
}

/// Says why a command was not done.
pub(crate) fn complain(failure: &Failure, output: &mut Output<'_>) {
    output.remark(&format!("beatbook: {failure}"));
}

fn execute(cli: &Cli, out: &mut (dyn Write + Send), err: &mut (dyn Write + Send)) -> Result<Ended, Failure> {
    let terminal = door::terminal();
    let mut output = Output::new(out, err, cli.global.json, terminal);
    match &cli.command {
        Command::Completions(arguments) => teach::completions(arguments, &mut output)?,
        Command::Demo(arguments) => return demo::run(arguments, &mut output).map(Ended::Here),
        Command::Enrol(arguments) => return enrol::run(cli, arguments, &mut output).map(Ended::Here),
        Command::Fields(arguments) => teach::fields(arguments, &mut output)?,
        Command::Repair => return repair::run(cli, &mut output).map(Ended::Here),
        Command::Pull(arguments) if arguments.out.is_some() => return into_file(cli, arguments, out, err),
        _ => {
            let (cli, arguments) = from_stdin(cli)?;
            let call = Call {
                cli: &cli,
                arguments,
                terminal,
            };
            return door::run(&call, out, err);
        }
    }
    Ok(Ended::Here(Exit::Done))
}

/// Writes a pulled log to a file: whole, or not at all.
fn into_file(
    cli: &Cli,
    arguments: &args::Pull,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<Ended, Failure> {
    let Some(path) = &arguments.out else {
        return Err(Failure::Usage("--out names no file".to_owned()));
    };
    let failed = |source: io::Error| Failure::File {
        path: path.clone(),
        source,
    };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::Builder::new()
        .prefix(".beatbook-pull-")
        .tempfile_in(folder.unwrap_or_else(|| std::path::Path::new(".")))
        .map_err(failed)?;
    let call = Call {
        cli,
        arguments: std::env::args().skip(1).collect(),
        terminal: output::Terminal {
            columns: None,
            ..door::terminal()
        },
    };
    let ended = door::run(&call, file.as_file_mut(), err)?;
    // Of a server that was not reached the device's own log is written, and the exit code says so.
    let whole = match &ended {
        Ended::Elsewhere(code) => *code != Exit::Usage.code(),
        Ended::Here(exit) => *exit != Exit::Usage,
    };
    if whole {
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        if !cli.global.json {
            Output::new(out, err, false, call.terminal).remark(&format!("written to {}", path.display()));
        }
    }
    Ok(ended)
}

/// Puts what standard input says in the place of a text that is `-`.
fn from_stdin(cli: &Cli) -> Result<(Cli, Vec<String>), Failure> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = match &cli.command {
        Command::Note(note) => note.text == STDIN,
        Command::Supplement(supplement) => supplement.text == STDIN,
        _ => false,
    };
    if asked {
        let mut text = String::new();
        io::stdin().take(TEXT_BYTES_MAX).read_to_string(&mut text)?;
        if let Some(place) = arguments
            .iter_mut()
            .rev()
            .find(|argument| argument.as_str() == STDIN)
        {
            *place = text.trim_end().to_owned();
        }
    }
    let typed = std::iter::once("beatbook").chain(arguments.iter().map(String::as_str));
    let cli = Cli::try_parse_from(typed).map_err(|_| {
        Failure::Usage(
            "the text from standard input begins like an option: begin it with a letter".to_owned(),
        )
    })?;
    Ok((cli, arguments))
}

/// Diagnostics go to standard error, and only those that were asked for; record text is in none of them.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("BEATBOOK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    // A second subscriber cannot be set in one process; there is none.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .try_init();
}

const STDIN: &str = "-";
/// Four bytes for each of the 20,000 characters that a text may have, and some to say that it is too long.
const TEXT_BYTES_MAX: u64 = 128 << 10;
