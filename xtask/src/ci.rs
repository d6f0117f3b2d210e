//! `cargo xtask ci`: all that CI runs, step by step, and a table of the outcome.

use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::tree::Tree;
use crate::{arrows, run, tidy, vectors};

/// Runs the steps and prints the table; `true` when every step passed.
pub(crate) fn command(tree: &Tree, quick: bool) -> bool {
    let outcomes: Vec<Outcome> = steps(quick, &|path| tree.has(path))
        .into_iter()
        .map(|step| step.perform(tree))
        .collect();
    println!("\n{}", Table(&outcomes));
    outcomes.iter().all(|outcome| outcome.passed)
}

/// One step of CI.
struct Step {
    name: &'static str,
    work: Work,
}

/// What a step does.
enum Work {
    /// Runs cargo with these arguments and these variables.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// Runs a command of this program.
    Own(fn(&Tree) -> Result<bool, crate::Error>),
}

impl Step {
    fn perform(&self, tree: &Tree) -> Outcome {
        println!("\n=== {}", self.name);
        let start = Instant::now();
        let passed = match &self.work {
            Work::Cargo(args, variables) => {
                let mut command = run::cargo(tree, args);
                command.envs(variables.iter().copied());
                said(
                    self.name,
                    run::shown(command).map_err(|error: io::Error| error.to_string()),
                )
            }
            Work::Own(work) => said(self.name, work(tree).map_err(|error| error.to_string())),
        };
        Outcome {
            name: self.name,
            passed,
            took: start.elapsed(),
        }
    }
}

/// How a step ended.
#[derive(Debug)]
struct Outcome {
    name: &'static str,
    passed: bool,
    took: Duration,
}

/// The outcomes as a table whose last line counts them.
struct Table<'a>(&'a [Outcome]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:>8}  outcome", "step", "seconds")?;
        for outcome in self.0 {
            let verdict = if outcome.passed { "passed" } else { "FAILED" };
            writeln!(
                f,
                "{:<12} {:>8.1}  {verdict}",
                outcome.name,
                outcome.took.as_secs_f64()
            )?;
        }
        let passed = self.0.iter().filter(|outcome| outcome.passed).count();
        write!(f, "{passed} passed, {} failed", self.0.len() - passed)
    }
}

/// The steps in order; `has` says which paths the tree holds.
fn steps(quick: bool, has: &dyn Fn(&str) -> bool) -> Vec<Step> {
    let mut steps = vec![
        Step {
            name: "fmt",
            work: Work::Cargo(&["fmt", "--all", "--check"], &[]),
        },
        Step {
            name: "tidy",
            work: Work::Own(|tree| Ok(tidy::command(tree, &[])?)),
        },
        Step {
            name: "arrows",
            work: Work::Own(|tree| Ok(arrows::command(tree)?)),
        },
        Step {
            name: "clippy",
            work: Work::Cargo(
                &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
                &[],
            ),
        },
        Step {
            name: "vectors",
            work: Work::Own(|tree| Ok(vectors::command(tree, false)?)),
        },
    ];
    if quick {
        return steps;
    }
    steps.push(Step {
        name: "doc",
        work: Work::Cargo(
            &["doc", "--workspace", "--no-deps"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        ),
    });
    // The command that README.md gives; nothing added, so that the one proves the other.
    steps.push(Step {
        name: "test",
        work: Work::Cargo(&["test", "--workspace"], &[]),
    });
    let there = SEARCHES
        .iter()
        .filter(|(_, needs, _)| needs.iter().all(|path| has(path)));
    steps.extend(there.map(|(name, _, args)| Step {
        name,
        work: Work::Cargo(args, &[]),
    }));
    steps
}

fn said(step: &str, outcome: Result<bool, String>) -> bool {
    outcome.unwrap_or_else(|error| {
        println!("{step}: {error}");
        false
    })
}

/// Searches for what nobody thought of, in a size that CI can bear: name, what has to be there, the command.
/// CONTRIBUTING.md says how to search longer.
const SEARCHES: &[(&str, &[&str], &[&str])] = &[
    (
        "sim",
        &["crates/beatbook-sim"],
        &["xtask", "sim", "--seeds", "2000"],
    ),
    ("images", &[CRASH], &["xtask", "crash", "--images", "300"]),
    (
        "kills",
        &[CRASH, "tests/src/bin/beatbook-crash/kills.rs"],
        &["xtask", "crash", "--kills", "60"],
    ),
    (
        "flips",
        &[CRASH, "tests/src/bin/beatbook-crash/flips.rs"],
        &["xtask", "crash", "--flips", "300"],
    ),
    (
        "fuzz",
        &["fuzz"],
        &["xtask", "fuzz", "--seconds", "60", "--seed", "1"],
    ),
];
/// The command that breaks stores.
const CRASH: &str = "xtask/src/crash.rs";

#[cfg(test)]
mod tests;
