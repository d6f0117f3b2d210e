//! Runs worlds: one seed with all its checkers, or many seeds over a few threads.
//!
//! The only part of the crate that reads this machine's clock: to say which seed was slow.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use beatbook_proto::RememberVerified;

use crate::check::Checks;
use crate::ended::Ended;
use crate::hash::TraceHash;
use crate::observe::{Observer, Violation};
use crate::plan::{Overrides, Plan, Size};
use crate::summary::Summary;
use crate::world;

/// What one world came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub ended: Ended,
    /// The trace hash.
    pub hash: u64,
    /// True if it was run a second time, and the hash was another.
    pub differs: bool,
    /// True if it was run a second time.
    pub twice: bool,
    /// How often each invariant was asked.
    pub asked: Vec<(&'static str, u64)>,
    /// Acknowledged entries that faults alone destroyed at every holder.
    pub destroyed: u64,
    /// What it took of one core of this machine, microseconds.
    pub took_us: u64,
}

impl Outcome {
    /// What is wrong with the seed, if anything.
    pub fn violation(&self) -> Option<Violation> {
        let differs = || Violation {
            invariant: SAME_TRACE,
            what: "the same seed gave another trace the second time".into(),
        };
        let differs = self.differs.then(differs);
        self.ended.violation.clone().or(differs)
    }
}

/// Many seeds.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The first seed.
    pub start: u64,
    /// How many.
    pub seeds: u64,
    /// How large the worlds are.
    pub size: Size,
    /// What is taken from every plan.
    pub overrides: Overrides,
    /// Threads at once.
    pub threads: usize,
    /// Every so many seeds are run twice; 0 for none.
    pub twice_every: u64,
    /// Stop after so many failing seeds; 0 to go on to the end.
    pub failing_max: u64,
}

impl Campaign {
    /// Runs every seed, and tells `progress` after each.
    pub fn run(&self, progress: &(dyn Fn(&Summary) + Sync)) -> Summary {
        let next = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        let mut whole = Summary::new(self.size);
        whole.is_whole = self.overrides == Overrides::default();
        let summary = Mutex::new(whole);
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= self.seeds {
                            break;
                        }
                        let outcome = self.outcome(at);
                        let mut summary = summary.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                        summary.add(&outcome);
                        progress(&summary);
                        if self.failing_max > 0 && summary.failing.len() as u64 >= self.failing_max {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let mut summary = summary
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        summary.failing.sort_by_key(|(seed, _)| *seed);
        summary.known.sort_by_key(|(seed, _)| *seed);
        summary
    }

    fn outcome(&self, at: u64) -> Outcome {
        let plan = Plan::from_seed(self.start + at, self.size).with(&self.overrides);
        let mut outcome = one(&plan, &mut []);
        if self.twice_every > 0 && at.is_multiple_of(self.twice_every) && outcome.ended.violation.is_none() {
            let again = one(&plan, &mut []);
            outcome.twice = true;
            outcome.differs = again.hash != outcome.hash;
            outcome.took_us += again.took_us;
        }
        outcome
    }
}

/// Runs one world with every checker, and whoever else wants to see it.
pub fn one(plan: &Plan, others: &mut [&mut dyn Observer]) -> Outcome {
    let began = CoreTime::now();
    let _verified = RememberVerified::begin();
    let mut checks = Checks::default();
    let mut hash = TraceHash::default();
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut observers: Vec<&mut dyn Observer> = vec![&mut hash];
        // Who only listens hears of a fact before a checker stops the world at it.
        for other in others.iter_mut() {
            observers.push(&mut **other);
        }
        observers.push(&mut checks);
        world::run(plan, &mut observers)
    }));
    let ended = ran.unwrap_or_else(|panic| Ended {
        violation: Some(Violation {
            invariant: NO_PANIC,
            what: said(panic.as_ref()),
        }),
        ..Ended::default()
    });
    Outcome {
        seed: plan.seed,
        hash: hash.value(),
        asked: checks
            .asked()
            .iter()
            .map(|(name, times)| (*name, *times))
            .collect(),
        destroyed: checks.destroyed() as u64,
        took_us: began.elapsed_us(),
        ended,
        ..Outcome::default()
    }
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("without a word"))
}

/// Time that this thread has had of a core. Where the system does not say, time that has passed.
struct CoreTime {
    passed: Instant,
    had_ns: Option<u64>,
}

impl CoreTime {
    fn now() -> Self {
        Self {
            passed: Instant::now(),
            had_ns: thread_ns(),
        }
    }

    fn elapsed_us(&self) -> u64 {
        match (self.had_ns, thread_ns()) {
            (Some(before), Some(now)) => now.saturating_sub(before) / 1_000,
            _ => u64::try_from(self.passed.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// Nanoseconds that this thread has run; its first number is that.
fn thread_ns() -> Option<u64> {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    said.split_whitespace().next()?.parse().ok()
}

/// Broken by a panic anywhere in the software.
pub const NO_PANIC: &str = "software: nothing panics";
/// Broken where a seed does not repeat.
pub const SAME_TRACE: &str = "simulator: the same seed gives the same trace";
