//! Keeps the index and the app up to date with what a session stored, on a thread that may wait for the disk.
//!
//! It is fed when a store operation is durable, not when a session takes notice: a session that is cut in between leaves
//! nothing out of the index.

use std::sync::mpsc::{Receiver, TryRecvError};

use beatbook_core::device::DeviceReply;
use beatbook_core::ledger;
use beatbook_core::store::Read;
use beatbook_proto::{RecordId, ReplicaId};
use tokio::sync::oneshot;

use crate::event::Event;
use crate::notebook::{Notebook, WeakNotebook};
use crate::status::name_of;

/// Something to be shown, in order.
pub(crate) enum Shown {
    Changed(Vec<RecordId>),
    Event(Event),
    Everything,
    /// Everything before it has been shown once the sender is used.
    Mark(oneshot::Sender<()>),
    /// An event that names a book.
    Named(fn(String, u64) -> Event, ReplicaId, u64),
    Purged(Vec<RecordId>),
    /// A session is done with what it had to do: nothing is to be shown, words may be indexed again.
    Rested,
    Verdicts,
}

/// What a durable reply asks to be shown.
pub(crate) fn of_reply(reply: &DeviceReply) -> Vec<Shown> {
    match reply {
        DeviceReply::Fed(fed) => {
            let changed = (!fed.changed.is_empty()).then(|| Shown::Changed(fed.changed.clone()));
            let purged = (!fed.purged.is_empty()).then(|| Shown::Purged(fed.purged.clone()));
            let again = (fed.reissued > 0).then_some(Event::Reissued {
                entries: fed.reissued,
            });
            let again = again
                .into_iter()
                .flat_map(|event| [Shown::Everything, Shown::Event(event)]);
            changed.into_iter().chain(purged).chain(again).collect()
        }
        DeviceReply::Receipted { .. } | DeviceReply::Verdicts => vec![Shown::Verdicts],
        DeviceReply::Reissued(entries) if *entries > 0 => {
            let event = Event::Reissued { entries: *entries };
            vec![Shown::Everything, Shown::Event(event)]
        }
        _ => Vec::new(),
    }
}

/// Shows what comes until the notebook is gone, and indexes words while nothing comes and nothing is synced.
pub(crate) fn run(weak: &WeakNotebook, shown: &Receiver<Shown>) {
    let mut idle = false;
    loop {
        let next = match idle {
            true => shown.recv().map_err(|_| TryRecvError::Disconnected),
            false => shown.try_recv(),
        };
        let Some(book) = weak.upgrade() else { return };
        match next {
            Ok(shown) => {
                show(&book, shown);
                idle = false;
            }
            Err(TryRecvError::Empty) => idle = book.is_syncing() || !book.index_words(),
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

fn show(book: &Notebook, shown: Shown) {
    match shown {
        Shown::Changed(records) => book.refresh(&records),
        Shown::Event(event) => book.tell(event),
        Shown::Everything => book.refresh_all(),
        Shown::Mark(reached) => {
            // Whoever waited may have been cut.
            let _ = reached.send(());
        }
        Shown::Named(event, replica, counter) => {
            let name = book.store().read(|read| book_name(read, replica));
            book.tell(event(name, counter));
        }
        Shown::Purged(records) => book.forget(&records),
        Shown::Rested => {}
        Shown::Verdicts => book.tell_quarantined(),
    }
}

fn book_name(read: &dyn Read, replica: ReplicaId) -> String {
    let book = ledger::book(read, replica).ok().flatten();
    book.map_or_else(|| format!("new-{}", replica.short()), |book| name_of(&book))
}
