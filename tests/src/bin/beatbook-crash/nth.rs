//! `nth`: every single call of a workload is made to fail once, in the real process over the real store.
//!
//! A fault is a kind and a number: the Nth call that counts for the kind fails. The workload goes on as its user would.
//! Then the store is opened without the fault, and where a sync failed, so is the disk that a power cut would leave,
//! because after a failed sync the bytes are gone although every read still shows them.

mod figures;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use beatbook_tests::{Seed, copy_folder};

use crate::check::{self, Promised};
use crate::disk::{Disk, Flaw, Keeps};
use crate::recording::{self, Event, Fault, Place, Recorder};
use crate::scratch::Scratch;
use crate::workload::Name;

use figures::{Kind, Story, Tally, Took, line, report};

/// Make the Nth call of a workload fail, for every N, and look at what is left
///
/// The kinds: EIO at any call; a disk that is full for one call, and for nine; a short write; a sync that fails once
/// and then says yes. A full disk must cost nothing but the entries that are refused, and the same process goes on
/// when there is room. After any other failure the store may stop with an error that says why, and goes on when it is
/// opened again. Nothing that was acknowledged may be gone afterwards, and nothing refused may be there.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only every so many calls
    #[arg(long, default_value_t = 1)]
    every: u64,
    /// Only these workloads; may be given several times
    #[arg(long, value_enum)]
    workload: Vec<Name>,
    /// Only these kinds of fault; may be given several times
    #[arg(long, value_enum)]
    fault: Vec<Kind>,
    /// Only the call with this number
    #[arg(long)]
    at: Option<u64>,
    /// Begin every so many calls at a place that follows from this, and let it choose what a power cut keeps
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Show every message with which something was refused, and how often
    #[arg(long)]
    messages: bool,
    /// Write the figures to this file as well
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Runs all cases; `false` where one failed.
pub fn command(args: &Args) -> Result<bool, String> {
    let scratch = Scratch::new()?;
    let recorder = Recorder::build();
    let workloads = if args.workload.is_empty() {
        Name::nth()
    } else {
        args.workload.clone()
    };
    let kinds = if args.fault.is_empty() {
        <Kind as clap::ValueEnum>::value_variants().to_vec()
    } else {
        args.fault.clone()
    };
    println!(
        "{:<14} {:<12} {:>6} {:>6} {:>8} {:>8} {:>9} {:>11} {:>7}",
        "workload", "fault", "calls", "cases", "went on", "refused", "reopened", "not reached", "FAILED"
    );
    let start = Instant::now();
    let mut tallies = Vec::new();
    for name in workloads {
        let bench = Bench::new(&recorder, &scratch, name)?;
        for kind in &kinds {
            let tally = bench.run(*kind, args)?;
            println!("{}", line(&name.word(), kind.word(), &tally));
            tallies.push((name, *kind, tally));
        }
    }
    report(args, &tallies, start.elapsed().as_secs_f64())
}

/// A workload that is run again and again from the same beginning.
struct Bench<'a> {
    recorder: &'a Recorder,
    scratch: &'a Scratch,
    name: Name,
    /// What it begins with.
    base: PathBuf,
    promised: Promised,
}

/// One run of a workload.
struct Run {
    place: Place,
    events: Vec<Event>,
    /// How the process ended, which is an answer of its own.
    ended: Result<(), String>,
}

/// What one run came to.
struct Case {
    took: Took,
    why: String,
    messages: Vec<String>,
}

impl<'a> Bench<'a> {
    fn new(recorder: &'a Recorder, scratch: &'a Scratch, name: Name) -> Result<Self, String> {
        let folder = scratch.path().join(name.word());
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let place = Place::in_folder(&folder)?;
        crate::work::prepare(name, &place)?;
        let promised = Promised::read(&place.prepared())?;
        Ok(Self {
            recorder,
            scratch,
            name,
            base: place.root,
            promised,
        })
    }

