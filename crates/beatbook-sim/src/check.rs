//! The invariants as separate checkers, and the trace that they share.
//!
//! [`Checks`] is one observer: it keeps a [`Trace`] of what was written, told and lost, and asks every checker about
//! each fact, and about everything once all is quiet. A checker looks into durable state and never changes it; none asks the
//! core what should be: that comes from the trace and from the reference model.

use std::collections::BTreeMap;

use crate::fact::Fact;
use crate::observe::{Observer, Violation, WorldView};

mod access;
mod acknowledged;
mod bounds;
mod conflicts;
mod feeds;
mod forks;
mod heads;
mod invariants;
mod liveness;
mod lost;
mod names;
mod plaintext;
mod received;
mod replays;
mod revoked;
mod shown;
mod told;
mod trace;
mod verdicts;

#[cfg(test)]
pub(crate) mod fixtures;

pub use invariants::{INVARIANTS, Invariant, Standing};
pub use trace::{Acknowledged, Scan, Trace};

/// One checker: an invariant or two that are asked in one place.
pub trait Check {
    /// Something happened; the trace knows of it already.
    fn fact(&mut self, _fact: &Fact, _trace: &mut Trace, _world: &dyn WorldView) -> Result<(), Violation> {
        Ok(())
    }

    /// All is quiet.
    fn quiet(&mut self, _trace: &mut Trace, _world: &dyn WorldView) -> Result<(), Violation> {
        Ok(())
    }
}

/// Every checker, as one observer.
pub struct Checks {
    trace: Trace,
    checks: Vec<Box<dyn Check>>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            trace: Trace::default(),
            checks: vec![
                Box::new(told::Told),
                Box::new(names::Names::default()),
                Box::new(received::Received),
                Box::new(acknowledged::OnDevice),
                Box::new(conflicts::Conflicts),
                Box::new(shown::Shown::default()),
                Box::new(access::Access::default()),
                Box::new(revoked::Revoked::default()),
                Box::new(plaintext::Plaintext::default()),
                Box::new(forks::Forks::default()),
                Box::new(liveness::Liveness::default()),
                Box::new(lost::Lost),
                Box::new(heads::Heads),
                Box::new(verdicts::Verdicts),
                Box::new(replays::Replays),
                Box::new(feeds::Feeds),
                Box::new(bounds::Bounds),
            ],
        }
    }
}

impl Checks {
    /// How often each invariant was asked.
    pub fn asked(&self) -> &BTreeMap<&'static str, u64> {
        self.trace.asked()
    }

    /// Entries that faults alone destroyed everywhere, which no software could have kept.
    pub fn destroyed(&self) -> usize {
        self.trace.destroyed().len()
    }
}

impl Observer for Checks {
    fn fact(&mut self, fact: &Fact, world: &dyn WorldView) -> Result<(), Violation> {
        self.trace.take(fact, world);
        for check in &mut self.checks {
            check.fact(fact, &mut self.trace, world)?;
        }
        Ok(())
    }

    fn quiet(&mut self, world: &dyn WorldView) -> Result<(), Violation> {
        self.trace.settle(world);
        for check in &mut self.checks {
            check.quiet(&mut self.trace, world)?;
        }
        Ok(())
    }
}

/// An invariant does not hold.
pub(crate) fn broken<T>(invariant: &'static str, what: impl Into<String>) -> Result<T, Violation> {
    Err(Violation {
        invariant,
        what: what.into(),
    })
}

/// The store failed while a checker read it: a durable state that does not read is a violation of its own.
pub(crate) fn unreadable(error: impl std::fmt::Display) -> Violation {
    Violation {
        invariant: invariants::READABLE,
        what: format!("a checker could not read a store that is open: {error}"),
    }
}
