//! `cargo xtask fuzz`: builds the fuzz program, gives every target its share of the time, keeps what it finds.
//!
//! The program and its targets are the crate `fuzz`; what an engine prints is read by [`report`].

mod report;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use std::{fs, io, thread};

use crate::run;
use crate::tree::Tree;
use report::{Found, Outcome, Summary};

/// What is to be run.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// How long to look, all targets together; building takes its own time
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u64,
    /// Only this target
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Run this one input through --target, and nothing else
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
    /// List the targets
    #[arg(long)]
    list: bool,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The engine's seed, to repeat a run; by the clock if it is not given
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u32>,
}

impl Args {
    /// The command that runs the same again.
    fn command(&self) -> String {
        let mut command = format!("cargo xtask fuzz --seconds {}", self.seconds);
        if let Some(target) = &self.target {
            command.push_str(&format!(" --target {target}"));
        }
        if let Some(seed) = self.seed {
            command.push_str(&format!(" --seed {seed}"));
        }
        command
    }
}

/// Runs the targets; `true` when no input broke a promise.
pub(crate) fn command(tree: &Tree, args: &Args) -> Result<bool, Error> {
    let all = targets(tree)?;
    if args.list {
        for (name, about) in &all {
            println!("{name:<12} {about}");
        }
        println!("{} targets", all.len());
        return Ok(true);
    }
    let chosen = chosen(&all, args.target.as_deref())?;
    let program = build(tree)?;
    let engine = Engine {
        program,
        root: tree.root().to_path_buf(),
        seed: args.seed,
    };
    if let (Some(input), Some(name)) = (&args.input, chosen.first()) {
        return engine.replay(name, input);
    }
    let began = Instant::now();
    let outcomes = engine.share(&chosen, args.seconds)?;
    let summary = Summary {
        outcomes,
        seconds: began.elapsed().as_secs(),
    };
    if let Some(path) = &args.json {
        fs::write(path, summary.json(&args.command())).map_err(|source| Error::file(path, source))?;
    }
    println!("\n{summary}");
    Ok(summary.is_clean())
}

/// The program, and where it keeps what.
struct Engine {
    program: PathBuf,
    root: PathBuf,
    seed: Option<u32>,
}

impl Engine {
    /// Gives each target its share of the time, as many at once as there are processors.
    fn share(&self, targets: &[String], seconds: u64) -> Result<Vec<Outcome>, Error> {
        let lanes = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(targets.len());
        let each = (seconds * lanes as u64 / targets.len().max(1) as u64).max(1);
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..lanes {
                scope.spawn(|| {
                    while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = self.look(target, each);
                        if let Ok(outcome) = &outcome {
                            println!("{outcome}");
                        }
                        done.lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .push(outcome);
                    }
                });
            }
        });
        let done = done
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut outcomes = done.into_iter().collect::<Result<Vec<_>, _>>()?;
        outcomes.sort_by(|one, other| one.target.cmp(&other.target));
        Ok(outcomes)
    }

    /// Looks for inputs of one target, from its seeds, its regressions and what earlier runs kept.
    fn look(&self, target: &str, seconds: u64) -> Result<Outcome, Error> {
        let corpus = self.folder("fuzz/corpus", target)?;
        let seeds = self.folder("fuzz/corpus-seeds", target)?;
        let artifacts = self.folder("fuzz/artifacts", target)?;
        let regressions = self.root.join("fuzz/regressions").join(target);
        let mut command = self.engine(target);
        command
            .env("BEATBOOK_FUZZ_SEEDS", &seeds)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .args([
                "-print_final_stats=1",
                "-use_value_profile=1",
                "-max_len=4096",
                "-len_control=20",
            ]);
        if let Some(seed) = self.seed {
            command.arg(format!("-seed={seed}"));
        }
        command.arg(&corpus).arg(&seeds);
        if regressions.is_dir() {
            command.arg(&regressions);
        }
        let output = command.stdin(Stdio::null()).output().map_err(Error::Start)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let mut outcome = Outcome::read(target, &said);
        if !output.status.success() {
            outcome.found = Some(self.keep(target, &said, &regressions)?);
        }
        Ok(outcome)
    }

    /// Makes a found input as small as it gets in bounded time, and keeps it where `cargo test` runs it.
    fn keep(&self, target: &str, said: &str, regressions: &Path) -> Result<Found, Error> {
        let Some(artifact) = report::artifact(said) else {
            return Ok(Found::without_input(said));
        };
        fs::create_dir_all(regressions).map_err(|source| Error::file(regressions, source))?;
        let name = artifact
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let kept = regressions.join(name.unwrap_or_else(|| "crash".to_owned()));
        if artifact
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("crash-"))
        {
            // What it prints and how it ends says nothing more: the smaller input is there, or it is not.
            let _ = self
                .engine(target)
                .args(["-minimize_crash=1", "-max_total_time=20", "-runs=100000"])
                .arg(format!("-exact_artifact_path={}", kept.display()))
                .arg(&artifact)
                .stdin(Stdio::null())
                .output()
                .map_err(Error::Start)?;
        }
        if !kept.exists() {
            fs::copy(&artifact, &kept).map_err(|source| Error::file(&kept, source))?;
        }
        let shown = kept
            .strip_prefix(&self.root)
            .unwrap_or(&kept)
            .display()
            .to_string();
        Ok(Found {
            what: report::panic_of(said),
            again: Some(format!("cargo xtask fuzz --target {target} --input {shown}")),
        })
    }

    /// Runs one input, with everything that the program says.
    fn replay(&self, target: &str, input: &Path) -> Result<bool, Error> {
        let status = self.engine(target).arg(input).status().map_err(Error::Start)?;
        println!(
            "{target}: {} {}",
            input.display(),
            if status.success() { "passed" } else { "FAILED" }
        );
        Ok(status.success())
    }

    fn engine(&self, target: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(&self.root)
            .env("BEATBOOK_FUZZ_TARGET", target)
            .env("RUST_BACKTRACE", "1")
            .args([
                &format!("-rss_limit_mb={RSS_MB_MAX}"),
                &format!("-timeout={INPUT_SECONDS_MAX}"),
            ]);
        command
    }

    fn folder(&self, place: &str, target: &str) -> Result<PathBuf, Error> {
        let folder = self.root.join(place).join(target);
        fs::create_dir_all(&folder).map_err(|source| Error::file(&folder, source))?;
        Ok(folder)
    }
}

