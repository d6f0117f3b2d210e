//! `cargo xtask reliability`: runs what shows that nothing is lost, and writes docs/reliability.md from the figures.
//!
//! Each run leaves a JSON file, so that a campaign can be run in parts and the page made of them in no time. Nothing is
//! judged here but what the runs say of themselves: the page shows a failed run as failed, and a missing one as missing.

mod outcome;
mod page;

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs, process, thread};

use crate::tree::Tree;
use outcome::Outcome;

/// What the command is given.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Run nothing: make the page from the JSON files in this folder
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The sizes of a campaign (hours) and not those of a look (minutes)
    #[arg(long, conflicts_with = "from")]
    full: bool,
    /// Only this run, and the page from what other runs have left; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    only: Vec<String>,
    /// Say what would be run, and do nothing
    #[arg(long)]
    list: bool,
}

/// One of the runs that the page is made of.
#[derive(Debug)]
struct Run {
    /// Its name, and that of its JSON file.
    name: &'static str,
    /// What it shows, for the page.
    title: &'static str,
    /// Arguments of `cargo xtask` for a look.
    look: &'static [&'static str],
    /// And for a campaign.
    campaign: &'static [&'static str],
    /// How it gives its figures.
    figures: Figures,
}

/// How a run gives its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figures {
    /// As JSON among what it prints, when asked with `--json`.
    Printed,
    /// As a file that is named with `--json FILE`.
    Written,
}

/// Runs, and writes the page; `true` when every run is there and passed.
pub(crate) fn command(tree: &Tree, arguments: &Arguments) -> Result<bool, Error> {
    if let Some(unknown) = arguments
        .only
        .iter()
        .find(|name| RUNS.iter().all(|run| run.name != **name))
    {
        return Err(Error::Unknown(unknown.clone()));
    }
    let folder = match &arguments.from {
        Some(from) => from.clone(),
        None => tree.root().join("target/reliability"),
    };
    let wanted = |run: &&Run| arguments.only.is_empty() || arguments.only.iter().any(|name| name == run.name);
    if arguments.list {
        for run in RUNS.iter().filter(wanted) {
            println!(
                "{:<10} cargo xtask {}",
                run.name,
                run.arguments(arguments.full).join(" ")
            );
        }
        return Ok(true);
    }
    if arguments.from.is_none() {
        fs::create_dir_all(&folder).map_err(|error| Error::at(&folder, error))?;
        for run in RUNS.iter().filter(wanted) {
            perform(tree, run, arguments.full, &folder)?;
        }
    }
    let outcomes = gathered(&folder)?;
    let page = page::Page {
        commit: commit(tree)?,
        cores: thread::available_parallelism().map_or(1, usize::from),
        outcomes: &outcomes,
    };
    let path = tree.root().join(PAGE);
    fs::write(&path, page.to_string()).map_err(|error| Error::at(&path, error))?;
    let missing: Vec<&str> = RUNS
        .iter()
        .map(|run| run.name)
        .filter(|name| outcomes.iter().all(|outcome| outcome.name != *name))
        .collect();
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    println!(
        "{PAGE}: {} runs, {failed} failed, missing: {}",
        outcomes.len(),
        if missing.is_empty() {
            "none".to_owned()
        } else {
            missing.join(", ")
        }
    );
    Ok(failed == 0 && missing.is_empty())
}

impl Run {
    fn arguments(&self, full: bool) -> &'static [&'static str] {
        if full { self.campaign } else { self.look }
    }
}

/// Runs one with what it says shown, and keeps its outcome in the folder.
fn perform(tree: &Tree, run: &Run, full: bool, folder: &Path) -> Result<(), Error> {
    let arguments = run.arguments(full);
    let told = format!("cargo xtask {}", arguments.join(" "));
    println!("\n=== {}: {told}", run.name);
    let program = env::current_exe().map_err(|error| Error::at(Path::new("this program"), error))?;
    let mut command = Command::new(program);
    command.args(arguments).arg("--json").current_dir(tree.root());
    let kept = folder.join(format!("{}.json", run.name));
    // What an earlier run left is not the outcome of this one.
    match fs::remove_file(&kept) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::at(&kept, error)),
        _ => {}
    }
    if run.figures == Figures::Written {
        command.arg(&kept);
    }
    let start = Instant::now();
    let (said, passed) = shown(command).map_err(|error| Error::at(&kept, error))?;
    let seconds = start.elapsed().as_secs();
    let written = fs::read_to_string(&kept)
        .ok()
        .and_then(|text| Outcome::read(&text));
    let outcome = match written {
        Some(written) => Outcome {
            passed: written.passed && passed,
            ..written
        },
        None => Outcome::of_output(run.name, &told, passed, seconds, &said),
    };
    fs::write(&kept, outcome.json()).map_err(|error| Error::at(&kept, error))
}

