//! `cargo xtask crash`: builds the crash program with the profile of the simulator and passes the request on to it.

use std::io;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use crate::run;
use crate::tree::Tree;

/// What is to be broken.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A failing run exits with an error, prints the seed, and says where the failing case is kept.
Everything after `--` goes to the program itself, e.g. `-- --workload device-write`;
`cargo xtask crash --images 1 -- --help` tells what it takes.")]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
    /// Repeat a run with the seed that it printed
    #[arg(long)]
    seed: Option<u64>,
    /// Write the figures to this file as well
    #[arg(long)]
    json: Option<PathBuf>,
    /// Further arguments for the program
    #[arg(last = true)]
    more: Vec<String>,
}

/// The kinds of run, of which one is asked for.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
struct What {
    /// Cut the power at so many moments of recorded workloads and open what is left
    #[arg(long, value_name = "COUNT")]
    images: Option<u64>,
    /// Make every single call of a workload fail: EIO, a full disk, a short write, a sync that fails
    #[arg(long)]
    nth: bool,
    /// Kill device and server so many times while they write and sync
    #[arg(long, value_name = "COUNT")]
    kills: Option<u64>,
    /// Damage closed stores so many times: a flipped bit, a cut, missing or swapped file
    #[arg(long, value_name = "COUNT")]
    flips: Option<u64>,
    /// Let mixtures of faults come over link and processes of the real programs, in so many rounds
    #[arg(long, value_name = "ROUNDS")]
    storm: Option<u64>,
}

/// Builds the program and runs it; `true` when nothing was lost.
pub(crate) fn command(tree: &Tree, args: &Args) -> io::Result<bool> {
    let build = [
        "build",
        "--quiet",
        "--profile",
        "sim",
        "--package",
        "beatbook-tests",
    ];
    let mut build = build.to_vec();
    build.extend(["--bin", "beatbook-crash"]);
    if !run::shown(run::tuned(tree, &build))? {
        return Ok(false);
    }
    let words = args.words();
    let mut started = vec![
        "run",
        "--quiet",
        "--profile",
        "sim",
        "--package",
        "beatbook-tests",
    ];
    started.extend(["--bin", "beatbook-crash", "--"]);
    started.extend(words.iter().map(String::as_str));
    run::shown(run::tuned(tree, &started))
}

impl Args {
    /// The request as the program takes it.
    fn words(&self) -> Vec<String> {
        let counted = |name: &str, option: &str, count: u64| {
            vec![name.to_owned(), option.to_owned(), count.to_string()]
        };
        let What {
            images,
            nth: _,
            kills,
            flips,
            storm,
        } = self.what;
        // One of them is given; where it is none of the counted ones it is the one without a count.
        let mut words = images
            .map(|count| counted("images", "--images", count))
            .or_else(|| kills.map(|count| counted("kills", "--kills", count)))
            .or_else(|| flips.map(|count| counted("flips", "--flips", count)))
            .or_else(|| storm.map(|count| counted("storm", "--rounds", count)))
            .unwrap_or_else(|| vec!["nth".to_owned()]);
        if let Some(seed) = self.seed {
            words.extend(["--seed".to_owned(), seed.to_string()]);
        }
        if let Some(path) = &self.json {
            words.extend(["--json".to_owned(), path.display().to_string()]);
        }
        words.extend(self.more.iter().cloned());
        words
    }
}

#[cfg(test)]
mod tests;