/// The targets that the crate lists: name, and what it is about.
fn targets(tree: &Tree) -> Result<Vec<(String, String)>, Error> {
    let path = tree.root().join(LIST);
    let text = fs::read_to_string(&path).map_err(|source| Error::file(&path, source))?;
    let rows = text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace));
    Ok(rows
        .map(|(name, about)| (name.to_owned(), about.trim().to_owned()))
        .collect())
}

fn chosen(all: &[(String, String)], only: Option<&str>) -> Result<Vec<String>, Error> {
    let names = all.iter().map(|(name, _)| name.clone());
    let chosen: Vec<String> = names
        .filter(|name| only.is_none_or(|only| only == name))
        .collect();
    match only {
        Some(only) if chosen.is_empty() => Err(Error::NoTarget {
            name: only.to_owned(),
        }),
        _ => Ok(chosen),
    }
}

/// Builds the program. What is instrumented is the code of this workspace, with what it makes of generic code of others;
/// everything else is the very build that the simulator uses.
fn build(tree: &Tree) -> Result<PathBuf, Error> {
    let args = [
        "build",
        "--package",
        "beatbook-fuzz",
        "--features",
        "engine",
        "--profile",
        "sim",
        "--message-format",
        "json-render-diagnostics",
    ];
    let mut command = run::tuned(tree, &args);
    let own = std::env::current_exe().map_err(Error::Start)?;
    command.env("RUSTC_WORKSPACE_WRAPPER", own).env(INSTRUMENT, "1");
    let output = command.stderr(Stdio::inherit()).output().map_err(Error::Start)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let mut programs = said.lines().filter_map(report::program);
    match programs.next_back() {
        Some(program) if output.status.success() => Ok(program),
        _ => Err(Error::Build),
    }
}

/// Where cargo has this program stand between itself and the compiler: compiles as asked, with instrumentation, overflow
/// checks and debug assertions in the crates of this workspace. `None` where this is an ordinary start.
pub(crate) fn instead_of_compiler() -> Option<ExitCode> {
    std::env::var_os(INSTRUMENT)?;
    let mut arguments = std::env::args_os().skip(1);
    let mut command = Command::new(arguments.next()?);
    let arguments: Vec<OsString> = arguments.collect();
    let of_workspace = arguments
        .windows(2)
        .any(|pair| pair[0] == "--crate-name" && pair[1].to_string_lossy().starts_with("beatbook"));
    command.args(arguments);
    if of_workspace {
        command.args(INSTRUMENTED);
    }
    let status = command.status().ok()?;
    Some(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The program does not build.
    #[error(
        "the fuzz program does not build: it needs a C++ compiler (Debian: g++); what cargo said is above"
    )]
    Build,
    /// A file could not be read or written.
    #[error("{}: {source}; check its permissions and the free space", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such target.
    #[error("there is no target {name}: `cargo xtask fuzz --list` names those there are")]
    NoTarget {
        /// What was asked for.
        name: String,
    },
    /// A program could not be started.
    #[error("a program could not be started ({0}): run this as `cargo xtask fuzz`")]
    Start(#[source] io::Error),
}

impl Error {
    fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_path_buf(),
            source,
        }
    }
}

/// Coverage by counters of edges and compared values: flags of the stable compiler. The sanitizers need more than that.
const INSTRUMENTED: &[&str] = &[
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Set for a build of the fuzz program.
const INSTRUMENT: &str = "BEATBOOK_XTASK_INSTRUMENT";
const LIST: &str = "fuzz/targets.txt";
/// An input that makes the process take more has found something.
const RSS_MB_MAX: u32 = 1_024;
/// An input that takes longer has found something, on however slow a machine.
const INPUT_SECONDS_MAX: u32 = 20;

#[cfg(test)]
mod tests;
