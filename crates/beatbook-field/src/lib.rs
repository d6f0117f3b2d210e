//! The field library: the notebook on a device and its sync agent.
//!
//! What an app links. A [`Notebook`] is an encrypted store in a folder, of one officer on one device. Every write
//! returns when it is durable there and waits for no network; a [`SyncAgent`] syncs it whenever the server can be
//! reached. The crates below are re-exported as far as an app meets their types: [`records`] for builders and fields,
//! [`proto`] for ids and values.
//!
//! # The API in brief
//!
//! | to | call |
//! | --- | --- |
//! | enrol, once | [`Notebook::enrol`] with a [`Token`] |
//! | open | [`Notebook::open`] with an [`Unlock`]; [`is_notebook`] says whether there is one |
//! | write | [`Notebook::notes`], [`Notebook::contacts`], [`Notebook::patrol`], or [`Notebook::found`] for any family |
//! | read | [`Notebook::find`] a reference such as `B07/118`, [`Notebook::read`] it: a [`Read`] with its `token` |
//! | change | `amend`, `supplement`, `strike`, `strike_words`, `sign`, `annotate`, `state`, `void`, `resolve`, each with the token |
//! | list, search | [`Notebook::list`] a [`Query`], [`Notebook::search`] words, [`Notebook::subscribe`] to changes |
//! | know how it stands | [`Notebook::status`], [`Notebook::coverage`], [`Notebook::events`] |
//! | sync | [`SyncAgent::spawn`] to stay in touch, [`sync_once`] for once with progress and a report |
//! | look after it | [`Notebook::close`], [`Notebook::change_pin`], [`Notebook::size`], [`Notebook::verify`], [`Notebook::check`] |
//!
//! Calls block; [`Notebook::off_thread`] runs one beside an async runtime. Exactly one process holds a store: a second
//! one gets `Locked`.
//!
//! # A shift, briefly
//!
//! ```no_run
//! use beatbook_field::records::build::{Contact, Location, Setting};
//! use beatbook_field::records::vocabulary::Strand;
//! use beatbook_field::{Notebook, Options, Query, SyncAgent, Unlock};
//!
//! # async fn shift() -> Result<(), Box<dyn std::error::Error>> {
//! let book = Notebook::open("store", &Unlock::pin("2580"), Options::default())?;
//! let mut setting = Setting::at("52/C02", book.now());
//! setting.location = Some(Location::named("the bandstand"));
//! let contact = Contact { strand: Strand::Consult, ..Contact::at(setting) };
//! let written = book.contacts().record(contact)?; // durable here
//! let seen = book.read(written.record)?; // what the officer saw: its token goes with the amendment
//! # let ops = Vec::new();
//! book.amend(&seen.token, "wrong house number", ops)?; // refused if two versions wait to be resolved
//! let agent = SyncAgent::spawn(book.clone()); // syncs by itself from here on
//! agent.network_available(true); // a hint; it also finds out by itself
//! let status = book.status()?; // safe, pending, quarantined, last receipt, coverage
//! let mut changes = book.subscribe(Query::beat("52/C02")); // live merged records
//! # Ok(())
//! # }
//! ```

mod agent;
mod check;
mod clock;
mod enrol;
mod event;
#[cfg(test)]
mod fixtures;
mod identity;
mod index;
mod lease;
mod notebook;
mod query;
mod record;
mod reference;
mod show;
mod status;
mod write;

pub use agent::{Blame, Progress, SyncAgent, SyncError, SyncOptions, SyncReport, sync_once};
pub use beatbook_core::ledger::{LedgerError, ReadToken};
pub use beatbook_core::merge::Concurrency;
pub use beatbook_core::register::EnrolledAs;
pub use beatbook_core::store::StoreError;
pub use beatbook_proto as proto;
pub use beatbook_quic::{DeviceKey, DialError, DialOptions, IdentityError, ServerAddress, Token, TokenError};
pub use beatbook_records as records;
pub use beatbook_store_sled::{
    AnchorPlace, AnchorState, Lost, Mended, OpenError as StoreOpenError, OpenReport, Options, PinCost,
    RepairError, RepairReport, RepairSource, Size, Unlock, VerifyReport, control,
};
pub use check::{CheckProblem, CheckReport};
pub use enrol::EnrolError;
pub use event::{Event, NewBook};
pub use identity::Credentials;
pub use notebook::{Changes, FindError, Notebook, OpenError, ReadError, Update, is_notebook};
pub use query::{Officer, Page, Place, Query};
pub use record::{FieldVersions, Read, Record, Revised, Safety};
pub use reference::{Reference, ReferenceError};
pub use status::{AllSafe, BookStatus, Coverage, Status};
pub use write::{Contacts, Notes, Patrol, WriteError, Written};
