//! Executes what a session wants of the store, off the async threads.

use beatbook_core::device::{self, DeviceEnv, DeviceOp, DeviceReply};
use beatbook_core::ledger::{CheckNothing, LedgerError};
use beatbook_core::store::{Durable, StoreError, Transaction};
use tokio::sync::mpsc::UnboundedSender;

use crate::clock;
use crate::lease::{self, LeaseError};
use crate::notebook::Notebook;
use crate::show;

/// The reply to a store operation.
pub(super) type Reply = Result<Durable<DeviceReply>, LedgerError>;

impl Notebook {
    /// Starts an operation. Its reply comes through `replies`: those of writes in the order in which they were started.
    ///
    /// Nobody may be there any more to take the reply: the session was cut, the operation is whole all the same.
    pub(super) fn submit(&self, op: DeviceOp, replies: UnboundedSender<Reply>) {
        let book = self.clone();
        if is_read(&op) {
            tokio::task::spawn_blocking(move || {
                let read =
                    |read: &dyn beatbook_core::store::Read| book.execute(&mut Transaction::new(read), op);
                // What is read is durable: a store shows nothing else.
                let _ = replies.send(book.store().read(read).map(Durable::assert_stored));
            });
            return;
        }
        let (store, shower) = (self.store().clone(), self.clone());
        let issues = self.is_anchored() && may_issue(&op);
        store.commit_then(
            move |tx| {
                let reply = book.execute(tx, op)?;
                if issues {
                    lease::cover(book.store(), tx).map_err(|error| match error {
                        LeaseError::Spent(error) | LeaseError::Store(error) => LedgerError::Store(error),
                    })?;
                }
                Ok(reply)
            },
            move |reply| {
                // Shown whether or not the session is still there to hear of it.
                for shown in reply.iter().flat_map(|reply| show::of_reply(reply)) {
                    shower.show(shown);
                }
                let _ = replies.send(reply);
            },
        );
    }

    fn execute(&self, tx: &mut Transaction<'_>, op: DeviceOp) -> Result<DeviceReply, LedgerError> {
        let enrolled = self.enrolled();
        let random = || -> Result<_, StoreError> { Ok((clock::random()?, clock::fresh_replicas()?)) };
        let (seed, fresh) = random()?;
        let env = DeviceEnv {
            identity: &enrolled.identity,
            signer: &enrolled.signer,
            server_key: enrolled.server_key(),
            // The server has judged what it sends: to judge again would make stores differ.
            check: &CheckNothing,
            seed,
            fresh,
            now: clock::stamp(),
        };
        device::execute(tx, &env, op)
    }
}

/// Taking these in can issue entries again, or open books.
fn may_issue(op: &DeviceOp) -> bool {
    !matches!(op, DeviceOp::Prepare { .. } | DeviceOp::Verdicts(_))
}

fn is_read(op: &DeviceOp) -> bool {
    matches!(
        op,
        DeviceOp::Apart | DeviceOp::NextRun { .. } | DeviceOp::Offers | DeviceOp::Parts(_)
    )
}
