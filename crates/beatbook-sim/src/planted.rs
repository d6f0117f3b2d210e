//! The hunt for planted bugs: each known defect is switched on, and seeds are run until one of them breaks an invariant
//! that the same seed keeps without it.

use std::fmt;

use beatbook_core::planted::Bug;
use serde_json::{Value, json};

use crate::plan::Overrides;
#[cfg(planted_bugs)]
use crate::plan::{Plan, Size};

/// What to look for, and how long.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The names of the defects; all where there is none.
    pub bugs: Vec<String>,
    /// The first seed.
    pub start: u64,
    /// Most seeds for one defect.
    pub seeds_max: u64,
    /// Worlds at once.
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
                "found      {name:<28} {:>3} of {:>3} seeds, first {seed}: {invariant}",
                self.found.len(),
                self.seeds
            ),
            None => write!(
                f,
                "NOT FOUND  {name:<28}   0 of {:>3} seeds: {}",
                self.seeds,
                self.bug.what()
            ),
        }
    }
}

/// What the hunt found, as JSON.
pub fn json(trophies: &[Trophy]) -> Value {
    let each = trophies.iter().map(|trophy| {
        json!({
            "bug": trophy.bug.name(),
            "what": trophy.bug.what(),
            "found_in": trophy.found.len(),
            "of_seeds": trophy.seeds,
            "first_seed": trophy.found.first().map(|(seed, _)| seed),
            "invariant": trophy.found.first().map(|(_, invariant)| invariant),
        })
    });
    Value::Array(each.collect())
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

/// Looks for every defect in turn.
pub fn hunt(hunt: &Hunt, told: &mut dyn FnMut(&Trophy)) -> Result<Vec<Trophy>, HuntError> {
    let mut wanted = Vec::new();
    for name in &hunt.bugs {
        let bug = Bug::ALL.iter().find(|bug| bug.name() == name);
        wanted.push(*bug.ok_or_else(|| HuntError::Unknown(name.clone()))?);
    }
    if wanted.is_empty() {
        wanted.extend(Bug::ALL);
    }
    let mut trophies = Vec::with_capacity(wanted.len());
    for bug in wanted {
        let trophy = look_for(bug, hunt)?;
        told(&trophy);
        trophies.push(trophy);
    }
    Ok(trophies)
}

#[cfg(not(planted_bugs))]
fn look_for(_bug: Bug, _hunt: &Hunt) -> Result<Trophy, HuntError> {
    Err(HuntError::NotCompiledIn)
}

/// Runs seeds in batches until enough of them have found the defect.
#[cfg(planted_bugs)]
fn look_for(bug: Bug, hunt: &Hunt) -> Result<Trophy, HuntError> {
    let mut trophy = Trophy {
        bug,
        found: Vec::new(),
        seeds: 0,
    };
    while trophy.seeds < hunt.seeds_max && trophy.found.len() < FINDS_ENOUGH {
        let batch = BATCH.min(hunt.seeds_max - trophy.seeds);
        beatbook_core::planted::plant(Some(bug));
        let broken = broken_in(hunt, hunt.start + trophy.seeds, batch);
        beatbook_core::planted::plant(None);
        for (seed, invariant) in broken {
            // What fails without the defect too says nothing about it.
            let plan = Plan::from_seed(seed, Size::Small).with(&hunt.overrides);
            if crate::run::one(&plan, &mut []).violation().is_none() {
                trophy.found.push((seed, invariant));
            }
        }
        trophy.seeds += batch;
    }
    Ok(trophy)
}

#[cfg(planted_bugs)]
fn broken_in(hunt: &Hunt, start: u64, seeds: u64) -> Vec<(u64, &'static str)> {
    let campaign = crate::run::Campaign {
        start,
        seeds,
        size: Size::Small,
        overrides: hunt.overrides.clone(),
        threads: hunt.threads,
        twice_every: 0,
        failing_max: 0,
    };
    let summary = campaign.run(&|_| {});
    let failing = summary.failing.into_iter();
    failing
        .map(|(seed, violation)| (seed, violation.invariant))
        .collect()
}

/// Seeds between two looks at what they found.
#[cfg(planted_bugs)]
const BATCH: u64 = 10;
/// Finds after which a defect counts as well hunted.
#[cfg(planted_bugs)]
const FINDS_ENOUGH: usize = 3;
