//! `flips`: bit rot at rest, one damage at a time, anywhere in a closed store: found or harmless, then repaired.
//!
//! Stores are made once with real content; each case copies one, damages it by a seed, and looks: whatever opens and
//! reads as before is harmless, whatever says that something is wrong is repaired from what is left and compared with
//! what was there. [`damage`] is what happens to a copy, [`fixture`] the stores.

mod damage;
mod fixture;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use beatbook_core::store::{StoreError, Table, Transaction};
use beatbook_store_sled::{AnchorState, OpenError, OpenReport, RepairSource};
use beatbook_tests::{Seed, copy_folder};
use serde_json::json;

use self::damage::{Damage, Kind};
use self::fixture::{Fixture, content};
use crate::scratch::Scratch;

/// Damage closed stores of devices and servers, one place at a time, and have them repaired
///
/// A case is one flipped bit anywhere in any file of the folder, a file cut short, a file that is missing, two sealed
/// rows of the index swapped, or two frames of the journal swapped. It passes where the store reads as before
/// (harmless), or says what is wrong and is whole again after a repair; anything else is silent damage, and fails.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// How many cases, dealt over the stores
    #[arg(long, default_value_t = 500)]
    flips: u64,
    /// Where the choices come from; drawn and told where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// Only the case with this number
    #[arg(long)]
    case: Option<u64>,
    /// How many cases at once
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Write the figures to this file as well
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What a case came to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Not as it has to be: silently different, or a copy existed and did not bring it back.
    Failed(String),
    /// The store reads as before.
    Harmless,
    /// Opening found it, mended it from a copy, and told so.
    Mended(RepairSource),
    /// It was found, and a repair brought everything back.
    Repaired(Vec<RepairSource>),
    /// It was found: the file outside the store that tells it from its copies does not match.
    Told,
}

/// Runs the campaign.
pub fn run(arguments: &Arguments) -> ExitCode {
    match campaign(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn campaign(arguments: &Arguments) -> Result<bool, String> {
    let seed = arguments.seed.unwrap_or_else(|| Seed::drawn().first());
    println!("seed {seed}");
    let start = Instant::now();
    let scratch = Scratch::new()?;
    let fixtures = Fixture::all(scratch.path())?;
    let numbers: Vec<u64> = match arguments.case {
        Some(case) => vec![case],
        None => (0..arguments.flips).collect(),
    };
    let (next, figures) = (AtomicU64::new(0), Mutex::new(Figures::default()));
    std::thread::scope(|scope| {
        for lane in 0..arguments.threads.max(1) {
            let (next, figures, numbers, fixtures) = (&next, &figures, &numbers, &fixtures);
            let folder = scratch.path().join(format!("lane-{lane}"));
            scope.spawn(move || {
                while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let case = Case::of(seed, *number, fixtures);
                    let outcome = case.run(&folder);
                    let mut figures = figures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    figures.add(*number, &case, outcome);
                }
            });
        }
    });
    let figures = figures
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    figures.report(arguments, seed, start.elapsed().as_secs())
}

/// One store and one damage to a copy of it.
struct Case<'a> {
    fixture: &'a Fixture,
    damage: Damage,
}

impl<'a> Case<'a> {
    fn of(seed: u64, number: u64, fixtures: &'a [Fixture]) -> Self {
        let mut chance = Seed::of(seed ^ (number + 1).rotate_left(32));
        let at = chance.between(0, fixtures.len() as u64) as usize;
        let fixture = &fixtures[at];
        Self {
            fixture,
            damage: Damage::draw(&mut chance, fixture.path()),
        }
    }

