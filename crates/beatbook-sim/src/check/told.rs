//! Nothing is told before it is durable; a run is there as a whole or not at all.

use beatbook_core::ledger;
use beatbook_core::store::Read;
use beatbook_proto::{Dot, Entry, ReplicaId, Standing, Verdict};

use super::invariants::{DURABLE, WHOLE};
use super::{Check, Trace, broken, unreadable};
use crate::fact::{Fact, What, Wrote};
use crate::model::Named;
use crate::observe::{Violation, WorldView};

/// Compares every word that was told with the durable state at that moment.
#[derive(Debug, Default)]
pub(super) struct Told;

impl Check for Told {
    fn fact(&mut self, fact: &Fact, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let judged = match &fact.what {
            What::Wrote(wrote) => world.on_device(wrote.device, |read| written(read, wrote)),
            What::ReceiptSent {
                replica,
                run,
                verdicts,
                apart,
                ..
            } => world.at_server(|read| receipted(read, *replica, *run, verdicts, apart, trace)),
            What::RunAccepted { replica, run, .. } => world.at_server(|read| whole(read, *replica, *run)),
            What::FeedSent { dots, .. } => world.at_server(|read| held(read, dots, "sent")),
            What::FeedKept {
                device, dots, left, ..
            } if left.is_empty() => world.on_device(*device, |read| held(read, dots, "kept by the cursor")),
            _ => return Ok(()),
        };
        trace.ask(DURABLE, 1);
        // A machine that died in the same event is asked when it is back.
        judged.unwrap_or(Ok(()))
    }
}

fn written(read: &dyn Read, wrote: &Wrote) -> Result<(), Violation> {
    let stored = ledger::entry(read, wrote.dot).map_err(unreadable)?;
    if stored.is_some_and(|stored| stored.entry == wrote.entry) {
        return Ok(());
    }
    broken(
        DURABLE,
        format!("{} was acknowledged and is not on {}", wrote.dot, wrote.device),
    )
}

/// Every entry of a receipted run is held; one whose dot is taken is apart, or held under another dot since.
fn receipted(
    read: &dyn Read,
    replica: ReplicaId,
    run: (u64, u64),
    verdicts: &[Verdict],
    apart: &[(Dot, Entry)],
    trace: &Trace,
) -> Result<(), Violation> {
    for counter in run.0..=run.1 {
        let taken = verdicts
            .iter()
            .any(|verdict| verdict.counter == counter && verdict.standing == Standing::QUARANTINED_DOT_TAKEN);
        if !taken {
            held(read, &[Dot { replica, counter }], "receipted")?;
        }
    }
    if apart.is_empty() {
        return Ok(());
    }
    let kept = ledger::quarantined(read).map_err(unreadable)?;
    for (dot, entry) in apart {
        let mut is_held = kept.iter().any(|kept| kept.dot == *dot && kept.entry == *entry);
        // It may be the very one that has the dot; and what was issued again is held under its new one.
        let names = match trace.model.find(*dot, entry) {
            Some(Named::Revision(rev)) => trace.model.names(rev),
            _ => &[*dot],
        };
        for name in names {
            let stored = ledger::entry(read, *name).map_err(unreadable)?;
            is_held |= stored.is_some_and(|stored| *name != *dot || stored.entry == *entry);
        }
        if !is_held {
            return broken(
                DURABLE,
                format!("{dot} was receipted as set aside and is not held"),
            );
        }
    }
    Ok(())
}

/// A book that the server follows is held up to where it says, without a gap.
fn whole(read: &dyn Read, replica: ReplicaId, run: (u64, u64)) -> Result<(), Violation> {
    let Some(book) = ledger::book(read, replica).map_err(unreadable)? else {
        return broken(
            WHOLE,
            format!("a run of {replica} was stored and its book is unknown"),
        );
    };
    if book.held < run.1 {
        // Another history of the book: all of it is apart.
        return Ok(());
    }
    for counter in run.0..=run.1 {
        let dot = Dot { replica, counter };
        if ledger::entry(read, dot).map_err(unreadable)?.is_none() {
            return broken(WHOLE, format!("{dot} is missing in a run that was stored"));
        }
    }
    Ok(())
}

fn held(read: &dyn Read, dots: &[Dot], how: &str) -> Result<(), Violation> {
    for dot in dots {
        if ledger::entry(read, *dot).map_err(unreadable)?.is_none() {
            return broken(DURABLE, format!("{dot} was {how} and is not held"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