    fn run(&self, kind: Kind, args: &Args) -> Result<Tally, String> {
        let calls = self.count(kind)?;
        let next = AtomicU64::new(1 + args.seed % args.every.max(1));
        let cases = thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|worker| {
                    let (next, folder) = (&next, self.scratch.path().join(format!("nth-{worker}")));
                    scope.spawn(move || {
                        let mut cases = Vec::new();
                        loop {
                            let first = next.fetch_add(args.every.max(1), Ordering::Relaxed);
                            // Threads of sled make a run a little longer or shorter.
                            if first > calls + SLACK {
                                return Ok(cases);
                            }
                            if args.at.is_some_and(|at| at != first) {
                                continue;
                            }
                            cases.push((first, self.case(kind, first, (args, &folder))?));
                        }
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|worker| {
                    worker
                        .join()
                        .unwrap_or_else(|_| Err("a worker panicked".to_owned()))
                })
                .collect::<Result<Vec<_>, String>>()
        })?;
        let mut tally = Tally {
            calls,
            ..Tally::default()
        };
        for (first, case) in cases.into_iter().flatten() {
            *tally.took.entry(case.took).or_default() += 1;
            for message in case.messages {
                *tally.messages.entry(gist(&message)).or_default() += 1;
            }
            if case.took == Took::Failed {
                let (name, word) = (self.name.word(), kind.word());
                let story = tally.stories.entry(gist(&case.why)).or_insert_with(|| Story {
                    count: 0,
                    why: case.why.clone(),
                    again: format!(
                        "beatbook-crash nth --workload {name} --fault {word} --at {first} --seed {}",
                        args.seed
                    ),
                });
                story.count += 1;
            }
        }
        Ok(tally)
    }

    /// How many calls count for a kind, in a run in which none fails.
    fn count(&self, kind: Kind) -> Result<u64, String> {
        let folder = self.scratch.path().join("counted");
        let run = self.once(&folder, kind.fault(u64::MAX))?;
        run.ended?;
        let counted = run.events.iter().find_map(|event| match event {
            Event::Counted(calls) => Some(*calls),
            _ => None,
        });
        counted.ok_or_else(|| "the recorder did not count".to_owned())
    }

    /// Runs the workload once; how it ended is an answer of its own.
    fn once(&self, folder: &Path, fault: Fault) -> Result<Run, String> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
            _ => {}
        }
        copy_folder(&self.base, &folder.join("disk"));
        let place = Place::in_folder(folder)?;
        let ended = match self
            .recorder
            .run(&crate::work::arguments(self.name, &place), &place, Some(fault))
        {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(format!(
                "the process died, {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(why) => Err(why),
        };
        Ok(Run {
            events: recording::read(&place.log, &place.root)?,
            place,
            ended,
        })
    }

    fn case(&self, kind: Kind, first: u64, (args, folder): (&Args, &Path)) -> Result<Case, String> {
        let (seed, tells) = (args.seed, args.at.is_some());
        let Run { place, events, ended } = self.once(folder, kind.fault(first))?;
        let mut promised = self.promised.clone();
        let lines: Vec<&str> = events
            .iter()
            .filter_map(|event| match event {
                Event::Mark(line) => Some(line.as_str()),
                _ => None,
            })
            .collect();
        for line in &lines {
            promised.take(line);
        }
        let mut case = judge(kind, &lines, &events);
        if tells {
            tell(&events);
        }
        if let Err(why) = ended {
            case.fail(why);
        }
        // Before the store itself is opened and changed by that.
        if matches!(kind, Kind::Eio | Kind::Sync) && events.iter().any(is_failed_sync) {
            self.check_cut(&events, &promised, (seed ^ first, folder), &mut case)?;
        }
        let found = check::look(self.name, &place.root, &promised, &folder.join("expected"));
        if !found.outcome.is_good() {
            case.fail(format!("{}: {}", found.outcome.word(), found.why));
        }
        Ok(case)
    }

    /// The disk after a failed sync and a power cut at the end.
    fn check_cut(
        &self,
        events: &[Event],
        promised: &Promised,
        (seed, folder): (u64, &Path),
        case: &mut Case,
    ) -> Result<(), String> {
        let mut disk = Disk::of(&self.base, Flaw::None)?;
        for event in events {
            disk.apply(event)?;
        }
        for keeps in [Keeps::Nothing, Keeps::Sectors(500)] {
            let image = folder.join(format!("cut-{}", keeps == Keeps::Nothing));
            disk.cut(None, keeps, &mut Seed::of(seed), &image)?;
            let found = check::look(self.name, &image, promised, &folder.join("expected"));
            if !found.outcome.is_good() {
                let why = format!("after a power cut {}: {}", found.outcome.word(), found.why);
                case.fail(why);
            }
        }
        Ok(())
    }
}

