//! What the notebook tells the app as it happens.

use std::sync::Arc;

use beatbook_proto::RecordId;

use crate::agent::SyncError;

/// Something that the app may want to show.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// All news is receipted and all feeds are read.
    CaughtUp,
    /// Merged records changed, here or elsewhere.
    Changed(Arc<[RecordId]>),
    /// A record has two versions that wait for a person.
    Conflict(RecordId),
    /// A new book was opened, and the earlier one is read-only history.
    NewBookOpened {
        /// Why.
        why: NewBook,
    },
    /// Records left the beats of this device and were taken off it.
    Purged(Arc<[RecordId]>),
    /// The server holds own entries apart, for a person to look at.
    Quarantined {
        /// How many of the own entries stand so.
        entries: u64,
    },
    /// Own entries that the server never saw were issued again in the open book.
    Reissued {
        /// How many.
        entries: u64,
    },
    /// Entries of a book are safe: the server holds them.
    Safe {
        /// The book's label.
        book: String,
        /// Up to which entry.
        upto: u64,
    },
    /// The server could not be reached, or did not let us in.
    Unreachable {
        /// Why, with what to do.
        why: Arc<SyncError>,
    },
    /// The server went back in time; entries of a book are sent again.
    WentBack {
        /// The book's label.
        book: String,
        /// From after this entry on.
        after: u64,
    },
}

/// Why a new book was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewBook {
    /// The anchor outside the store is gone: the store may be a copy.
    AnchorMissing,
    /// The store is an older copy of itself, or one of two.
    OlderCopy,
    /// The store was damaged, and its repair lost something.
    Repaired,
    /// The server holds other entries under numbers of the earlier book.
    TakenAtServer,
}

impl NewBook {
    /// What to tell a person.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::AnchorMissing => {
                "the file that tells this store from a copy of it is gone: a new book was opened, the earlier one stays readable"
            }
            Self::OlderCopy => {
                "this store is an older copy: a new book was opened, the earlier one stays readable"
            }
            Self::Repaired => {
                "a repair of this store lost something: a new book was opened, the next sync fetches what the server holds"
            }
            Self::TakenAtServer => {
                "the server knows a later state of this book: a new book was opened, the earlier one stays readable"
            }
        }
    }
}
