//! Storms: seeded mixtures of faults over the link and the processes of two phones and a server, each round ending in calm
//! and in each entry once everywhere.

use std::panic;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use beatbook_tests::{Counts, Seed, Storm};
use serde_json::json;

/// Arguments of `storm`.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// How many rounds; each has a force of its own.
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: u64,
    /// Mixtures of one to three faults in a round.
    #[arg(long, value_name = "N", default_value_t = 12)]
    spells: u64,
    /// Where the randomness comes from; drawn and told if left out.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Rounds that run side by side. They wait more than they work.
    #[arg(long, value_name = "T", default_value_t = 4)]
    threads: u64,
    /// Also write the figures there, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the rounds; prints the figures, and the summary as the last line.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let seed = arguments.seed.unwrap_or_else(|| Seed::drawn().first());
    let next = AtomicU64::new(0);
    let total = Mutex::new(Total::default());
    let lane = || {
        loop {
            let round = next.fetch_add(1, Ordering::Relaxed);
            if round >= arguments.rounds {
                return;
            }
            let ended = panic::catch_unwind(|| {
                let mut storm = Storm::new(Seed::of(seed ^ (round + 1).rotate_left(32)));
                storm.mix(arguments.spells);
                let entries = storm.converge();
                (entries as u64, storm.counts(), storm.story().len() as u64)
            });
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            match ended {
                Ok((entries, counts, spells)) => total.add(entries, counts, spells),
                Err(_) => {
                    eprintln!("round {round} of seed {seed} failed");
                    total.failed += 1;
                }
            }
            eprintln!("{} of {} rounds", total.rounds + total.failed, arguments.rounds);
        }
    };
    thread::scope(|scope| {
        for _ in 0..arguments.threads.max(1) {
            scope.spawn(lane);
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    let repeat = format!("cargo xtask crash --storm {} --seed {seed}", arguments.rounds);
    for (name, count) in total.figures() {
        println!("{name:<48} {count:>10}");
    }
    println!("to repeat it: {repeat}");
    if let Some(path) = &arguments.json {
        let figures: serde_json::Map<_, _> = total
            .figures()
            .map(|(name, count)| (name.to_owned(), count.into()))
            .into_iter()
            .collect();
        let object = json!({
            "name": "storm",
            "command": repeat,
            "passed": total.passed(),
            "seconds": start.elapsed().as_secs(),
            "summary": total.summary(),
            "figures": figures,
        });
        if let Err(error) = std::fs::write(path, format!("{object:#}\n")) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    println!("{}", total.summary());
    if total.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Counts over rounds.
#[derive(Debug, Default)]
struct Total {
    rounds: u64,
    failed: u64,
    entries: u64,
    spells: u64,
    counts: Counts,
}

impl Total {
    fn add(&mut self, entries: u64, counts: Counts, spells: u64) {
        self.rounds += 1;
        self.entries += entries;
        self.spells += spells;
        let total = &mut self.counts;
        total.up += counts.up;
        total.down += counts.down;
        total.swallowed += counts.swallowed;
        total.cut_off += counts.cut_off;
        total.lost += counts.lost;
        total.late += counts.late;
        total.held_back += counts.held_back;
        total.overflowed += counts.overflowed;
        total.too_long += counts.too_long;
        total.twice += counts.twice;
        total.rebound += counts.rebound;
    }

    fn passed(&self) -> bool {
        self.failed == 0 && self.rounds > 0
    }

    fn figures(&self) -> [(&'static str, u64); 14] {
        let counts = &self.counts;
        [
            ("rounds", self.rounds),
            ("mixtures of faults", self.spells),
            ("entries, each once everywhere", self.entries),
            ("datagrams that came to the relay", counts.up + counts.down),
            ("datagrams swallowed", counts.swallowed),
            (
                "datagrams swallowed for want of room in the queue",
                counts.overflowed,
            ),
            ("datagrams swallowed for their length", counts.too_long),
            ("datagrams swallowed by chance, alone or in bursts", counts.lost),
            ("datagrams swallowed while their way was down", counts.cut_off),
            ("datagrams that passed late", counts.late),
            ("datagrams held back to be overtaken", counts.held_back),
            ("datagrams that passed twice", counts.twice),
            ("flows that got another port", counts.rebound),
            ("rounds that failed", self.failed),
        ]
    }

    fn summary(&self) -> String {
        let Self { rounds, failed, .. } = self;
        if self.passed() {
            format!(
                "{rounds} storms, {} mixtures of faults, {} entries, each once everywhere, 0 failing",
                self.spells, self.entries
            )
        } else {
            format!("FAILED: {failed} of {} storms did not end well", rounds + failed)
        }
    }
}
