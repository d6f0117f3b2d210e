//! What the engine prints, read: figures, what broke, and the summary of a run. Starts nothing.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value, json};

/// What looking at one target came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) target: String,
    /// Inputs run.
    pub(super) runs: u64,
    /// Edges of the program that some input reached.
    pub(super) edges: u64,
    /// Inputs that each reach something of their own.
    pub(super) inputs: u64,
    /// The most memory that the process took.
    pub(super) rss_mb: u64,
    pub(super) found: Option<Found>,
}

/// An input that broke a promise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What the program said.
    pub(super) what: String,
    /// The command that repeats it, where there is an input.
    pub(super) again: Option<String>,
}

/// All outcomes; the last line of its text is the line of the run.
pub(super) struct Summary {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) seconds: u64,
}

impl Outcome {
    /// Reads the figures out of what the engine printed.
    pub(super) fn read(target: &str, said: &str) -> Self {
        let mut outcome = Self {
            target: target.to_owned(),
            ..Self::default()
        };
        for line in said.lines() {
            if let Some((_, rest)) = line.split_once(" cov: ") {
                outcome.edges = number(rest).max(outcome.edges);
                if let Some((_, corp)) = rest.split_once(" corp: ") {
                    outcome.inputs = number(corp);
                }
            } else if let Some(rest) = line.strip_prefix("stat::number_of_executed_units:") {
                outcome.runs = number(rest.trim());
            } else if let Some(rest) = line.strip_prefix("stat::peak_rss_mb:") {
                outcome.rss_mb = number(rest.trim());
            }
        }
        outcome
    }
}

impl Found {
    /// The program ended badly, and left no input.
    pub(super) fn without_input(said: &str) -> Self {
        Self {
            what: panic_of(said),
            again: None,
        }
    }
}

impl Summary {
    /// True if no promise was broken.
    pub(super) fn is_clean(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.found.is_none())
    }

    /// The figures for programs, in the form that `cargo xtask reliability` reads; `command` repeats the run.
    pub(super) fn json(&self, command: &str) -> String {
        let rows = self.outcomes.iter().map(|outcome| {
            let broken = outcome.found.is_some();
            json!([
                outcome.target,
                outcome.runs,
                outcome.edges,
                outcome.inputs,
                outcome.rss_mb,
                broken
            ])
        });
        let object = json!({
            "name": "fuzz",
            "command": command,
            "passed": self.is_clean(),
            "seconds": self.seconds,
            "summary": self.line(),
            "figures": { "targets": self.outcomes.len(), "runs": self.runs(), "broken": self.broken() },
            "tables": [{
                "title": "targets",
                "columns": ["target", "runs", "edges", "inputs", "peak MiB", "broken"],
                "rows": rows.collect::<Vec<_>>(),
            }],
        });
        format!("{object:#}\n")
    }

    /// The line that says it all.
    fn line(&self) -> String {
        format!(
            "{} targets, {} s, {} runs, {} broken",
            self.outcomes.len(),
            self.seconds,
            grouped(self.runs()),
            self.broken()
        )
    }

    fn runs(&self) -> u64 {
        self.outcomes.iter().map(|outcome| outcome.runs).sum()
    }

    fn broken(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| outcome.found.is_some())
            .count()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.found.is_some() { "BROKEN" } else { "held" };
        write!(
            f,
            "{:<12} {:>12} runs {:>7} edges {:>6} inputs {:>5} MiB  {verdict}",
            self.target,
            grouped(self.runs),
            self.edges,
            self.inputs,
            self.rss_mb
        )
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for outcome in &self.outcomes {
            if let Some(found) = &outcome.found {
                writeln!(f, "{}: {}", outcome.target, found.what)?;
                match &found.again {
                    Some(again) => writeln!(f, "  kept as a regression; to repeat it: {again}")?,
                    None => writeln!(
                        f,
                        "  no input was left: the program did not get as far as running one"
                    )?,
                }
            }
        }
        f.write_str(&self.line())
    }
}

/// The program that a line of cargo's messages says was built, if it says so.
pub(super) fn program(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    message.get("executable")?.as_str().map(PathBuf::from)
}

/// The file that the engine wrote the found input to.
pub(super) fn artifact(said: &str) -> Option<PathBuf> {
    let line = said
        .lines()
        .rev()
        .find_map(|line| line.split_once("Test unit written to "))?;
    Some(PathBuf::from(line.1.trim()))
}

/// What the program said when it stopped: the panic, else the engine's own line.
pub(super) fn panic_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let panic = lines.iter().position(|line| line.contains("panicked at "));
    let what = match panic {
        Some(at) => {
            let place = lines[at]
                .split_once("panicked at ")
                .map_or("", |(_, place)| place);
            let words = lines.get(at + 1).copied().unwrap_or_default();
            format!("{} {words}", place.trim())
        }
        None => lines
            .iter()
            .find(|line| line.contains("ERROR: ") || line.starts_with("SUMMARY: "))
            .or(lines.last())
            .map_or_else(|| "it ended without a word".to_owned(), |line| (*line).to_owned()),
    };
    what.chars().take(WHAT_CHARS_MAX).collect()
}

/// The number that a text begins with, 0 if there is none.
fn number(text: &str) -> u64 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const WHAT_CHARS_MAX: usize = 400;
