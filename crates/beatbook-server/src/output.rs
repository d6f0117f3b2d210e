//! Where results and diagnostics go, and how they look.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use beatbook_store_sled::control::{Reply, Request};
use serde::Serialize;

use crate::commands::Failed;

/// The outputs of a command, and the folder that it was typed in.
pub(crate) struct Io {
    /// Results.
    pub(crate) out: Box<dyn Write + Send>,
    /// Diagnostics.
    pub(crate) err: Box<dyn Write + Send>,
    /// True where a person watches the diagnostics.
    pub(crate) terminal: bool,
    folder: PathBuf,
}

impl Io {
    /// Of this process.
    pub(crate) fn terminal() -> Self {
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            terminal: io::stderr().is_terminal(),
            folder: PathBuf::new(),
        }
    }

    /// Of a command that came over the control socket.
    pub(crate) fn of(request: &Request, reply: &Reply) -> Self {
        Self {
            out: Box::new(reply.stdout()),
            err: Box::new(reply.stderr()),
            terminal: request.variable(TERMINAL) == Some("1"),
            folder: request.folder.clone(),
        }
    }

    /// A path as whoever typed it meant it.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Prints one line of results.
    pub(crate) fn line(&mut self, line: impl AsRef<str>) -> Result<(), Failed> {
        // In one piece: over the control socket each write is a message.
        let line = format!("{}\n", clean(line.as_ref()));
        self.out.write_all(line.as_bytes()).map_err(Failed::Output)
    }

    /// Prints one object of results.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> Result<(), Failed> {
        let mut line = serde_json::to_string(value).map_err(|error| Failed::Output(error.into()))?;
        line.push('\n');
        self.out.write_all(line.as_bytes()).map_err(Failed::Output)
    }

    /// Says something to whoever watches.
    pub(crate) fn say(&mut self, line: impl AsRef<str>) {
        // A diagnostic that cannot be shown changes nothing of what was done.
        let _ = self.err.write_all(format!("{}\n", line.as_ref()).as_bytes());
    }

    /// Prints a table with a head, its columns as wide as they need.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failed> {
        let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let spell = |cells: &mut dyn Iterator<Item = &str>| {
            let padded = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let mut text = spell(&mut head.iter().copied());
        for row in rows {
            text.push('\n');
            text.push_str(&clean(&spell(&mut row.iter().map(String::as_str))));
        }
        text.push('\n');
        self.out.write_all(text.as_bytes()).map_err(Failed::Output)
    }
}

/// Says what went wrong, and returns the exit status.
pub(crate) fn fail(io: &mut Io, error: &Failed) -> u8 {
    match error {
        // The holder has said it already.
        Failed::Told(code) => *code,
        error => {
            io.say(format!("beatbookd: {error}"));
            if let Some(remedy) = error.remedy() {
                io.say(remedy);
            }
            if error.is_usage() { 2 } else { 1 }
        }
    }
}

/// Takes out what steers a terminal: names come from files and from other people.
fn clean(text: &str) -> String {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|character| if steers(character) { '?' } else { character })
        .collect()
}

/// Tells the holder that a person watches.
pub(crate) const TERMINAL: &str = "BEATBOOK_TERMINAL";
