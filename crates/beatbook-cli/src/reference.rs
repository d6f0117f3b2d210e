//! Record names as officers write them. Only the form is read here; which record is meant, the notebook knows.

use std::fmt;

/// A record as it is named on the command line: `B07/118`, `new-3f2a/1` or `52/9123/B07/118`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordName {
    /// Force and collar number, where another officer's book is meant.
    owner: Option<(String, String)>,
    /// The book: its label, or `new-` and four digits before it has one.
    book: String,
    /// The entry number.
    entry: u64,
}

/// Why a text names no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a record: write it as B07/118, new-3f2a/1 or 52/9123/B07/118")]
pub(crate) struct NotARecord;

impl RecordName {
    /// Reads a name.
    pub(crate) fn parse(text: &str) -> Result<Self, NotARecord> {
        let parts: Vec<&str> = text.trim().split('/').collect();
        let (owner, book, entry) = match parts.as_slice() {
            [book, entry] => (None, *book, *entry),
            [force, collar, book, entry] => (Some((*force, *collar)), *book, *entry),
            _ => return Err(NotARecord),
        };
        let plain = |part: &str| {
            (1..=16).contains(&part.len())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let owner_fits = owner.is_none_or(|(force, collar)| {
            force.len() == 2 && force.bytes().all(|byte| byte.is_ascii_digit()) && plain(collar)
        });
        let digits = entry.len() <= 19 && entry.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| entry.parse::<u64>().ok()).flatten();
        match number {
            Some(entry) if entry > 0 && owner_fits && plain(book) => Ok(Self {
                owner: owner.map(|(force, collar)| (force.to_owned(), collar.to_uppercase())),
                book: book.to_owned(),
                entry,
            }),
            _ => Err(NotARecord),
        }
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((force, collar)) = &self.owner {
            write!(f, "{force}/{collar}/")?;
        }
        write!(f, "{}/{}", self.book, self.entry)
    }
}

#[cfg(test)]
mod tests;
