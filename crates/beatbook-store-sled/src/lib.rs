//! Executes the core's store operations: a journal and a sled index, sealed at rest.
//!
//! The journal is the truth: a write is durable when its frame is. sled holds what is read, follows the journal,
//! and is checked against it at every open; an index that is lost is made anew. Everything is sealed with
//! XChaCha20-Poly1305 for its place. The keys of rows are kept in the clear, because they are read in order: they hold
//! identifiers and positions only, never words of a record. The same store serves a device and a single server.
//!
//! What is in a store's folder:
//!
//! | name | what it is |
//! | --- | --- |
//! | `format` | the version of all of this, in words |
//! | `vault`, `vault.copy` | the store key, wrapped by the PIN or the keystore's key |
//! | `state` | where the journal begins, which index is in use, how the journal ended |
//! | `journal/*.seg` | every commit since the last release; `journal-*` after a repair |
//! | `index-*` | sled; can be made anew from the journal |
//! | `aside/` | what was damaged; never deleted by the store |
//! | `lock` | held by the process that has the store open |
//!
//! Outside it, and never in the same backup: `<store>.anchor`, and for a PIN `<store>.secret`,
//! which is kept twice.
//!
//! A store decides nothing about causality, access or time, and reads no clock. Files, the engine under the index and
//! random bytes are ports in [`Options`]; [`Solo`] is the same store without its thread.
//!
//! ```
//! use beatbook_core::store::{StoreError, Table};
//! use beatbook_store_sled::{AnchorPlace, Options, Store, Unlock};
//!
//! let folder = tempfile::tempdir()?;
//! let options = Options { anchor: AnchorPlace::Nowhere, ..Options::default() };
//! let (store, _) = Store::create(folder.path().join("store"), &Unlock::keystore([7; 32]), options)?;
//! store.commit(|transaction| {
//!     transaction.put(Table::Meta, "name", "value");
//!     Ok::<_, StoreError>(())
//! })?;
//! assert_eq!(store.read(|read| read.get(Table::Meta, b"name"))?, Some(b"value".to_vec()));
//! store.close()?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod anchor;
mod aside;
mod backup;
mod codec;
#[cfg(unix)]
pub mod control;
mod disk;
mod engine;
mod error;
mod index;
#[cfg(feature = "inspect")]
pub mod inspect;
mod journal;
mod random;
mod seal;
mod state;
mod store;
mod totals;
mod vault;

pub use anchor::{AnchorPlace, AnchorState};
pub use disk::{Disk, DiskFile, DiskLock, LockError, RealDisk};
pub use engine::{Engine, ModelEngine, RowBatch, RowRange, RowVisit, Rows, SledEngine};
pub use error::{BackupError, OpenError, RepairError, RestoreError};
pub use index::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
pub use random::{Random, SystemRandom};
pub use store::{
    BackupProgress, BackupReport, Job, Leases, Lost, Mended, OpenReport, Options, Rebuilt, RepairReport,
    RepairSource, RestoreReport, Size, Solo, Store, VerifyReport,
};
pub use vault::{PinCost, Unlock};
