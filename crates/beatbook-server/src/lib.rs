//! The server library: what the program `beatbookd` runs, and what a demonstration runs in its own process.
//!
//! [`ServerStore`] is a force's data folder: its keys, its register, its ledger. Administration works on it with or
//! without a running server. [`Server`] listens for devices and drives a session for each; it decides nothing about
//! causality, which is the core's, and nothing about bytes on the wire, which is the transport's.
//!
//! ```
//! use beatbook_server::{InitOptions, NewBeat, NewOfficer, ServeOptions, Server, ServerStore};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let data = folder.path().join("force");
//! let store = tokio::task::spawn_blocking(move || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
//!     let options = InitOptions::new(data, "52", "Avon and Somerset");
//!     let store = ServerStore::init(&options)?;
//!     store.import_beats(&[NewBeat::new("C02", "Stokes Croft", "Ashley")])?;
//!     store.add_officer(&NewOfficer::new("9123", "Sam Pike", "PCSO").on_beats(["C02"]))?;
//!     Ok(store)
//! })
//! .await?
//! .unwrap();
//!
//! let server = Server::start(store, ServeOptions::loopback()).await?;
//! let store = server.store().clone();
//! let address = server.local_addr().into();
//! let issued = tokio::task::spawn_blocking(move || store.issue_device("9123", "phone", &address, None)).await??;
//! assert!(issued.token.to_string().starts_with("BB1-"));
//! server.stop().await?;
//! # Ok(())
//! # }
//! ```

mod admin;
mod config;
mod enrolment;
mod growth;
mod http;
mod keys;
mod metrics;
pub mod policy;
mod server;
mod session;
mod store;
#[cfg(test)]
mod tests;

pub use admin::backup::{BackupFailed, BackupSummary, RestoreFailed, RestoreSummary, restore};
pub use admin::beats::{BeatFileError, read_beats};
pub use admin::check::{BookReport, CheckFailed, CheckReport};
pub use admin::register::{AdminError, BeatReport, DeviceRow, Issued, NewBeat, NewOfficer, OfficerRow};
pub use admin::repair::{LostFrames, MendedFile, RepairFailed, RepairSummary, repair};
pub use admin::status::{QuarantineRow, StatusReport};
pub use beatbook_quic::ServerAddress;
pub use config::{Config, ConfigError};
pub use keys::KeysError;
pub use server::{ServeOptions, Server, StartError, StopError};
pub use store::{InitError, InitOptions, OpenError, ServerStore};