/// Runs a command, shows each line of its output when it comes, and returns them.
fn shown(mut command: Command) -> io::Result<(Vec<String>, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut lines = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            lines.push(line);
        }
    }
    Ok((lines, child.wait()?.success()))
}

/// The outcomes in a folder: in the order of the runs, and by file name where a run left several.
fn gathered(folder: &Path) -> Result<Vec<Outcome>, Error> {
    let entries = fs::read_dir(folder).map_err(|error| Error::at(folder, error))?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let mut outcomes = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(|error| Error::at(&path, error))?;
        outcomes.push(Outcome::read(&text).ok_or(Error::NoOutcome(path))?);
    }
    outcomes.sort_by_key(|outcome| {
        RUNS.iter()
            .position(|run| run.name == outcome.name)
            .unwrap_or(RUNS.len())
    });
    Ok(outcomes)
}

/// The commit that the tree is at.
fn commit(tree: &Tree) -> Result<String, Error> {
    let git = process::Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .current_dir(tree.root())
        .output()
        .map_err(|error| Error::at(Path::new("git"), error))?;
    Ok(String::from_utf8_lossy(&git.stdout).trim().to_owned())
}

/// What a run is for, by its name; nothing for one that is not on the list.
fn title(name: &str) -> &str {
    RUNS.iter()
        .find(|run| run.name == name)
        .map_or(name, |run| run.title)
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A file or a program could not be used.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A JSON file is not the outcome of a run.
    #[error("{} is not the outcome of a run: take it out of the folder, or run it again", .0.display())]
    NoOutcome(PathBuf),
    /// There is no run of that name.
    #[error("there is no run called {0}: `cargo xtask reliability --list` names them")]
    Unknown(String),
}

impl Error {
    fn at(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

const PAGE: &str = "docs/reliability.md";

/// In the order of the page. The sizes of a campaign are those that the project promises of itself.
const RUNS: &[Run] = &[
    Run {
        name: "sim",
        title: "A simulated world of devices, server, links, disks and clocks, many times over",
        look: &["sim", "--seeds", "2000"],
        campaign: &["sim", "--seeds", "20000"],
        figures: Figures::Printed,
    },
    Run {
        name: "sim-large",
        title: "The same with 20 to 40 enrolments over 3 to 7 days",
        look: &["sim", "--size", "large", "--seeds", "4"],
        campaign: &["sim", "--size", "large", "--seeds", "300"],
        figures: Figures::Printed,
    },
    Run {
        name: "sim-matrix",
        title: "Every cell of the restore matrix in simulated worlds, with work and faults around it",
        look: &["sim", "--matrix", "--seeds", "1"],
        campaign: &["sim", "--matrix", "--seeds", "20"],
        figures: Figures::Printed,
    },
    Run {
        name: "planted",
        title: "Deliberate defects, each of which the simulator must find",
        look: &["sim", "--planted"],
        campaign: &["sim", "--planted"],
        figures: Figures::Printed,
    },
    Run {
        name: "images",
        title: "Power cuts: disks as they may be left at any moment, opened by the real store",
        look: &["crash", "--images", "1000"],
        campaign: &["crash", "--images", "5000"],
        figures: Figures::Written,
    },
    Run {
        name: "nth",
        title: "The Nth call to the disk fails, for every N",
        look: &["crash", "--nth"],
        campaign: &["crash", "--nth"],
        figures: Figures::Written,
    },
    Run {
        name: "flips",
        title: "Bit rot: flipped bits, cut, missing and swapped files and values in a closed store",
        look: &["crash", "--flips", "500"],
        campaign: &["crash", "--flips", "3000"],
        figures: Figures::Written,
    },
    Run {
        name: "kills",
        title: "SIGKILL of the real programs, at random moments and at chosen calls",
        look: &["crash", "--kills", "200"],
        campaign: &["crash", "--kills", "2000"],
        figures: Figures::Written,
    },
    Run {
        name: "storm",
        title: "Mixtures of faults over the link and the processes of the real programs",
        look: &["crash", "--storm", "4"],
        campaign: &["crash", "--storm", "40"],
        figures: Figures::Written,
    },
    Run {
        name: "fuzz",
        title: "Bytes that nobody of ours would send, led by coverage",
        look: &["fuzz", "--seconds", "60"],
        campaign: &["fuzz", "--seconds", "1800"],
        figures: Figures::Written,
    },
];

#[cfg(test)]
mod tests;
