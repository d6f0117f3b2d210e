//! `images`: power cuts at every kind of moment of every workload, replayed from a recording.
//!
//! A workload is recorded once. Each image is a moment of it and a choice of what the disk kept, both from a seed; the
//! image is opened by the real store in a process of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use beatbook_tests::{Seed, copy_folder};
use serde_json::{Value, json};

use crate::check::{self, Found, Outcome, Promised};
use crate::disk::{Disk, Flaw, Keeps};
use crate::recording::{self, Event, Place, Recorder};
use crate::scratch::Scratch;
use crate::workload::Name;

/// Cut the power at random moments of recorded workloads and open what is left
///
/// A recorder is compiled with `cc` and preloaded into each workload; it logs every write, sync, rename and so on of
/// the real store, in order. For each image the disk is built as a power cut at one moment would leave it (what was
/// not synced is lost, or kept sector by sector at random; names last only once their folder was synced), and the
/// store is opened from it: everything acknowledged must be there, byte for byte, and nothing that was never written.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How many images, over all workloads
    #[arg(long, default_value_t = 1000)]
    images: usize,
    /// Where the choices come from; drawn and told where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// Only these workloads; may be given several times
    #[arg(long, value_enum)]
    workload: Vec<Name>,
    /// Plant a flaw in the disk: the run must then fail, or it would not notice a store that forgets a sync
    #[arg(long, value_enum, default_value_t)]
    planted: Flaw,
    /// Where failing images are kept
    #[arg(long, default_value = "target/crash")]
    keep: PathBuf,
    /// Use the recording in this folder, as a failing image keeps it, and no new one
    #[arg(long, requires = "case")]
    recording: Option<PathBuf>,
    /// Only this image of each workload, by the number that a failure tells
    #[arg(long)]
    case: Option<u64>,
    /// Write the figures to this file as well
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What one workload came to.
#[derive(Debug, Default)]
struct Tally {
    events: usize,
    moments: usize,
    outcomes: BTreeMap<Outcome, u64>,
    rebuilt: u64,
    stories: Vec<String>,
}

/// Runs the campaign; `false` where an image failed.
pub fn command(args: &Args) -> Result<bool, String> {
    let seed = args.seed.unwrap_or_else(|| Seed::drawn().first());
    let scratch = Scratch::new()?;
    let recorder = Recorder::build();
    let names = if args.workload.is_empty() {
        Name::all()
    } else {
        args.workload.clone()
    };
    println!("seed {seed}");
    println!(
        "{:<16} {:>7} {:>8} {:>7} {:>7} {:>8} {:>5} {:>6} {:>11}",
        "workload", "events", "moments", "images", "absent", "rebuilt", "lost", "wrong", "unopenable"
    );
    let start = Instant::now();
    let mut tallies = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let share = args.images * (at + 1) / names.len() - args.images * at / names.len();
        let recording = match &args.recording {
            Some(folder) => Recording::kept(folder, *name)?,
            None => Recording::new(&recorder, &scratch.path().join(name.word()), *name)?,
        };
        let cases = match args.case {
            Some(case) => vec![case],
            None => cases(seed, *name, share),
        };
        let tally = recording.cut(&cases, args, &scratch)?;
        println!("{}", line(name.word().as_str(), &tally));
        tallies.push((*name, tally));
    }
    report(args, seed, &tallies, start.elapsed().as_secs_f64())
}

