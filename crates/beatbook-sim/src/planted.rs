//! The hunt for planted bugs: each known defect is switched on, and seeds are run until some of them break an invariant
//! that the same seed keeps without it. A defect that does harm only where certain faults meet names its [`Ground`]; what
//! judges is the same for every world.

use std::fmt;

use beatbook_core::planted::Bug;
use serde_json::{Value, json};

use crate::plan::{Overrides, Plan};

mod ground;

pub use ground::{Ground, ground_of};

/// What to look for, and how long.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The names of the defects; all where there is none.
    pub bugs: Vec<String>,
    /// The first seed.
    pub start: u64,
    /// Most seeds for one defect.
    pub seeds_max: u64,
    /// Defects looked for at once.
    pub threads: usize,
    /// What is taken from every plan.
    pub overrides: Overrides,
}

/// What the seeds said of one defect.
#[derive(Clone, Debug)]
pub struct Trophy {
    /// The defect.
    pub bug: Bug,
    /// The seeds that found it, with the invariant that broke.
    pub found: Vec<(u64, &'static str)>,
    /// Seeds run.
    pub seeds: u64,
    /// Seeds that break an invariant without the defect as well, so that they say nothing about it.
    pub unsound: Vec<(u64, &'static str)>,
    /// Events of all these worlds, and of those that were run without the defect to compare.
    pub events: u64,
    /// What it took of the cores, microseconds.
    pub took_us: u64,
}

impl Trophy {
    /// True if any seed found it.
    pub fn is_found(&self) -> bool {
        !self.found.is_empty()
    }
}

impl fmt::Display for Trophy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.bug.name();
        match self.found.first() {
            Some((seed, invariant)) => write!(
                f,
                "found      {name:<26} in {:>2} of {:>3} seeds, first {seed}: {invariant}",
                self.found.len(),
                self.seeds
            )?,
            None => write!(
                f,
                "NOT FOUND  {name:<26} in  0 of {:>3} seeds: {}",
                self.seeds,
                self.bug.what()
            )?,
        }
        match self.unsound.first() {
            Some((seed, invariant)) => write!(
                f,
                "; {} seeds break without it, first {seed}: {invariant}",
                self.unsound.len()
            ),
            None => Ok(()),
        }
    }
}

/// Why there was no hunt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HuntError {
    /// The defects are not compiled in: build with `--cfg planted_bugs`, as `cargo xtask sim --planted` does.
    #[error("the defects are not in this build: run `cargo xtask sim --planted`")]
    NotCompiledIn,
    /// There is no defect of this name.
    #[error("there is no planted bug called {0}; leave --bugs out to see all of them")]
    Unknown(String),
}

/// What came of a hunt.
#[derive(Clone, Debug, Default)]
pub struct Hunted {
    /// The defects, in order of name.
    pub trophies: Vec<Trophy>,
}

impl Hunted {
    /// Defects that were found.
    pub fn found(&self) -> usize {
        self.trophies.iter().filter(|trophy| trophy.is_found()).count()
    }

    /// True if every one was found.
    pub fn is_whole(&self) -> bool {
        self.found() == self.trophies.len()
    }

    /// Worlds that were run, with a defect.
    pub fn seeds(&self) -> u64 {
        self.trophies.iter().map(|trophy| trophy.seeds).sum()
    }

    /// The last line.
    pub fn line(&self) -> String {
        let lost = self.trophies.len() - self.found();
        format!(
            "{} worlds with a defect each, {lost} lost, {}/{} planted bugs",
            self.seeds(),
            self.found(),
            self.trophies.len()
        )
    }

    /// The figures as JSON.
    pub fn json(&self) -> Value {
        let each = self.trophies.iter().map(|trophy| {
            json!({
                "bug": trophy.bug.name(),
                "found in": trophy.found.len(),
                "of seeds": trophy.seeds,
                "first seed": trophy.found.first().map(|(seed, _)| seed),
                "invariant": trophy.found.first().map(|(_, invariant)| invariant),
            })
        });
        let core_s: u64 = self.trophies.iter().map(|trophy| trophy.took_us).sum::<u64>() / 1_000_000;
        json!({
            "planted bugs": self.trophies.len(),
            "found": self.found(),
            "worlds run": self.seeds(),
            "core seconds": core_s,
            "by defect": each.collect::<Vec<_>>(),
        })
    }
}

