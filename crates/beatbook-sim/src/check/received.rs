//! What was receipted is held by the server after any crash and restart.

use super::invariants::RECEIPTED;
use super::{Check, Trace, broken, unreadable};
use crate::fact::{Fact, Site, What};
use crate::observe::{Violation, WorldView};

/// Looks at the server whenever it is back.
#[derive(Debug, Default)]
pub(super) struct Received;

impl Check for Received {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        match &fact.what {
            What::Reopened {
                site: Site::Server, ..
            } => all_held(trace, world),
            _ => Ok(()),
        }
    }

    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        all_held(trace, world)
    }
}

fn all_held(trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
    if trace.is_put_back(Site::Server) {
        return Ok(());
    }
    let Some(scan) = world.at_server(|read| trace.scan(read)) else {
        return Ok(());
    };
    let scan = scan.map_err(unreadable)?;
    let expected: Vec<_> = trace
        .acknowledged()
        .iter()
        .filter(|(rev, _)| trace.holds(Site::Server, **rev))
        .map(|(rev, acknowledged)| (*rev, acknowledged.clone()))
        .collect();
    trace.ask(RECEIPTED, expected.len() as u64);
    for (rev, acknowledged) in expected {
        if !scan.revisions.contains(&rev) {
            let (dot, device) = (acknowledged.dot, acknowledged.device);
            return broken(
                RECEIPTED,
                format!("{dot} of {device} was stored by the server and is gone"),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
