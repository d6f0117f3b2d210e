//! The targets, one module each, and their table in order of name.

mod certificate;
mod control;
mod decode;
mod file;
mod intake;
mod journal;
mod merge;
mod record;
mod repair;
mod seal;
mod session;
mod settings;
mod store;
mod stream;
mod text;
mod track;
mod unpack;

use crate::Target;

/// Every target, in order of name.
pub const ALL: &[Target] = &[
    of("certificate", certificate::run, certificate::seeds),
    of("control", control::run, control::seeds),
    of("decode", decode::run, decode::seeds),
    of("file", file::run, file::seeds),
    of("intake", intake::run, intake::seeds),
    of("journal", journal::run, journal::seeds),
    of("merge", merge::run, merge::seeds),
    of("record", record::run, record::seeds),
    of("repair", repair::run, repair::seeds),
    of("seal", seal::run, seal::seeds),
    of("session", session::run, session::seeds),
    of("settings", settings::run, settings::seeds),
    of("store", store::run, store::seeds),
    of("stream", stream::run, stream::seeds),
    of("text", text::run, text::seeds),
    of("track", track::run, track::seeds),
    of("unpack", unpack::run, unpack::seeds),
];

const fn of(name: &'static str, run: fn(&[u8]), seeds: fn() -> Vec<Vec<u8>>) -> Target {
    Target { name, run, seeds }
}
