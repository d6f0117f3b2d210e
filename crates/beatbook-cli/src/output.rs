//! Where answers go: results to standard output, diagnostics to standard error, as tables, lines or JSON Lines.
//!
//! The same code answers a command that came by the control socket of a held notebook: both streams are then
//! captured and sent back.

pub(crate) mod plain;

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use plain::{one_line, plain_text};

/// What is at the other end of the streams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Columns of the terminal on standard output; `None` where it is none.
    pub(crate) columns: Option<u16>,
    /// Standard error is a terminal: progress may be drawn.
    pub(crate) progress: bool,
}

/// The two streams of a command, and how it shall answer.
pub(crate) struct Output<'a> {
    out: &'a mut (dyn Write + Send),
    err: &'a mut (dyn Write + Send),
    json: bool,
    terminal: Terminal,
}

impl<'a> Output<'a> {
    /// Answers on these streams.
    pub(crate) fn new(
        out: &'a mut (dyn Write + Send),
        err: &'a mut (dyn Write + Send),
        json: bool,
        terminal: Terminal,
    ) -> Self {
        Self {
            out,
            err,
            json,
            terminal,
        }
    }

    /// Prints lines of a result; what could steer a terminal is taken out.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", plain_text(text))
    }

    /// Prints bytes of a result as they are: a file format, a script.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Prints one JSON object on a line of its own.
    pub(crate) fn object(&mut self, object: &Value) -> io::Result<()> {
        writeln!(self.out, "{}", plain::json_line(object))
    }

    /// Prints the reference of a record that was written: alone, or `{"record": ..}`.
    pub(crate) fn record(&mut self, reference: &str) -> io::Result<()> {
        match self.json {
            true => self.object(&serde_json::json!({ "record": reference })),
            false => self.text(reference),
        }
    }

    /// Prints a table: one row a record; nothing of it where there are no rows.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        match self.terminal.columns {
            // Below this a cell would be a letter wide; the terminal's own wrapping reads better.
            Some(columns) if columns >= 60 => {
                table.set_content_arrangement(ContentArrangement::Dynamic);
                table.set_width(columns);
            }
            _ => {
                table.set_content_arrangement(ContentArrangement::Disabled);
            }
        }
        table.set_header(headings.iter().copied());
        for row in rows {
            table.add_row(row.iter().map(|cell| one_line(cell)));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim())?;
        }
        Ok(())
    }

    /// Says something beside the result, on standard error.
    pub(crate) fn remark(&mut self, text: &str) {
        // A closed standard error must not end a command that has its work to do.
        let _ = writeln!(self.err, "{}", plain_text(text));
    }

    /// Says something beside the result where there is none to read it but a person.
    pub(crate) fn hint(&mut self, text: &str) {
        if !self.json {
            self.remark(text);
        }
    }

    /// Hands on what was printed so far.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.err.flush()
    }

    /// Whether scripts read the answer.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// What is at the other end.
    pub(crate) fn terminal(&self) -> Terminal {
        self.terminal
    }
}

#[cfg(test)]
mod tests;