    fn run(&self, folder: &Path) -> Outcome {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            // What the case before left.
            if folder.exists() {
                fs::remove_dir_all(folder).map_err(|error| error.to_string())?;
            }
            copy_folder(self.fixture.path(), folder);
            self.damage.apply(folder, self.fixture)?;
            self.look(folder)
        }));
        match ended {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(why)) => Outcome::Failed(why),
            Err(_) => Outcome::Failed("it panicked".to_owned()),
        }
    }

    /// Opens what is left, reads all of it, and has it repaired where something is wrong.
    fn look(&self, folder: &Path) -> Result<Outcome, String> {
        let (store, report) = match self.fixture.open(folder) {
            Ok(opened) => opened,
            Err(error) => return self.repair(folder, &error),
        };
        let (read, verified) = (content(&store), store.verify());
        let closed = store.close();
        match (read, verified) {
            (Ok(found), _) if found != self.fixture.content => {
                Err("SILENT: it opens, and reads otherwise than it was written".to_owned())
            }
            (_, Err(error)) => self.repair(folder, &error),
            (Err(error), Ok(_)) => Err(format!("reading fails ({error}), and verifying finds nothing")),
            (Ok(_), Ok(_)) => {
                closed.map_err(|error| format!("it does not close: {error}"))?;
                Ok(told(&report))
            }
        }
    }

    fn repair(&self, folder: &Path, found: &OpenError) -> Result<Outcome, String> {
        let said = found.to_string();
        if !said.contains(&*folder.to_string_lossy()) {
            return Err(format!("what is wrong names no file: {said}"));
        }
        match self.fixture.repair(folder) {
            Ok(report) => {
                if !report.lost.is_empty() {
                    return Err(format!("found ({said}), and the repair lost {:?}", report.lost));
                }
                self.check_whole(folder)
                    .map_err(|why| format!("found ({said}), and after the repair {why}"))?;
                let mut sources: Vec<_> = report.mended.iter().map(|mended| mended.source).collect();
                sources.sort();
                sources.dedup();
                if sources.is_empty() {
                    return Err(format!("found ({said}), and the repair found nothing"));
                }
                Ok(Outcome::Repaired(sources))
            }
            Err(error) => Err(format!("found ({said}), and not repaired: {error}")),
        }
    }

    /// After a repair everything is there, is sound, and takes another write.
    fn check_whole(&self, folder: &Path) -> Result<(), String> {
        let told = |error: OpenError| error.to_string();
        let stored = |error: StoreError| error.to_string();
        let (store, report) = self.fixture.open(folder).map_err(told)?;
        if report.lost || report.rebuilt.is_some() || !report.mended.is_empty() {
            return Err(format!("opening still finds something: {report:?}"));
        }
        if content(&store).map_err(stored)? != self.fixture.content {
            return Err("it reads otherwise".to_owned());
        }
        store
            .commit(|transaction: &mut Transaction<'_>| {
                transaction.put(Table::Meta, "after the repair", "1");
                Ok::<_, StoreError>(())
            })
            .map_err(stored)?;
        store.verify().map_err(told)?;
        store.close().map_err(stored)
    }
}

/// What an opening that went well said of the damage.
fn told(report: &OpenReport) -> Outcome {
    if report.rebuilt.is_some() {
        Outcome::Mended(RepairSource::Journal)
    } else if let Some(mended) = report.mended.first() {
        Outcome::Mended(mended.source)
    } else if matches!(report.anchor, AnchorState::Matches | AnchorState::Unused) {
        Outcome::Harmless
    } else {
        Outcome::Told
    }
}

/// Counts by kind of damage, and by source of what was brought back.
#[derive(Debug, Default)]
struct Figures {
    cases: u64,
    kinds: BTreeMap<Kind, BTreeMap<&'static str, u64>>,
    sources: BTreeMap<&'static str, u64>,
    failures: Vec<(u64, String)>,
}

