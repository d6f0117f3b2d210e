//! The kinds of fault, how a workload can take one, and the table of both.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use super::Args;
use crate::recording::Fault;
use crate::workload::Name;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// The device fails once, at any call, also a read.
    Eio,
    /// The disk is full for one call.
    Full,
    /// The disk is full for nine calls in a row, of which the first takes a half.
    FullLonger,
    /// A write takes a half of its bytes.
    Short,
    /// A sync fails once, and the next says yes.
    Sync,
}

/// How a workload took a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Took {
    /// Nothing was refused.
    WentOn,
    /// Something was refused, and the same store went on.
    Refused,
    /// The store had to be opened again.
    Reopened,
    /// The fault came at no call of this run.
    NotReached,
    /// Something is wrong.
    Failed,
}

/// What all cases of a kind over a workload came to.
#[derive(Debug, Default)]
pub struct Tally {
    pub calls: u64,
    pub took: BTreeMap<Took, u64>,
    /// What went wrong, without the numbers in it, with one way to see it again.
    pub stories: BTreeMap<String, Story>,
    pub messages: BTreeMap<String, u64>,
}

/// Prints what failed and the last line, and writes the figures.
pub fn report(args: &Args, tallies: &[(Name, Kind, Tally)], seconds: f64) -> Result<bool, String> {
    let mut whole = Tally::default();
    let mut rows = Vec::new();
    for (name, kind, tally) in tallies {
        rows.push(json!([
            name.word(),
            kind.word(),
            tally.calls,
            tally.cases(),
            tally.of(Took::WentOn),
            tally.of(Took::Refused),
            tally.of(Took::Reopened),
            tally.of(Took::NotReached),
            tally.of(Took::Failed),
        ]));
        whole.calls += tally.calls;
        for (took, count) in &tally.took {
            *whole.took.entry(*took).or_default() += count;
        }
        for (message, count) in &tally.messages {
            *whole.messages.entry(message.clone()).or_default() += count;
        }
        for (why, story) in &tally.stories {
            let known = whole.stories.entry(why.clone()).or_insert_with(|| Story {
                count: 0,
                ..story.clone()
            });
            known.count += story.count;
        }
    }
    if args.messages {
        for (message, count) in &whole.messages {
            println!("{count:>6} {message}");
        }
    }
    for (why, story) in &whole.stories {
        println!(
            "\n{} times {why}\n  e.g. {}\n  again: {}",
            story.count, story.why, story.again
        );
    }
    println!("{}", line("all", "all", &whole));
    let failed = whole.of(Took::Failed);
    let summary = format!(
        "{} cases of {} calls, {} went on, {} refused, {} reopened, {failed} failed",
        whole.cases(),
        whole.calls,
        whole.of(Took::WentOn),
        whole.of(Took::Refused),
        whole.of(Took::Reopened),
    );
    if let Some(path) = &args.json {
        let told = json!({
            "name": "nth",
            "command": format!("cargo xtask crash --nth -- --every {} --seed {}", args.every, args.seed),
            "passed": failed == 0,
            "seconds": seconds.round() as u64,
            "summary": summary,
            "figures": { "cases": whole.cases(), "calls": whole.calls, "failed": failed },
            "tables": [{ "title": "by workload and fault", "columns": COLUMNS, "rows": rows }],
        });
        fs::write(path, format!("{told:#}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    println!("{summary}");
    Ok(failed == 0)
}

/// What the page of reliability calls the figures of a row.
const COLUMNS: [&str; 9] = [
    "workload",
    "fault",
    "calls",
    "cases",
    "went on",
    "refused",
    "reopened",
    "not reached",
    "failed",
];

impl Kind {
    /// The name as the command line has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Eio => "eio",
            Self::Full => "full",
            Self::FullLonger => "full-longer",
            Self::Short => "short",
            Self::Sync => "sync",
        }
    }

    /// The fault as the recorder takes it.
    pub fn fault(self, first: u64) -> Fault {
        let (kind, calls) = match self {
            Self::Eio => ("eio", 1),
            Self::Full => ("full", 1),
            Self::FullLonger => ("full", 9),
            Self::Short => ("short", 1),
            Self::Sync => ("sync", 1),
        };
        Fault { kind, first, calls }
    }

    /// True where the same process must go on without opening anything again.
    pub fn passes(self) -> bool {
        matches!(self, Self::Full | Self::FullLonger | Self::Short)
    }
}

impl Tally {
    fn of(&self, took: Took) -> u64 {
        self.took.get(&took).copied().unwrap_or(0)
    }

    /// How many cases there were.
    pub fn cases(&self) -> u64 {
        self.took.values().sum()
    }
}

/// A row of the table.
pub fn line(workload: &str, kind: &str, tally: &Tally) -> String {
    format!(
        "{workload:<14} {kind:<12} {:>6} {:>6} {:>8} {:>8} {:>9} {:>11} {:>7}",
        tally.calls,
        tally.cases(),
        tally.of(Took::WentOn),
        tally.of(Took::Refused),
        tally.of(Took::Reopened),
        tally.of(Took::NotReached),
        tally.of(Took::Failed)
    )
}

/// A way in which cases fail.
#[derive(Clone, Debug)]
pub struct Story {
    pub count: u64,
    pub why: String,
    pub again: String,
}