impl Case {
    fn fail(&mut self, why: String) {
        if !self.why.is_empty() {
            self.why.push_str("; ");
        }
        self.why.push_str(&why);
        self.took = Took::Failed;
    }
}

/// How the workload itself took it, by what it said.
fn judge(kind: Kind, lines: &[&str], events: &[Event]) -> Case {
    let unknown: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("unknown "))
        // Half made, and made again: the answer to the question whether it is whole.
        .filter(|line| !line.contains("holds no enrolment"))
        .collect();
    let full = lines.iter().filter(|line| line.starts_with("full ")).count();
    let mut case = Case {
        took: match (unknown.is_empty(), full) {
            _ if !events.iter().any(|event| matches!(event, Event::Fault(_))) => Took::NotReached,
            (true, 0) => Took::WentOn,
            (true, _) => Took::Refused,
            (false, _) => Took::Reopened,
        },
        why: String::new(),
        messages: unknown
            .iter()
            .filter_map(|line| line.split_once(' '))
            .map(|(token, message)| {
                let step = token.split_once('=').map_or("entry", |(step, _)| step);
                format!("{step}: {message}")
            })
            .collect(),
    };
    if lines.last() != Some(&"ack end=0") || lines.contains(&"gave-up") {
        case.fail("the workload did not come to its end".to_owned());
    }
    if kind.passes()
        && let Some(first) = unknown.first()
    {
        case.fail(format!("a fault that passes is not told as one: {first}"));
    }
    if kind == Kind::Short && full > 0 {
        case.fail("a short write is told as a full disk".to_owned());
    }
    // One failure costs one store at most: what is opened after it works.
    let since = events.iter().rposition(|event| matches!(event, Event::Fault(_)));
    let later = since.map_or(&[][..], |at| &events[at..]);
    let refused_later = later
        .iter()
        .filter(|event| matches!(event, Event::Mark(line) if line.starts_with("unknown ") || line.starts_with("full ")))
        .count();
    if refused_later > 2 {
        case.fail(format!(
            "{refused_later} things were refused after the last call that failed"
        ));
    }
    case
}

/// What happened around the calls that failed.
fn tell(events: &[Event]) {
    let Some(first) = events.iter().position(|event| matches!(event, Event::Fault(_))) else {
        return;
    };
    let from = first.saturating_sub(EVENTS_BEFORE);
    for (number, event) in events.iter().enumerate().skip(from).take(EVENTS_TOLD) {
        println!("{number:>6} {event}");
    }
}

/// A message without what differs from case to case: numbers and paths.
fn gist(words: &str) -> String {
    let parts = words.split(' ').map(|word| {
        if word.contains('/') {
            "PATH".to_owned()
        } else {
            word.chars().filter(|letter| !letter.is_ascii_digit()).collect()
        }
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn is_failed_sync(event: &Event) -> bool {
    matches!(event, Event::Sync { failed: true, .. })
}

const THREADS: usize = 2;
/// Events that are told before the first call that failed, and in all.
const EVENTS_BEFORE: usize = 20;
const EVENTS_TOLD: usize = 90;
/// Calls by which two runs of a workload may differ.
const SLACK: u64 = 2;