impl Figures {
    fn add(&mut self, number: u64, case: &Case<'_>, outcome: Outcome) {
        self.cases += 1;
        let column = match &outcome {
            Outcome::Failed(_) => "failed",
            Outcome::Harmless => "harmless",
            Outcome::Mended(_) => "mended",
            Outcome::Repaired(_) => "repaired",
            Outcome::Told => "told",
        };
        let counts = self.kinds.entry(case.damage.kind()).or_default();
        *counts.entry(column).or_default() += 1;
        match outcome {
            Outcome::Failed(why) => {
                let what = format!("{}: {}: {why}", case.fixture.name, case.damage);
                self.failures.push((number, what));
            }
            Outcome::Mended(source) => *self.sources.entry(source.as_str()).or_default() += 1,
            Outcome::Repaired(sources) => {
                for source in sources {
                    *self.sources.entry(source.as_str()).or_default() += 1;
                }
            }
            Outcome::Harmless | Outcome::Told => {}
        }
    }

    fn of(&self, column: &str) -> u64 {
        self.kinds
            .values()
            .map(|counts| counts.get(column).copied().unwrap_or(0))
            .sum()
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let row = |(kind, counts): (&Kind, &BTreeMap<&str, u64>)| {
            let mut row = vec![kind.word().to_owned(), counts.values().sum::<u64>().to_string()];
            row.extend(
                COLUMNS
                    .iter()
                    .map(|column| counts.get(column).copied().unwrap_or(0).to_string()),
            );
            row
        };
        self.kinds.iter().map(row).collect()
    }

    fn report(&self, arguments: &Arguments, seed: u64, seconds: u64) -> Result<bool, String> {
        let head = ["damage", "cases"].iter().chain(&COLUMNS);
        let mut table = String::new();
        let mut line = |cells: &mut dyn Iterator<Item = &str>| {
            for (at, cell) in cells.enumerate() {
                let _ = match at {
                    0 => write!(table, "{cell:<14}"),
                    _ => write!(table, "{cell:>10}"),
                };
            }
            table.push('\n');
        };
        line(&mut head.copied());
        let rows = self.rows();
        for row in &rows {
            line(&mut row.iter().map(String::as_str));
        }
        print!("{table}");
        for (source, count) in &self.sources {
            println!("brought back from the {source}: {count}");
        }
        let repeat = format!("cargo xtask crash --flips {} --seed {seed}", arguments.flips);
        for (number, what) in self.failures.iter().take(STORIES_MAX) {
            println!("\ncase {number}: {what}\nto repeat it: {repeat} -- --case {number}");
        }
        let silent = self.failures.iter().filter(|(_, what)| what.contains("SILENT"));
        let found = self.of("repaired") + self.of("mended") + self.of("told");
        let summary = format!(
            "{} flips, {} harmless, {found} found, {} repaired or mended, {} silent, {} failed",
            self.cases,
            self.of("harmless"),
            self.of("repaired") + self.of("mended"),
            silent.count(),
            self.failures.len(),
        );
        if let Some(path) = &arguments.json {
            let mut figures = serde_json::Map::new();
            figures.insert("cases".to_owned(), self.cases.into());
            for column in COLUMNS {
                figures.insert(column.to_owned(), self.of(column).into());
            }
            for (source, count) in &self.sources {
                figures.insert(format!("brought back from the {source}"), (*count).into());
            }
            let columns: Vec<&str> = ["damage", "cases"].into_iter().chain(COLUMNS).collect();
            let object = json!({
                "name": "flips", "command": repeat, "passed": self.failures.is_empty(), "seconds": seconds,
                "summary": summary, "figures": figures,
                "tables": [{ "title": "by kind of damage", "columns": columns, "rows": rows }],
            });
            fs::write(path, format!("{object:#}\n"))
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        println!("to repeat it: {repeat}");
        println!("{summary}");
        Ok(self.failures.is_empty())
    }
}

/// What is counted, in the order of the table.
const COLUMNS: [&str; 5] = ["harmless", "mended", "repaired", "told", "failed"];
/// Failures that are told in full.
const STORIES_MAX: usize = 12;