/// Prints what failed and the last line, and writes the figures.
fn report(args: &Args, seed: u64, tallies: &[(Name, Tally)], seconds: f64) -> Result<bool, String> {
    let mut whole = Tally::default();
    for (_, tally) in tallies {
        whole.events += tally.events;
        whole.moments += tally.moments;
        whole.rebuilt += tally.rebuilt;
        for (outcome, count) in &tally.outcomes {
            *whole.outcomes.entry(*outcome).or_default() += count;
        }
        whole.stories.extend(tally.stories.iter().cloned());
    }
    for story in whole.stories.iter().take(STORIES_MAX) {
        println!("\n{story}");
    }
    println!("{}", line("all", &whole));
    let images: u64 = whole.outcomes.values().sum();
    let of = |outcome| whole.outcomes.get(&outcome).copied().unwrap_or(0);
    let per_second = images as f64 / seconds.max(0.001);
    let is_good = whole.outcomes.keys().all(|outcome| outcome.is_good());
    let summary = format!(
        "{images} images of {} workloads, {per_second:.0} images/s, {} rebuilt, {} wrong, {} unopenable, {} lost",
        tallies.len(),
        whole.rebuilt,
        of(Outcome::Wrong),
        of(Outcome::Unopenable),
        of(Outcome::Lost)
    );
    if let Some(path) = &args.json {
        let command = format!("cargo xtask crash --images {} --seed {seed}", args.images);
        let told = json!({
            "name": "images", "command": command, "passed": is_good, "seconds": seconds.round() as u64,
            "summary": summary,
            "figures": {
                "images": images, "rebuilt": whole.rebuilt, "lost": of(Outcome::Lost),
                "wrong": of(Outcome::Wrong), "unopenable": of(Outcome::Unopenable),
            },
            "tables": [table(tallies)],
        });
        fs::write(path, format!("{told:#}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if !is_good {
        println!(
            "to run all of this again: cargo xtask crash --images {} --seed {seed}",
            args.images
        );
    }
    println!("{summary}");
    Ok(is_good)
}

/// The figures of each workload, as the page of reliability reads them.
fn table(tallies: &[(Name, Tally)]) -> Value {
    let rows: Vec<Value> = tallies
        .iter()
        .map(|(name, tally)| {
            json!([
                name.word(),
                tally.events,
                tally.images(),
                tally.of(Outcome::Absent),
                tally.rebuilt,
                tally.of(Outcome::Lost),
                tally.of(Outcome::Wrong),
                tally.of(Outcome::Unopenable),
            ])
        })
        .collect();
    json!({
        "title": "by workload",
        "columns": ["workload", "events", "images", "absent", "rebuilt", "lost", "wrong", "unopenable"],
        "rows": rows,
    })
}

impl Tally {
    fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    fn images(&self) -> u64 {
        self.outcomes.values().sum()
    }

    fn absorb(&mut self, other: Self) {
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.rebuilt += other.rebuilt;
        self.stories.extend(other.stories);
    }
}

fn line(name: &str, tally: &Tally) -> String {
    format!(
        "{name:<16} {:>7} {:>8} {:>7} {:>7} {:>8} {:>5} {:>6} {:>11}",
        tally.events,
        tally.moments,
        tally.images(),
        tally.of(Outcome::Absent),
        tally.rebuilt,
        tally.of(Outcome::Lost),
        tally.of(Outcome::Wrong),
        tally.of(Outcome::Unopenable)
    )
}

/// The images of a workload: each is one number, from which its moment and its choices follow.
fn cases(seed: u64, name: Name, share: usize) -> Vec<u64> {
    let mut draw = Seed::of(seed ^ (name as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (0..share).map(|_| draw.next_u64()).collect()
}

/// A recorded workload.
pub struct Recording {
    name: Name,
    folder: PathBuf,
    events: Vec<Event>,
    /// Events before which the power can be cut: those that change the disk, and the end.
    moments: Vec<usize>,
}

impl Recording {
    /// Prepares and records a workload in `folder`.
    pub fn new(recorder: &Recorder, folder: &Path, name: Name) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let place = Place::in_folder(folder)?;
        crate::work::prepare(name, &place)?;
        copy_folder(&place.root, &folder.join("base"));
        let output = recorder.run(&crate::work::arguments(name, &place), &place, None)?;
        if !output.status.success() {
            return Err(format!(
                "the workload {} failed: {}",
                name.word(),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        let recording = Self::read(folder, name, &place.root)?;
        recording.check_complete(&place)?;
        Ok(recording)
    }

    /// Takes a recording that was kept.
    fn kept(folder: &Path, name: Name) -> Result<Self, String> {
        let root = fs::read_to_string(folder.join("root"))
            .map_err(|error| format!("{} holds no recording: {error}", folder.display()))?;
        Self::read(folder, name, Path::new(root.trim_end()))
    }

    fn read(folder: &Path, name: Name, root: &Path) -> Result<Self, String> {
        let events = recording::read(&folder.join("log"), root)?;
        fs::write(folder.join("root"), root.to_string_lossy().as_bytes())
            .map_err(|error| error.to_string())?;
        let mut moments: Vec<usize> = (0..events.len()).filter(|at| changes(&events[*at])).collect();
        moments.push(events.len());
        Ok(Self {
            name,
            folder: folder.to_path_buf(),
            events,
            moments,
        })
    }

    /// The log explains the folder byte for byte, and the workload did what it was to do.
    fn check_complete(&self, place: &Place) -> Result<(), String> {
        let mut disk = Disk::of(&self.folder.join("base"), Flaw::None)?;
        let mut promised = Promised::default();
        for event in &self.events {
            disk.apply(event)?;
            if let Event::Mark(line) = event {
                promised.take(line);
            }
        }
        if let Some(difference) = disk.difference(&place.root)? {
            return Err(format!(
                "something escapes the recorder in {}: {difference}",
                self.name.word()
            ));
        }
        let failed = promised
            .lines()
            .iter()
            .find(|line| !line.starts_with("try ") && !line.starts_with("ack "));
        match failed {
            Some(line) => Err(format!(
                "the workload {} failed without a fault: {line}",
                self.name.word()
            )),
            None => Ok(()),
        }
    }

    /// Cuts the power once for each case, on two threads.
    fn cut(&self, cases: &[u64], args: &Args, scratch: &Scratch) -> Result<Tally, String> {
        let mut planned: Vec<(usize, u64)> = cases
            .iter()
            .map(|case| {
                let at = Seed::of(*case).between(0, self.moments.len() as u64);
                (self.moments[at as usize], *case)
            })
            .collect();
        planned.sort_unstable();
        let tallies = thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|worker| {
                    let mine: Vec<_> = planned.iter().copied().skip(worker).step_by(THREADS).collect();
                    let folder = scratch.path().join(format!("images-{worker}"));
                    scope.spawn(move || self.cut_all(&mine, args, &folder))
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|_| Err("a worker panicked".to_owned()))
                })
                .collect::<Result<Vec<_>, _>>()
        })?;
        let mut whole = Tally {
            events: self.events.len(),
            moments: self.moments.len(),
            ..Tally::default()
        };
        for tally in tallies {
            whole.absorb(tally);
        }
        Ok(whole)
    }

    fn cut_all(&self, planned: &[(usize, u64)], args: &Args, folder: &Path) -> Result<Tally, String> {
        let mut disk = Disk::of(&self.folder.join("base"), args.planted)?;
        let mut promised = Promised::read(&self.folder.join("prepared"))?;
        let mut tally = Tally::default();
        let mut done = 0;
        for (at, case) in planned {
            for event in &self.events[done..*at] {
                disk.apply(event)?;
                if let Event::Mark(line) = event {
                    promised.take(line);
                }
            }
            done = *at;
            let mut seed = Seed::of(*case);
            // The first draw chose the moment.
            seed.next_u64();
            let keeps = keeps(&mut seed);
            let image = folder.join("disk");
            remove(folder)?;
            disk.cut(self.events.get(*at), keeps, &mut seed, &image)?;
            let found = check::look(self.name, &image, &promised, &folder.join("marks"));
            *tally.outcomes.entry(found.outcome).or_default() += 1;
            tally.rebuilt += u64::from(found.rebuilt);
            if !found.outcome.is_good() {
                tally.stories.push(self.story((*at, *case, keeps), &found, args)?);
            }
        }
        remove(folder)?;
        Ok(tally)
    }

    /// Keeps what is needed to see a failure again, and tells it.
    fn story(
        &self,
        (at, case, keeps): (usize, u64, Keeps),
        found: &Found,
        args: &Args,
    ) -> Result<String, String> {
        let mut story = format!(
            "{} cut before event {at} of {} keeping {keeps:?}: {}\n  {}\n",
            self.name.word(),
            self.events.len(),
            found.outcome.word(),
            found.why
        );
        let from = at.saturating_sub(EVENTS_BEFORE);
        for (number, event) in self.events.iter().enumerate().take(at).skip(from) {
            let _ = writeln!(story, "  {number:>6} {event}");
        }
        if let Some(event) = self.events.get(at) {
            let _ = writeln!(story, "  under way: {event}");
        }
        if args.planted == Flaw::None {
            let kept = args.keep.join(format!("{}-{case:016x}", self.name.word()));
            if kept != self.folder {
                copy_folder(&self.folder.join("base"), &kept.join("base"));
                for name in ["log", "prepared", "root"] {
                    fs::copy(self.folder.join(name), kept.join(name)).map_err(|error| error.to_string())?;
                }
            }
            let _ = write!(
                story,
                "  again: beatbook-crash images --workload {} --recording {} --case {case}",
                self.name.word(),
                kept.display()
            );
        }
        Ok(story)
    }
}

/// What a cut keeps, from its seed.
fn keeps(seed: &mut Seed) -> Keeps {
    match seed.between(0, 10) {
        0..=2 => Keeps::Nothing,
        3 => Keeps::Everything,
        4 | 5 => Keeps::Prefix,
        _ => Keeps::Sectors([30, 200, 500, 800, 970][seed.between(0, 5) as usize]),
    }
}

/// True where an event changes what is on the disk, or what of it is durable.
fn changes(event: &Event) -> bool {
    match event {
        Event::Open { created, emptied, .. } => *created || *emptied,
        Event::MakeDir { .. }
        | Event::RemoveDir { .. }
        | Event::Rename { .. }
        | Event::Sync { .. }
        | Event::Truncate { .. }
        | Event::Unlink { .. }
        | Event::Write { .. } => true,
        Event::Close { .. }
        | Event::Counted(_)
        | Event::Dup { .. }
        | Event::Fault(_)
        | Event::Mark(_)
        | Event::Range { .. } => false,
    }
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}

const THREADS: usize = 2;
/// Events that a story tells.
const EVENTS_BEFORE: usize = 12;
const STORIES_MAX: usize = 8;
