//! Looks at what a power cut or a fault left of a store, in a process of its own, and says what it found in one line.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use beatbook_store_sled::AnchorState;
use serde_json::{Value, json};

use crate::child;
use crate::workload::{Name, Refused, Side, Site};

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// No store yet, and none was promised; making one again went well.
    Absent,
    /// Everything is as it must be.
    Good,
    /// Something acknowledged is not there.
    Lost,
    /// Something is there that must not be, or is not as it was written.
    Wrong,
    /// The store does not open.
    Unopenable,
}

/// The whole of what a look found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it comes to.
    pub outcome: Outcome,
    /// Set where the index was made anew from the journal.
    pub rebuilt: bool,
    /// What is wrong, in words.
    pub why: String,
}

/// What the marks before a cut promise.
#[derive(Clone, Debug, Default)]
pub struct Promised {
    /// Every line, in order.
    lines: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub struct Args {
    /// The workload whose store it is
    name: Name,
    /// The folder with the store in it
    root: PathBuf,
    /// The lines that the workload had said
    marks: PathBuf,
}

/// Looks at a store in a child process.
pub fn look(name: Name, root: &Path, promised: &Promised, marks: &Path) -> Found {
    let unopenable = |why: String| Found {
        outcome: Outcome::Unopenable,
        rebuilt: false,
        why,
    };
    if let Err(error) = std::fs::write(marks, promised.lines.join("\n")) {
        return unopenable(format!("{}: {error}", marks.display()));
    }
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return unopenable(error.to_string()),
    };
    let mut command = Command::new(program);
    command.arg("check").arg(name.word()).arg(root).arg(marks);
    let output = match child::run(command) {
        Ok(output) => output,
        Err(why) => return unopenable(why),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let told: Option<Value> = said
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok());
    let outcome = told
        .as_ref()
        .and_then(|told| told["outcome"].as_str())
        .and_then(Outcome::from_word);
    match (outcome, told) {
        (Some(outcome), Some(told)) => Found {
            outcome,
            rebuilt: told["rebuilt"] == true,
            why: told["why"].as_str().unwrap_or_default().to_owned(),
        },
        _ => unopenable(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Looks at a store in this process and prints what was found.
pub fn command(args: &Args) -> Result<(), String> {
    let promised = Promised::read(&args.marks)?;
    let site = Site {
        name: args.name,
        root: args.root.clone(),
        checks: true,
    };
    let mut rebuilt = false;
    let found = check(&site, &promised, &mut rebuilt);
    let (outcome, why) = match found {
        Ok(outcome) => (outcome, String::new()),
        Err((outcome, why)) => (outcome, why),
    };
    println!(
        "{}",
        json!({ "outcome": outcome.word(), "rebuilt": rebuilt, "why": why })
    );
    Ok(())
}

impl Promised {
    /// What was promised before a recording began.
    pub fn read(prepared: &Path) -> Result<Self, String> {
        let lines = std::fs::read_to_string(prepared).map_err(|error| error.to_string())?;
        Ok(Self {
            lines: lines.lines().map(str::to_owned).collect(),
        })
    }

    /// Takes the next line that the workload said.
    pub fn take(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What was said with a word, in order.
    fn said<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter_map(move |line| {
            let (first, rest) = line.split_once(' ')?;
            (first == word).then(|| rest.split(' ').next().unwrap_or_default())
        })
    }

    /// Entries that were acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<&str> {
        self.said("ack").filter(|token| !token.contains('=')).collect()
    }

    /// Entries that were refused for want of space and not written later.
    fn refused(&self) -> BTreeSet<&str> {
        self.said("full").filter(|token| !token.contains('=')).collect()
    }

    fn tried(&self) -> BTreeSet<&str> {
        self.said("try").filter(|token| !token.contains('=')).collect()
    }

    /// The numbers with which a step was acknowledged, or tried.
    fn steps(&self, word: &str, step: &str) -> Vec<usize> {
        self.said(word)
            .filter_map(|token| token.strip_prefix(step)?.strip_prefix('=')?.parse().ok())
            .collect()
    }

    /// Entries that were acknowledged before a step was begun.
    fn acknowledged_before(&self, step: &str) -> BTreeSet<&str> {
        let end = self.lines.iter().position(|line| line == &format!("try {step}"));
        self.lines[..end.unwrap_or(0)]
            .iter()
            .filter_map(|line| line.strip_prefix("ack "))
            .filter(|token| !token.contains('='))
            .collect()
    }
}

type Failure = (Outcome, String);

fn check(site: &Site, promised: &Promised, rebuilt: &mut bool) -> Result<Outcome, Failure> {
    let made = site
        .name
        .makes()
        .is_none_or(|made| !promised.steps("ack", made).is_empty());
    if !site.is_there() {
        if made {
            return Err((Outcome::Lost, "the store itself is gone".to_owned()));
        }
        return again(site);
    }
    check_leases(site, promised)?;
    let (side, pin) = match opened(site, promised) {
        Ok(opened) => opened,
        // Made and not yet enrolled: the one who made it was never told that it is there.
        Err(why) if !made && why.contains("holds no enrolment") => return Ok(Outcome::Absent),
        Err(why) => return Err((Outcome::Unopenable, why)),
    };
    let report = side.report();
    *rebuilt = report.as_ref().is_some_and(|report| report.rebuilt.is_some());
    if let Some(lost) = report.and_then(|report| report.rebuilt?.lost_before) {
        return Err((Outcome::Lost, format!("everything up to commit {lost} is gone")));
    }
    check_tokens(side.as_ref(), promised, &[])?;
    side.verify(made)
        .map_err(|why| (Outcome::Wrong, format!("verify: {why}")))?;
    check_backups(site, promised)?;
    go_on(site, side, (promised, pin))
}

/// Opens with the PIN that was set last, or with one whose setting was under way.
fn opened(site: &Site, promised: &Promised) -> Result<(Box<dyn Side>, usize), String> {
    let known = promised.steps("ack", "pin").last().copied().unwrap_or(0);
    let later = promised
        .steps("try", "pin")
        .into_iter()
        .filter(|pin| *pin > known);
    let mut why = String::new();
    for pin in std::iter::once(known).chain(later) {
        match site.open(pin) {
            Ok(side) => return Ok((side, pin)),
            Err(refused) => {
                // The message about a wrong PIN must not hide the one that counts.
                let _ = write!(why, "{}; ", said(&refused));
            }
        }
    }
    Err(why)
}

fn check_tokens(side: &dyn Side, promised: &Promised, also: &[&str]) -> Result<(), Failure> {
    let tokens = side.tokens().map_err(|why| (Outcome::Wrong, why))?;
    let held: BTreeSet<&str> = tokens.iter().map(String::as_str).collect();
    if held.len() != tokens.len() {
        return Err((Outcome::Wrong, "an entry is there twice".to_owned()));
    }
    let mut must = promised.acknowledged();
    must.extend(also);
    let lost: Vec<_> = must.difference(&held).collect();
    if !lost.is_empty() {
        return Err((
            Outcome::Lost,
            format!("acknowledged and gone: {lost:?}, {} held", held.len()),
        ));
    }
    let mut may = promised.tried();
    may.extend(also);
    for (what, tokens) in [
        ("never written", held.difference(&may).collect::<Vec<_>>()),
        ("refused", promised.refused().intersection(&held).collect()),
    ] {
        if !tokens.is_empty() {
            return Err((Outcome::Wrong, format!("{what} and there: {tokens:?}")));
        }
    }
    Ok(())
}

/// A lease that was given holds, or numbers could be used twice.
fn check_leases(site: &Site, promised: &Promised) -> Result<(), Failure> {
    if site.name != Name::DeviceLease {
        return Ok(());
    }
    for number in promised.steps("ack", "lease") {
        let leased = site
            .leased([number as u8; 16])
            .map_err(|why| (Outcome::Unopenable, why))?;
        if leased.is_none_or(|leased| leased < 1_000 * number as u64) {
            return Err((Outcome::Lost, format!("lease {number} is {leased:?}")));
        }
    }
    Ok(())
}

/// A backup that was finished restores, and holds what was acknowledged before it began.
fn check_backups(site: &Site, promised: &Promised) -> Result<(), Failure> {
    for number in promised.steps("ack", "backup") {
        let held = site
            .read_backup(number)
            .map_err(|why| (Outcome::Lost, format!("backup {number}: {why}")))?;
        let held: BTreeSet<&str> = held.iter().map(String::as_str).collect();
        let must = promised.acknowledged_before(&format!("backup={number}"));
        let lost: Vec<_> = must.difference(&held).collect();
        if !lost.is_empty() {
            return Err((Outcome::Lost, format!("not in backup {number}: {lost:?}")));
        }
    }
    Ok(())
}

/// Writing goes on, and the next opening finds nothing to mend.
fn go_on(
    site: &Site,
    mut side: Box<dyn Side>,
    (promised, pin): (&Promised, usize),
) -> Result<Outcome, Failure> {
    let refused = |step: &'static str| {
        move |refused: Refused| (Outcome::Wrong, format!("{step} afterwards: {}", said(&refused)))
    };
    for token in LATER {
        side.write(token).map_err(refused("writing"))?;
    }
    side.close().map_err(refused("closing"))?;
    let side = site.open(pin).map_err(refused("a second opening"))?;
    if let Some(report) = side.report() {
        let anchored = matches!(report.anchor, AnchorState::Matches | AnchorState::Unused);
        if report.rebuilt.is_some() || report.cut_bytes > 0 || report.replayed > 0 || !anchored {
            return Err((Outcome::Wrong, format!("a second opening finds {report:?}")));
        }
    }
    check_tokens(side.as_ref(), promised, &LATER)?;
    side.verify(false)
        .map_err(|why| (Outcome::Wrong, format!("verify afterwards: {why}")))?;
    side.close().map_err(refused("closing again"))?;
    Ok(Outcome::Good)
}

/// Nothing was promised: doing it again must go well over whatever is left.
fn again(site: &Site) -> Result<Outcome, Failure> {
    match site.make_again() {
        Ok(()) => Ok(Outcome::Absent),
        Err(refused) => Err((
            Outcome::Unopenable,
            format!("making it again: {}", said(&refused)),
        )),
    }
}

fn said(refused: &Refused) -> String {
    match refused {
        Refused::Full => "the disk is full".to_owned(),
        Refused::Unknown(why) => why.clone(),
    }
}

impl Outcome {
    /// True where nothing is to be complained of.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Absent | Self::Good)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Good => "good",
            Self::Lost => "lost",
            Self::Wrong => "wrong",
            Self::Unopenable => "unopenable",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [
            Self::Absent,
            Self::Good,
            Self::Lost,
            Self::Wrong,
            Self::Unopenable,
        ]
        .into_iter()
        .find(|outcome| outcome.word() == word)
    }
}

/// Entries written after a cut.
const LATER: [&str; 2] = ["Z0", "Z1"];
