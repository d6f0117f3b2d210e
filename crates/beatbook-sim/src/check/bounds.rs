//! Memory and disk stay within their caps.

use beatbook_core::ledger;
use beatbook_core::store::Read;
use beatbook_proto::limits::CONTEXT_REPLICAS_MAX;

use super::invariants::BOUNDS;
use super::{Check, Trace, broken, unreadable};
use crate::fact::DeviceIndex;
use crate::observe::{Violation, WorldView};

/// Measures stores once all is quiet.
#[derive(Debug, Default)]
pub(super) struct Bounds;

impl Check for Bounds {
    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        world.at_server(|read| records(read, trace)).unwrap_or(Ok(()))?;
        for device in (0..world.devices()).map(DeviceIndex) {
            let Some(bytes) = world.on_device(device, content_bytes) else {
                continue;
            };
            let content = bytes?;
            let disk: usize = world
                .disk_bytes(device)
                .iter()
                .map(|(_, bytes)| bytes.len())
                .sum();
            trace.ask(BOUNDS, 1);
            let most = DISK_BYTES_FREE + content * DISK_TIMES_MAX;
            if disk > most {
                return broken(
                    BOUNDS,
                    format!("{device} takes {disk} bytes of disk for {content} of content"),
                );
            }
        }
        Ok(())
    }
}

fn records(read: &dyn Read, trace: &mut Trace) -> Result<(), Violation> {
    for head in ledger::heads(read, None, usize::MAX).map_err(unreadable)? {
        trace.ask(BOUNDS, 1);
        if head.vector.len() > CONTEXT_REPLICAS_MAX {
            return broken(
                BOUNDS,
                format!(
                    "{} has a version vector of {} books",
                    head.record,
                    head.vector.len()
                ),
            );
        }
        if head.tips().len() > head.vector.len().max(1) * TIPS_PER_BOOK_MAX {
            return broken(
                BOUNDS,
                format!("{} stands in {} versions", head.record, head.tips().len()),
            );
        }
    }
    Ok(())
}

/// Bytes of the entries held.
fn content_bytes(read: &dyn Read) -> Result<usize, Violation> {
    let mut bytes = 0;
    for book in ledger::books(read).map_err(unreadable)? {
        let log = ledger::log(read, book.replica(), 1, usize::MAX).map_err(unreadable)?;
        bytes += log
            .iter()
            .map(|(_, stored)| stored.entry.byte_len())
            .sum::<usize>();
    }
    Ok(bytes)
}

/// What an empty store and its logs may take.
const DISK_BYTES_FREE: usize = 8 << 20;
/// Most bytes on disk for one byte of entries: two formats, heads that are written again, and what a checkpoint frees.
const DISK_TIMES_MAX: usize = 200;
/// A book can write beside its own earlier entry, but hardly more often than this without having read it: an old
/// reading that stays open over a shift.
const TIPS_PER_BOOK_MAX: usize = 24;

#[cfg(test)]
mod tests;
