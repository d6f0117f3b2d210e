//! Kept seeds: every one that ever failed, with what was taken from its plan and what it was. They run for ever.
//!
//! A file is lines of `word value`; a line that begins with `#` is for people.

use std::collections::BTreeSet;
use std::fmt;

use crate::fault::FaultKind;
use crate::plan::{Overrides, Size};

/// A seed that failed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regression {
    /// The seed.
    pub seed: u64,
    /// How large the world is.
    pub size: Size,
    /// What was taken from the plan.
    pub overrides: Overrides,
    /// What it was, in one line.
    pub was: String,
}

/// Why a file does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegressionError {
    /// A line that says nothing known: compare it with the files beside it.
    #[error("line {line} is not understood: {text}")]
    Line {
        /// The number of the line.
        line: usize,
        /// The line.
        text: String,
    },
    /// No line names the seed: add `seed 7`.
    #[error("no line names the seed: add one, such as `seed 7`")]
    NoSeed,
}

impl Regression {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, RegressionError> {
        let mut seed = None;
        let mut kept = Self {
            seed: 0,
            size: Size::Small,
            overrides: Overrides::default(),
            was: String::new(),
        };
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            let understood = match word {
                "seed" => value.parse().map(|read| seed = Some(read)).is_ok(),
                _ => kept.take(word, value.trim()).is_some(),
            };
            if !understood {
                return Err(RegressionError::Line {
                    line: number,
                    text: line.to_owned(),
                });
            }
        }
        kept.seed = seed.ok_or(RegressionError::NoSeed)?;
        Ok(kept)
    }

    fn take(&mut self, word: &str, value: &str) -> Option<()> {
        let changed = &mut self.overrides;
        match word {
            "size" if value == "large" => self.size = Size::Large,
            "size" if value == "small" => self.size = Size::Small,
            "devices" => changed.devices_max = Some(value.parse().ok()?),
            "days" => changed.days_max = Some(value.parse().ok()?),
            "events" => changed.events_max = Some(value.parse().ok()?),
            "entries" => changed.entries_per_day = Some(value.parse().ok()?),
            "without" => changed.without = kinds(value)?,
            "only" => changed.only = Some(kinds(value)?),
            "atlas-off" => changed.atlas_off = true,
            "goes-on" => changed.goes_on = true,
            "shared" => changed.shared = true,
            "was" => value.clone_into(&mut self.was),
            _ => return None,
        }
        Some(())
    }

    /// The arguments that repeat it, after `cargo xtask sim`.
    pub fn arguments(&self) -> String {
        let mut said = format!("--seed {}", self.seed);
        if self.size == Size::Large {
            said.push_str(" --size large");
        }
        let changed = &self.overrides;
        let numbers = [
            ("devices", changed.devices_max.map(|most| most as u64)),
            ("days", changed.days_max.map(u64::from)),
            ("events", changed.events_max),
            ("entries", changed.entries_per_day),
        ];
        for (word, number) in numbers {
            if let Some(number) = number {
                said.push_str(&format!(" --{word} {number}"));
            }
        }
        if !changed.without.is_empty() {
            said.push_str(&format!(" --without {}", names(&changed.without, ",")));
        }
        if let Some(only) = &changed.only {
            said.push_str(&format!(" --only {}", names(only, ",")));
        }
        if changed.atlas_off {
            said.push_str(" --atlas-off");
        }
        if changed.shared {
            said.push_str(" --shared");
        }
        if changed.goes_on {
            said.push_str(" --goes-on");
        }
        said
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "was {}", self.was)?;
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "size {}", self.size)?;
        let changed = &self.overrides;
        if let Some(devices) = changed.devices_max {
            writeln!(f, "devices {devices}")?;
        }
        if let Some(days) = changed.days_max {
            writeln!(f, "days {days}")?;
        }
        if let Some(events) = changed.events_max {
            writeln!(f, "events {events}")?;
        }
        if let Some(entries) = changed.entries_per_day {
            writeln!(f, "entries {entries}")?;
        }
        if !changed.without.is_empty() {
            writeln!(f, "without {}", names(&changed.without, " "))?;
        }
        if let Some(only) = &changed.only {
            writeln!(f, "only {}", names(only, " "))?;
        }
        if changed.atlas_off {
            writeln!(f, "atlas-off")?;
        }
        if changed.shared {
            writeln!(f, "shared")?;
        }
        if changed.goes_on {
            writeln!(f, "goes-on")?;
        }
        Ok(())
    }
}

/// Kinds of fault as one argument of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds(pub BTreeSet<FaultKind>);

/// Reads an argument, and says what it may be.
pub fn kinds_or_refuse(text: &str) -> Result<Kinds, String> {
    let read = kinds(text).map(Kinds);
    read.ok_or_else(|| "name kinds of fault, parted by commas; --list-faults lists them".into())
}

/// Kinds of fault by name, parted by blanks or commas.
pub fn kinds(text: &str) -> Option<BTreeSet<FaultKind>> {
    let words = text
        .split([' ', ','])
        .filter(|word| !word.is_empty() && *word != "none");
    words.map(FaultKind::named).collect()
}

fn names(kinds: &BTreeSet<FaultKind>, between: &str) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(between)
    }
}

#[cfg(test)]
mod tests;
