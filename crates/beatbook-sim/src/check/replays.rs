//! What comes twice changes nothing more: every run that the server holds is handed to it once again.

use beatbook_core::ledger::{self, CheckNothing};
use beatbook_core::server::{self, ServerEnv, ServerOp};
use beatbook_core::store::{Read, Table, Transaction};
use beatbook_proto::{EpochId, Hash, SigningKey};

use super::invariants::{REPLAYS, WHOLE};
use super::{Check, Trace, broken, unreadable};
use crate::observe::{Violation, WorldView};

/// Replays everything once all is quiet, and writes none of it.
#[derive(Debug, Default)]
pub(super) struct Replays;

impl Check for Replays {
    fn quiet(&mut self, trace: &mut Trace, world: &dyn WorldView) -> Result<(), Violation> {
        let now_ms = world.now_ms();
        world.at_server(|read| all(read, now_ms, trace)).unwrap_or(Ok(()))
    }
}

fn all(read: &dyn Read, now_ms: i64, trace: &mut Trace) -> Result<(), Violation> {
    let signer = SigningKey::ed25519_from_seed(&[0x5e; 32]);
    let env = ServerEnv {
        signer: &signer,
        check: &CheckNothing,
        tag_key: &[0x5e; 32],
        now_ms,
        fresh_epoch: EpochId::default(),
    };
    for book in ledger::books(read).map_err(unreadable)? {
        let (mut after, mut parted) = (0, false);
        while let Some(run) = ledger::next_run(read, book.replica(), after).map_err(unreadable)? {
            after = run.seal.claim.last;
            parted |= run.seal.claim.first <= book.held && book.held < after;
            let run = Box::new(run.verify(&book.opening.key).map_err(unreadable)?);
            let part = run.clone();
            let again = [
                ServerOp::AcceptRun {
                    peer: book.opening.enrolment,
                    run,
                },
                ServerOp::AcceptPart(part),
            ];
            for op in again {
                trace.ask(REPLAYS, 1);
                let mut tx = Transaction::new(read);
                server::execute(&mut tx, &env, op).map_err(unreadable)?;
                let changes = |(table, key, value): (Table, &[u8], Option<&[u8]>)| {
                    let held = read.get(table, key).ok().flatten();
                    table != Table::Meta && held.as_deref() != value
                };
                if let Some((table, key, _)) = tx.into_writes().iter().find(|write| changes(*write)) {
                    let row = Hash::of("beatbook sim row", &[key]).short();
                    return broken(
                        REPLAYS,
                        format!(
                            "{} up to {after}, again, changes row {row} of {table:?}",
                            book.replica()
                        ),
                    );
                }
            }
        }
        // A book of which only parts came back is held beyond its whole runs, and a run that another history of the book
        // keeps from following on lies wholly beyond what is held.
        trace.ask(WHOLE, 1);
        if parted {
            return broken(
                WHOLE,
                format!(
                    "{} is held up to {}, in the middle of a run",
                    book.replica(),
                    book.held
                ),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
