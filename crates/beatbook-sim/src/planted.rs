//! The hunt for planted bugs: each known defect is switched on, and seeds are run until one of them breaks an invariant
//! that the same seed keeps without it. A defect that does harm only where certain faults meet names its [`Ground`].

use std::fmt;

use beatbook_core::planted::Bug;
use serde_json::{Value, json};

use crate::fault::FaultKind;
#[cfg(planted_bugs)]
use crate::plan::Size;
use crate::plan::{Overrides, Plan};

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
    let wanted = wanted(hunt)?;
    let mut trophies = Vec::with_capacity(wanted.len());
    for bug in wanted {
        let trophy = look_for(bug, hunt)?;
        told(&trophy);
        trophies.push(trophy);
    }
    Ok(trophies)
}

/// Plants the first defect that is wanted, and gives the plan of a seed as the hunt for it runs it.
pub fn plant(hunt: &Hunt, seed: u64) -> Result<Plan, HuntError> {
    match wanted(hunt)?.first() {
        Some(bug) => planted(*bug, seed, hunt),
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
fn planted(_bug: Bug, _seed: u64, _hunt: &Hunt) -> Result<Plan, HuntError> {
    Err(HuntError::NotCompiledIn)
}

#[cfg(planted_bugs)]
fn planted(bug: Bug, seed: u64, hunt: &Hunt) -> Result<Plan, HuntError> {
    beatbook_core::planted::plant(Some(bug));
    Ok(plan_of(bug, seed, hunt))
}

#[cfg(not(planted_bugs))]
fn look_for(_bug: Bug, _hunt: &Hunt) -> Result<Trophy, HuntError> {
    Err(HuntError::NotCompiledIn)
}

/// Runs seeds until enough of them have found the defect.
#[cfg(planted_bugs)]
fn look_for(bug: Bug, hunt: &Hunt) -> Result<Trophy, HuntError> {
    let (found, seeds) = (Vec::new(), 0);
    let mut trophy = Trophy { bug, found, seeds };
    while trophy.seeds < hunt.seeds_max && trophy.found.len() < FINDS_ENOUGH {
        let rest = Hunt {
            start: hunt.start + trophy.seeds,
            seeds_max: hunt.seeds_max - trophy.seeds,
            ..hunt.clone()
        };
        beatbook_core::planted::plant(Some(bug));
        let (mut broken, seeds) = broken_in(bug, &rest, FINDS_ENOUGH - trophy.found.len());
        beatbook_core::planted::plant(None);
        // What fails without the defect too says nothing about it.
        broken.retain(|(seed, _)| {
            crate::run::one(&plan_of(bug, *seed, hunt), &mut [])
                .violation()
                .is_none()
        });
        trophy.found.append(&mut broken);
        trophy.seeds += seeds;
    }
    Ok(trophy)
}

/// The first seeds that fail, and how many were run.
#[cfg(planted_bugs)]
fn broken_in(bug: Bug, hunt: &Hunt, enough: usize) -> (Vec<(u64, &'static str)>, u64) {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    let (next, run) = (AtomicU64::new(0), AtomicU64::new(0));
    let found = Mutex::new(Vec::new());
    let locked = || found.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    std::thread::scope(|scope| {
        for _ in 0..hunt.threads.max(1) {
            scope.spawn(|| {
                while locked().len() < enough {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= hunt.seeds_max {
                        break;
                    }
                    let seed = hunt.start + at;
                    let outcome = crate::run::one(&plan_of(bug, seed, hunt), &mut []);
                    run.fetch_add(1, Ordering::Relaxed);
                    if let Some(violation) = outcome.violation() {
                        locked().push((seed, violation.invariant));
                    }
                }
            });
        }
    });
    let mut found = std::mem::take(&mut *locked());
    found.sort_unstable();
    (found, run.into_inner())
}

/// The world of a seed in which a defect is looked for: mostly one in which it can do harm often, and every fourth as it
/// comes, so that the ordinary worlds have their say too.
#[cfg(planted_bugs)]
fn plan_of(bug: Bug, seed: u64, hunt: &Hunt) -> Plan {
    let plan = Plan::from_seed(seed, Size::Small);
    let plan = match ground_of(bug) {
        Some(ground) if !seed.is_multiple_of(4) => ground.lay(plan),
        _ => plan,
    };
    plan.with(&hunt.overrides)
}

/// Where a defect does harm: the kinds of fault that it needs, and how many devices at least.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// Every one of these is in the world, and no other.
    pub faults: &'static [FaultKind],
    /// Devices, at least.
    pub devices: usize,
}

impl Ground {
    /// A plan on this ground; all else is as the seed has it.
    pub fn lay(&self, plan: Plan) -> Plan {
        let mut plan = plan.with_devices(self.devices);
        plan.faults = self.faults.iter().copied().collect();
        plan.fault_gap_min = FAULT_GAP_MIN;
        plan
    }
}

/// The ground of a defect; `None` for one that any world can show.
pub fn ground_of(bug: Bug) -> Option<Ground> {
    let (faults, devices): (&[FaultKind], usize) = match bug {
        Bug::AliasIgnored | Bug::ReissueDropsContext | Bug::ReissueSkipsOne => (REISSUES, 2),
        Bug::ForkNotNoticed | Bug::QuarantineDropped => (COPIES, 2),
        Bug::EpochNotMinted | Bug::RollbackNotNoticed | Bug::RewindForgotten => (SERVER_BACK, 3),
        Bug::TornTailNotCut
        | Bug::FsyncSkipped
        | Bug::FsyncErrorIgnored
        | Bug::GroupAcknowledgesFailure
        | Bug::LatchForgotten => (POWER, 2),
        Bug::AmendSettlesConflict | Bug::RemoveWins | Bug::SiblingDropped | Bug::StaleTokenCovers => {
            (APART, 5)
        }
        Bug::ScopeLeakOnMove | Bug::DepartedNotPurged => (&[], 5),
        Bug::ScopeOutlivesPosting => (&[FaultKind::PostingChanged], 5),
        Bug::RevocationIgnored => (&[FaultKind::Revoked], 3),
        Bug::ReceiptNotResent | Bug::DuplicateAppliedTwice => (CUTS, 2),
        _ => return None,
    };
    Some(Ground { faults, devices })
}

const REISSUES: &[FaultKind] = &[
    FaultKind::DeviceRestored,
    FaultKind::DotReuse,
    FaultKind::StoreCloned,
    FaultKind::UdpBlocked,
];
const COPIES: &[FaultKind] = &[
    FaultKind::DotReuse,
    FaultKind::SameIdentityTwice,
    FaultKind::StoreCloned,
];
const SERVER_BACK: &[FaultKind] = &[FaultKind::ServerRestored, FaultKind::ServerRolledBack];
const POWER: &[FaultKind] = &[
    FaultKind::KillInWrite,
    FaultKind::LoseUnsynced,
    FaultKind::ReorderUnsynced,
    FaultKind::SyncErrorOnce,
    FaultKind::TornWrite,
];
const APART: &[FaultKind] = &[FaultKind::PartitionBoth, FaultKind::UdpBlocked];
const CUTS: &[FaultKind] = &[
    FaultKind::Duplication,
    FaultKind::LostAck,
    FaultKind::StatelessReset,
    FaultKind::StreamReset,
];
/// Faults come often where one is waited for.
const FAULT_GAP_MIN: u64 = 20;

/// Finds after which a defect counts as well hunted.
#[cfg(planted_bugs)]
const FINDS_ENOUGH: usize = 3;

#[cfg(test)]
mod tests;
