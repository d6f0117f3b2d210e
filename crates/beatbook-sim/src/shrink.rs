//! Shrinking: the smallest world that still fails in the same way, so that its story can be read.
//!
//! Takes kinds of fault, devices, days and events away, one after the other, as long as the same invariant breaks. Bounded
//! by a number of worlds.

use std::collections::BTreeSet;

use crate::fault::FaultKind;
use crate::observe::Violation;
use crate::plan::{Overrides, Plan, Size};
use crate::run;

/// A failing world, made as small as it would go.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What was taken from the plan.
    pub overrides: Overrides,
    /// What is left of it.
    pub plan: Plan,
    /// What breaks in it.
    pub violation: Violation,
    /// Worlds run.
    pub worlds: u64,
}

/// Shrinks a failing seed; `None` where it does not fail (again).
pub fn shrink(seed: u64, size: Size, overrides: &Overrides, worlds_max: u64) -> Option<Shrunk> {
    let mut judge = |candidate: &Overrides| {
        let plan = Plan::from_seed(seed, size).with(candidate);
        let outcome = run::one(&plan, &mut []);
        outcome
            .ended
            .violation
            .map(|violation| (violation, outcome.ended.events))
    };
    let (violation, events) = judge(overrides)?;
    let mut search = Search {
        wanted: violation.invariant,
        best: (overrides.clone(), violation, events),
        worlds: 1,
        worlds_max,
        judge: &mut judge,
    };
    let plan = Plan::from_seed(seed, size).with(overrides);
    search.fewer_devices(&plan);
    search.fewer_days(&plan);
    search.fewer_kinds(&plan);
    search.fewer_devices(&plan);
    search.fewer_events();
    let (overrides, violation, _) = search.best;
    Some(Shrunk {
        plan: Plan::from_seed(seed, size).with(&overrides),
        worlds: search.worlds,
        overrides,
        violation,
    })
}

/// Runs one smaller world: what breaks in it, and after how many events.
type Judge<'a> = dyn FnMut(&Overrides) -> Option<(Violation, u64)> + 'a;

struct Search<'a> {
    wanted: &'static str,
    best: (Overrides, Violation, u64),
    worlds: u64,
    worlds_max: u64,
    judge: &'a mut Judge<'a>,
}

impl Search<'_> {
    /// Takes a smaller world if the same invariant breaks in it.
    fn try_smaller(&mut self, change: impl FnOnce(&mut Overrides)) -> bool {
        if self.worlds >= self.worlds_max {
            return false;
        }
        let mut candidate = self.best.0.clone();
        change(&mut candidate);
        if candidate == self.best.0 {
            return false;
        }
        self.worlds += 1;
        match (self.judge)(&candidate) {
            Some((violation, events)) if violation.invariant == self.wanted => {
                self.best = (candidate, violation, events);
                true
            }
            _ => false,
        }
    }

    fn fewer_devices(&mut self, plan: &Plan) {
        let now = self.best.0.devices_max.unwrap_or(plan.devices.len());
        for devices in [1, 2, 3, now / 2, now.saturating_sub(1)] {
            if devices > 0 && devices < now && self.try_smaller(|smaller| smaller.devices_max = Some(devices))
            {
                break;
            }
        }
    }

    fn fewer_days(&mut self, plan: &Plan) {
        for days in 1..plan.days {
            if self.try_smaller(|smaller| smaller.days_max = Some(days)) {
                break;
            }
        }
    }

    /// Without any fault, then in halves, then one by one.
    fn fewer_kinds(&mut self, plan: &Plan) {
        let mut left: Vec<FaultKind> = plan.faults.iter().copied().collect();
        if self.try_smaller(|smaller| smaller.only = Some(BTreeSet::new())) {
            return;
        }
        let mut piece = left.len().div_ceil(2);
        while piece > 0 {
            let mut at = 0;
            while at < left.len() {
                let taken: BTreeSet<FaultKind> = left.iter().skip(at).take(piece).copied().collect();
                if self.try_smaller(|smaller| smaller.without.extend(&taken)) {
                    left.retain(|kind| !taken.contains(kind));
                } else {
                    at += piece;
                }
            }
            piece = if piece == 1 { 0 } else { piece.div_ceil(2) };
        }
    }

    /// Healing begins earlier: by halves of what is left.
    fn fewer_events(&mut self) {
        let (mut low, mut high) = (0, self.best.2);
        while high - low > high / 16 + 1 {
            let middle = low + (high - low) / 2;
            if self.try_smaller(|smaller| smaller.events_max = Some(middle)) {
                high = middle;
            } else if self.worlds >= self.worlds_max {
                return;
            } else {
                low = middle;
            }
        }
    }
}

#[cfg(test)]
mod tests;
