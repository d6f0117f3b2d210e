//! The table: both sides, the moments, and for each side how it shows, what happens then and what the officer sees. The
//! published page is made from it, and the cells are played from it, here and end to end.

/// What happens to the device's store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceSide {
    /// Nothing.
    Nothing,
    /// The store is put back, the anchor is not.
    Restored,
    /// Store and anchor are put back together.
    CopiedWhole,
    /// Another machine runs with a copy of store and anchor.
    Cloned,
    /// Store and anchor are put back to what they were while the store was open.
    RolledBackOpen,
    /// The anchor is gone.
    AnchorLost,
}

/// What happens to the server's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerSide {
    /// Nothing.
    Nothing,
    /// It is restored from a backup, and says so.
    Restored,
    /// Its disk goes back, and nothing says so.
    RolledBack,
    /// The one, and then the other.
    BothInARow,
}

/// Where the device is when the copies are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing was sent yet.
    BeforeFirstSync,
    /// What was sent is receipted.
    AfterReceipt,
    /// A run was sent, and its receipt never came.
    SentNoReceipt,
    /// A receipt came after the server was copied.
    BetweenReceiptAndBackup,
    /// A conflict is shown, and is resolved after the copies are taken.
    HalfResolved,
    /// New books are open, and what is to be issued again was not sent yet.
    DuringReissue,
    /// The device goes back twice.
    RestoredTwice,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What happens to the device's store.
    pub device: DeviceSide,
    /// What happens to the server's data.
    pub server: ServerSide,
    /// At which moment.
    pub moment: Moment,
    /// Unsynced work is in the copy, and more is written before the next contact.
    pub in_flight: bool,
}

impl Cell {
    /// Every cell.
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for device in DeviceSide::ALL {
            for server in ServerSide::ALL {
                for moment in Moment::ALL {
                    cells.extend([false, true].map(|in_flight| Self {
                        device,
                        server,
                        moment,
                        in_flight,
                    }));
                }
            }
        }
        cells
    }

    /// A few in which every side and every moment occurs; always played.
    pub fn representative() -> Vec<Self> {
        let at = |place: usize| Self {
            device: DeviceSide::ALL[(place + 1) % DeviceSide::ALL.len()],
            server: ServerSide::ALL[(place + place / 4 + 1) % ServerSide::ALL.len()],
            moment: Moment::ALL[place % Moment::ALL.len()],
            in_flight: !place.is_multiple_of(3),
        };
        (0..REPRESENTATIVE).map(at).collect()
    }

    /// Its name, in words: the device's side, the server's, the moment, and whether work is in flight.
    pub fn name(self) -> String {
        let work = if self.in_flight {
            "work in flight"
        } else {
            "all sent"
        };
        format!(
            "{}, {}, {}, {work}",
            self.device.name(),
            self.server.name(),
            self.moment.name()
        )
    }
}

impl DeviceSide {
    /// Every one, in the order of the page.
    pub const ALL: [Self; 6] = [
        Self::Nothing,
        Self::Restored,
        Self::CopiedWhole,
        Self::Cloned,
        Self::RolledBackOpen,
        Self::AnchorLost,
    ];

    /// Its name, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "device untouched",
            Self::Restored => "device restored",
            Self::CopiedWhole => "folder and anchor restored",
            Self::Cloned => "device cloned",
            Self::RolledBackOpen => "device rolled back while open",
            Self::AnchorLost => "anchor lost",
        }
    }

    /// What happens.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Restored => "the store is put back from an earlier copy; the anchor beside it stays",
            Self::CopiedWhole => "the store and its anchor are put back together from an earlier copy",
            Self::Cloned => "the folder is copied with its anchor, and both copies are written in and synced",
            Self::RolledBackOpen => {
                "as a snapshot of a running machine: copied while open, put back with its anchor"
            }
            Self::AnchorLost => "the anchor is removed; the store is as it was",
        }
    }

    /// How it shows.
    pub const fn shows(self) -> &'static str {
        match self {
            Self::Nothing => "-",
            Self::Restored => "at open: the open id in the anchor is a later one",
            Self::CopiedWhole | Self::RolledBackOpen => {
                "not at open; at Hello: the server holds more of the book, or another seal"
            }
            Self::Cloned => "not at open; at Hello of the copy that comes second",
            Self::AnchorLost => "at open: the store once had an anchor, and it is gone",
        }
    }

    /// What happens then.
    pub const fn then(self) -> &'static str {
        match self {
            Self::Nothing => "-",
            Self::Restored | Self::AnchorLost => {
                "a new book before anything is written; what was sent comes back under its numbers, what was not is issued again"
            }
            Self::CopiedWhole | Self::Cloned | Self::RolledBackOpen => {
                "the entry that the server has keeps the number; the other is issued again in a new book"
            }
        }
    }

    /// What the officer sees.
    pub const fn seen(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Restored => "\"this store is an older copy: a new book was opened\"",
            Self::AnchorLost => {
                "\"the file that tells this store from a copy of it is gone: a new book was opened\""
            }
            Self::CopiedWhole | Self::Cloned | Self::RolledBackOpen => {
                "\"the server knows a later state of this book: a new book was opened\""
            }
        }
    }
}

impl ServerSide {
    /// Every one, in the order of the page.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Restored, Self::RolledBack, Self::BothInARow];

    /// Its name, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "server untouched",
            Self::Restored => "server restored",
            Self::RolledBack => "server rolled back",
            Self::BothInARow => "server restored, then rolled back",
        }
    }

    /// What happens.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Restored => "`beatbookd restore` from a backup: a new epoch is announced",
            Self::RolledBack => "an older copy of the data folder runs, without a word",
            Self::BothInARow => {
                "restored from a backup, in touch again, then back to the state just after the restore"
            }
        }
    }

    /// How it shows.
    pub const fn shows(self) -> &'static str {
        match self {
            Self::Nothing => "-",
            Self::Restored => "the epoch in the cursor is an earlier one",
            Self::RolledBack => {
                "a cursor with the server's own tag lies beyond the log, or stands at another commit than the log has there"
            }
            Self::BothInARow => "first the one, then the other",
        }
    }

    /// What happens then.
    pub const fn then(self) -> &'static str {
        match self {
            Self::Nothing => "-",
            Self::Restored => {
                "books are sent again from what is held; readers go on from the branch and offer what they hold"
            }
            Self::RolledBack | Self::BothInARow => {
                "the server begins a new epoch; books are sent again; readers read anew from where both agree and offer what they hold"
            }
        }
    }

    /// What the officer sees.
    pub const fn seen(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Restored | Self::RolledBack | Self::BothInARow => {
                "entries count as pending again until they are receipted anew"
            }
        }
    }
}

impl Moment {
    /// Every one, in the order of the page.
    pub const ALL: [Self; 7] = [
        Self::BeforeFirstSync,
        Self::AfterReceipt,
        Self::SentNoReceipt,
        Self::BetweenReceiptAndBackup,
        Self::HalfResolved,
        Self::DuringReissue,
        Self::RestoredTwice,
    ];

    /// Its name, in words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BeforeFirstSync => "before the first sync",
            Self::AfterReceipt => "after a receipt",
            Self::SentNoReceipt => "sent, no receipt",
            Self::BetweenReceiptAndBackup => "receipted, not in the backup",
            Self::HalfResolved => "conflict half resolved",
            Self::DuringReissue => "during a re-issue",
            Self::RestoredTwice => "restored twice",
        }
    }
}

/// Cells that every `cargo test` plays.
const REPRESENTATIVE: usize = 12;