/// Looks for every defect that is wanted, several at once; `told` hears of each when it is decided.
#[cfg(planted_bugs)]
pub fn hunt(hunt: &Hunt, told: &(dyn Fn(&Trophy) + Sync)) -> Result<Hunted, HuntError> {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let wanted = wanted(hunt)?;
    let next = AtomicUsize::new(0);
    let sound = Mutex::default();
    let trophies = Mutex::new(Vec::with_capacity(wanted.len()));
    std::thread::scope(|scope| {
        for _ in 0..hunt.threads.max(1) {
            scope.spawn(|| {
                while let Some(bug) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let trophy = look_for(*bug, hunt, &sound);
                    told(&trophy);
                    let mut trophies = trophies.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    trophies.push(trophy);
                }
            });
        }
    });
    let mut trophies = trophies
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    trophies.sort_by_key(|trophy| trophy.bug.name());
    Ok(Hunted { trophies })
}

/// Looks for every defect that is wanted: never in a build that holds none.
#[cfg(not(planted_bugs))]
pub fn hunt(hunt: &Hunt, _told: &(dyn Fn(&Trophy) + Sync)) -> Result<Hunted, HuntError> {
    wanted(hunt)?;
    Err(HuntError::NotCompiledIn)
}

/// Gives the plan of a seed as the hunt for the first defect that is wanted runs it, and plants that defect unless the world
/// is to be `sound`.
pub fn plant(hunt: &Hunt, seed: u64, sound: bool) -> Result<Plan, HuntError> {
    match wanted(hunt)?.first() {
        Some(bug) => planted(*bug, seed, hunt, sound),
        None => Err(HuntError::Unknown(String::new())),
    }
}

fn wanted(hunt: &Hunt) -> Result<Vec<Bug>, HuntError> {
    let mut wanted = Vec::new();
    for name in &hunt.bugs {
        let bug = Bug::ALL.iter().find(|bug| bug.name() == name);
        wanted.push(*bug.ok_or_else(|| HuntError::Unknown(name.clone()))?);
    }
    if wanted.is_empty() {
        wanted.extend(Bug::ALL);
    }
    Ok(wanted)
}

#[cfg(not(planted_bugs))]
fn planted(_bug: Bug, _seed: u64, _hunt: &Hunt, _sound: bool) -> Result<Plan, HuntError> {
    Err(HuntError::NotCompiledIn)
}

#[cfg(planted_bugs)]
fn planted(bug: Bug, seed: u64, hunt: &Hunt, sound: bool) -> Result<Plan, HuntError> {
    beatbook_core::planted::plant((!sound).then_some(bug));
    Ok(ground::plan_of(bug, seed, hunt))
}

/// Runs seeds until enough of them have found the defect.
#[cfg(planted_bugs)]
fn look_for(bug: Bug, hunt: &Hunt, without: &Without) -> Trophy {
    let mut trophy = Trophy {
        bug,
        found: Vec::new(),
        seeds: 0,
        unsound: Vec::new(),
        events: 0,
        took_us: 0,
    };
    while trophy.seeds < hunt.seeds_max && !is_enough(&trophy) {
        let seed = hunt.start + trophy.seeds;
        let plan = ground::plan_of(bug, seed, hunt);
        trophy.seeds += 1;
        beatbook_core::planted::plant(Some(bug));
        let outcome = crate::run::one(&plan, &mut []);
        beatbook_core::planted::plant(None);
        trophy.took_us += outcome.took_us;
        trophy.events += outcome.ended.events;
        let Some(violation) = outcome.violation() else {
            continue;
        };
        // What breaks without the defect too says nothing about it.
        match breaks_without(&plan, &mut trophy, without) {
            Some(unsound) => trophy.unsound.push((seed, unsound)),
            None => trophy.found.push((seed, violation.invariant)),
        }
    }
    trophy
}

/// A defect that lets worlds go on for ever is not looked for again and again.
#[cfg(planted_bugs)]
fn is_enough(trophy: &Trophy) -> bool {
    trophy.found.len() >= FINDS_ENOUGH || (trophy.is_found() && trophy.events > EVENTS_ENOUGH)
}

/// What breaks in the same world with no defect. Defects on one ground have their worlds in common.
#[cfg(planted_bugs)]
fn breaks_without(plan: &Plan, trophy: &mut Trophy, without: &Without) -> Option<&'static str> {
    let locked = || without.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let name = plan.to_string();
    if let Some(known) = locked().get(&name) {
        return *known;
    }
    let outcome = crate::run::one(plan, &mut []);
    trophy.took_us += outcome.took_us;
    trophy.events += outcome.ended.events;
    let broken = outcome.violation().map(|violation| violation.invariant);
    locked().insert(name, broken);
    broken
}

/// What breaks in worlds without a defect, by plan.
#[cfg(planted_bugs)]
type Without = std::sync::Mutex<std::collections::BTreeMap<String, Option<&'static str>>>;

/// Finds after which a defect counts as well hunted.
#[cfg(planted_bugs)]
const FINDS_ENOUGH: usize = 3;
/// Events after which one find is enough.
#[cfg(planted_bugs)]
const EVENTS_ENOUGH: u64 = 60_000;

#[cfg(test)]
mod tests;
