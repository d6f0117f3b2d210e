//! What a PCSO writes: families, fields, vocabularies, checks and typed views.
//!
//! One schema table per family ([`schema`]) is the single source. From it come the checks on what is
//! written ([`check_write`]) and received ([`check_received`]), the typed builders ([`build`]) and the
//! documentation of the fields. Holds no store, no clock and no merge: merged state comes in as
//! [`MergedFields`].
//!
//! ```
//! use beatbook_proto::{ClockSource, Instant, RevisionKind, Stamp};
//! use beatbook_records::build::{Note, Setting};
//! use beatbook_records::vocabulary::{NoteKind, Role};
//! use beatbook_records::{MergedFields, Write, check_write};
//!
//! let now = Instant { utc_ms: 1_793_970_300_000, offset_min: 0 };
//! let note = Note::new(Setting::at("52/C02", now), NoteKind::Observation, "Two lads by the bus stop.");
//! let ops = note.ops().unwrap();
//! let write = Write {
//!     family: Note::FAMILY,
//!     kind: RevisionKind::CREATE,
//!     reason: None,
//!     ops: &ops,
//!     before: &MergedFields::new(),
//!     recorded_at: Stamp {
//!         utc_ms: now.utc_ms,
//!         offset_min: 0,
//!         source: ClockSource::NETWORK,
//!         uncertainty_ms: 200,
//!     },
//!     role: &Role::Pcso,
//! };
//! assert_eq!(check_write(&write), Ok(Vec::new()));
//! ```

pub mod build;
pub mod derive;
pub mod docs;
pub mod export;
pub mod field;
pub mod grid;
pub mod positions;
pub mod render;
pub mod schema;
pub mod search;
pub mod show;
pub mod time;
pub mod view;
pub mod vocabulary;

mod assignment;
mod check;
mod merged;
mod redact;

pub use assignment::{AssignmentError, assign};
pub use check::{
    Flag, Malformed, Problem, Received, Rule, Write, WriteError, check_received, check_write, flags,
    lowers_marking,
};
pub use merged::{
    MergedField, MergedFields, as_bool, as_code, as_instant, as_int, as_text, member_code, member_instant,
    member_int, member_text,
};
