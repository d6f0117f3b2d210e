//! The stores that are damaged: closed, small, with what the real core writes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use beatbook_core::ledger::LedgerError;
use beatbook_core::server;
use beatbook_core::store::{Pairs, StoreError, Table, Transaction};
use beatbook_proto::EpochId;
use beatbook_store_sled::{
    AnchorPlace, OpenError, OpenReport, Options, PinCost, RepairError, RepairReport, Store, Unlock,
};
use beatbook_tests::{enrolled_offline_with, note_of};

use crate::workload;

/// Everything in every table.
pub type Content = Vec<Pairs>;

/// A closed store, and what it holds.
pub struct Fixture {
    /// What kind it is, in words.
    pub name: &'static str,
    /// All that the store holds.
    pub content: Content,
    root: PathBuf,
    unlock: Unlock,
    anchored: bool,
    has_backup: bool,
}

impl Fixture {
    /// Makes one of each kind in `scratch`.
    pub fn all(scratch: &Path) -> Result<Vec<Self>, String> {
        Ok(vec![device(scratch)?, server(scratch)?, released(scratch)?])
    }

    /// The folder that is copied: the store and what lies beside it.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Opens a copy of the store.
    pub fn open(&self, root: &Path) -> Result<(Store, OpenReport), OpenError> {
        Store::open(root.join(STORE), &self.unlock, self.options(root))
    }

    /// Repairs a copy of the store.
    pub fn repair(&self, root: &Path) -> Result<RepairReport, RepairError> {
        let mut backup = self
            .has_backup
            .then(|| File::open(root.join(BACKUP)).expect("the backup is not damaged"));
        let backup = backup.as_mut().map(|file| file as &mut dyn std::io::Read);
        Store::repair(root.join(STORE), &self.unlock, &self.options(root), backup)
    }

    /// The options of a store in `root`.
    pub fn options(&self, root: &Path) -> Options {
        let anchor = if self.anchored {
            AnchorPlace::At(root.join(ANCHOR))
        } else {
            AnchorPlace::Nowhere
        };
        options(anchor)
    }

    fn new(name: &'static str, root: PathBuf, unlock: Unlock) -> Result<Self, String> {
        fs::create_dir_all(&root).map_err(|error| error.to_string())?;
        Ok(Self {
            name,
            root,
            unlock,
            content: Content::new(),
            anchored: false,
            has_backup: false,
        })
    }

    /// Reads what the finished store holds.
    fn finished(mut self) -> Result<Self, String> {
        let root = self.root.clone();
        let (store, report) = self.open(&root).map_err(|error| error.to_string())?;
        if report.rebuilt.is_some() || report.lost {
            return Err(format!("{} is not whole: {report:?}", self.name));
        }
        self.content = content(&store).map_err(stored)?;
        store.close().map_err(stored)?;
        Ok(self)
    }
}

/// Everything in every table of an open store.
pub fn content(store: &Store) -> Result<Content, StoreError> {
    store.read(|read| {
        Table::ALL
            .iter()
            .map(|table| read.scan(*table, &[], &[0xff; 64], usize::MAX))
            .collect()
    })
}

/// A notebook with a PIN, its anchor and the device's secret beside it.
fn device(scratch: &Path) -> Result<Fixture, String> {
    let mut made = Fixture::new("device", scratch.join("device"), Unlock::pin("2580"))?;
    made.anchored = true;
    let options = made.options(&made.root);
    let book = enrolled_offline_with(&made.root.join(STORE), &made.unlock, options)
        .map_err(|error| error.to_string())?;
    for number in 0..24 {
        let words = format!("entry {number} {}", "and more ".repeat(number % 7));
        book.notes()
            .write(note_of(&words))
            .map_err(|error| error.to_string())?;
    }
    book.close().map_err(stored)?;
    made.finished()
}

/// A server that no backup has shortened the journal of.
fn server(scratch: &Path) -> Result<Fixture, String> {
    let made = Fixture::new("server", scratch.join("server"), Unlock::keystore([0x42; 32]))?;
    let store = begun(&made)?;
    accept(&store, 0..14)?;
    store.close().map_err(stored)?;
    made.finished()
}

/// A server whose journal begins after its last backup.
fn released(scratch: &Path) -> Result<Fixture, String> {
    let mut made = Fixture::new(
        "released server",
        scratch.join("released"),
        Unlock::keystore([0x43; 32]),
    )?;
    made.has_backup = true;
    let store = begun(&made)?;
    accept(&store, 0..9)?;
    let mut file = File::create(made.root.join(BACKUP)).map_err(|error| error.to_string())?;
    let report = store
        .backup(&mut file, &mut |_| {})
        .map_err(|error| error.to_string())?;
    store.checkpoint().map_err(stored)?;
    store.release(report.sequence).map_err(stored)?;
    accept(&store, 9..16)?;
    store.close().map_err(stored)?;
    if made.root.join(STORE).join("journal/00000001.seg").exists() {
        return Err("the journal of the released server was not shortened".to_owned());
    }
    made.finished()
}

fn begun(made: &Fixture) -> Result<Store, String> {
    let (store, _) = Store::create(made.root.join(STORE), &made.unlock, made.options(&made.root))
        .map_err(|error| error.to_string())?;
    let minted = store.commit(|transaction: &mut Transaction<'_>| {
        server::mint_epoch(transaction, EpochId::from_bytes([0xe0; 16]))?;
        Ok::<_, LedgerError>(())
    });
    minted.map_err(|error| error.to_string())?;
    Ok(store)
}

fn accept(store: &Store, numbers: std::ops::Range<u32>) -> Result<(), String> {
    for number in numbers {
        workload::accept(store, &format!("F{}", 1000 + number)).map_err(|error| format!("{error:?}"))?;
    }
    Ok(())
}

fn options(anchor: AnchorPlace) -> Options {
    Options {
        anchor,
        pin_cost: PinCost {
            memory_kib: 8,
            passes: 1,
            lanes: 1,
        },
        cache_bytes: 1 << 20,
        segment_bytes: 8 << 10,
        checkpoint_bytes: 24 << 10,
        free_bytes_min: 1 << 20,
        ..Options::default()
    }
}

fn stored(error: StoreError) -> String {
    error.to_string()
}

/// The store in the folder of a fixture.
pub const STORE: &str = "store";
/// The backup beside it: what is damaged is the store.
pub const BACKUP: &str = "backup";
const ANCHOR: &str = "anchor";
