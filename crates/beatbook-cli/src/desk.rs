//! Runs a command on an open notebook: here, or for another process that came by the control socket.

use std::path::Path;

use beatbook_field::{Notebook, SyncAgent, Unlock};
use tokio::runtime::Handle;

use crate::args::{Command, Pin};
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::{patrol, read, resolve, sync, write};

/// An open notebook, and what a command on it needs besides its arguments.
pub(crate) struct Desk<'a> {
    /// The notebook.
    pub(crate) book: &'a Notebook,
    /// The agent that syncs it, where this process stays.
    pub(crate) agent: Option<&'a SyncAgent>,
    /// Where to run what waits for the network.
    pub(crate) runtime: &'a Handle,
    /// Where relative paths begin.
    pub(crate) folder: &'a Path,
    /// False once nobody waits for the answer any more.
    pub(crate) wanted: &'a (dyn Fn() -> bool + Send + Sync),
    /// The present PIN and the one to be, for `pin change`.
    pub(crate) pins: Option<(Unlock, Unlock)>,
}

/// Runs a command.
pub(crate) fn run(desk: &Desk<'_>, command: &Command, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let book = desk.book;
    match command {
        Command::Note(arguments) => write::note(book, arguments, output),
        Command::Contact(arguments) => write::contact(book, arguments, output),
        Command::Patrol(arguments) => patrol::run(book, arguments, desk.folder, output),
        Command::Amend(arguments) => write::amend(book, arguments, output),
        Command::Supplement(arguments) => write::supplement(book, arguments, output),
        Command::Strike(arguments) => write::strike(book, arguments, output),
        Command::Sign(arguments) => write::sign(book, arguments, output),
        Command::Void(arguments) => write::void(book, arguments, output),
        Command::Show(arguments) => read::show(book, arguments, output),
        Command::List(arguments) => read::list(book, arguments, output),
        Command::Search(arguments) => read::search(book, arguments, output),
        Command::Status => read::status(book, output),
        Command::Sync(arguments) => sync::sync(desk, arguments, output),
        Command::Pull(arguments) => sync::pull(desk, arguments, output),
        Command::Conflicts(arguments) => read::conflicts(book, arguments, output),
        Command::Resolve(arguments) => resolve::run(book, arguments, output),
        Command::Pin(Pin::Change(_)) => change_pin(desk, output),
        Command::Check => read::check(book, output),
        Command::Enrol(_)
        | Command::Fields(_)
        | Command::Completions(_)
        | Command::Demo(_)
        | Command::Repair => Err(Failure::Usage(
            "this command needs no open notebook: run it by itself".to_owned(),
        )),
    }
}

fn change_pin(desk: &Desk<'_>, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let Some((old, new)) = &desk.pins else {
        return Err(Failure::Usage(
            "the PINs did not come along: give both".to_owned(),
        ));
    };
    desk.book
        .change_pin(old, new)
        .map_err(|error| Failure::Pin(Box::new(error)))?;
    match output.json() {
        true => output.object(&serde_json::json!({ "changed": true }))?,
        false => output.remark("the PIN was changed"),
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests;
