//! What the programs show: entries by their numbers, how far they are told to be safe, and what is wrong with it, held
//! against what the officer was told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What is wrong with what is shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    /// An entry that the officer was told of is not there, or elsewhere.
    #[error("{word} was acknowledged as entry {number}, and is at {found:?}")]
    Elsewhere {
        word: String,
        number: u64,
        found: Vec<u64>,
    },
    /// A number was left out.
    #[error("entry {0} is not there, and later ones are")]
    Gap(u64),
    /// Nobody wrote that.
    #[error("nobody wrote {0}")]
    Stranger(String),
    /// A write that was cut is there more than once.
    #[error("{word} is there more than once: {found:?}")]
    Twice { word: String, found: Vec<u64> },
    /// Shown as safe, and not at the server.
    #[error("shown as safe and not at the server: {0:?}")]
    Unsafe(Vec<u64>),
}

/// Holds entries by number against what was told, and against what may be there or not.
pub(super) fn judge(
    held: &BTreeMap<u64, String>,
    told: &BTreeMap<String, u64>,
    cut: &BTreeSet<String>,
) -> Result<(), Wrong> {
    let mut places: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (number, word) in held {
        places.entry(word).or_default().push(*number);
    }
    for (word, number) in told {
        let found = places.remove(word.as_str()).unwrap_or_default();
        if found != [*number] {
            let (word, number) = (word.clone(), *number);
            return Err(Wrong::Elsewhere { word, number, found });
        }
    }
    for (word, found) in places {
        if !cut.contains(word) {
            return Err(Wrong::Stranger(word.to_owned()));
        }
        if found.len() > 1 {
            let word = word.to_owned();
            return Err(Wrong::Twice { word, found });
        }
    }
    match (FIRST_NOTE..)
        .zip(held.keys())
        .find(|(due, number)| due != *number)
    {
        Some((due, _)) => Err(Wrong::Gap(due)),
        None => Ok(()),
    }
}

/// Demands that every entry up to the one that was shown as safe is among those at the server.
pub(super) fn judge_safe(at_server: &BTreeMap<u64, String>, safe: u64) -> Result<(), Wrong> {
    let missing: Vec<u64> = (FIRST_NOTE..=safe)
        .filter(|number| !at_server.contains_key(number))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Wrong::Unsafe(missing))
    }
}

/// The words of a listing by entry number. All of it is of one book.
pub(super) fn numbers(listing: &[Value]) -> BTreeMap<u64, String> {
    let mut held = BTreeMap::new();
    let mut books = BTreeSet::new();
    for record in listing {
        let reference = record.get("record").and_then(Value::as_str);
        let reference = reference.unwrap_or_else(|| panic!("no reference in {record}"));
        let body = record.pointer("/fields/body").and_then(Value::as_str);
        let body = body.unwrap_or_else(|| panic!("no body in {record}"));
        books.insert(reference.rsplit('/').nth(1).unwrap_or_default().to_owned());
        let before = held.insert(number_of(reference), body.to_owned());
        assert_eq!(before, None, "{reference} is there twice");
    }
    assert!(books.len() <= 1, "a kill opens no new book: {books:?}");
    held
}

/// `B07/118` and `52/9123/B07/118` are entry 118.
pub(super) fn number_of(reference: &str) -> u64 {
    let number = reference.rsplit('/').next().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no entry number in {reference}"))
}

/// The highest entry of the book that a watch told of as safe, in a line that came whole.
pub(super) fn safe_shown(stdout: &str) -> u64 {
    let whole = stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let events = whole
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let safe = events.filter_map(|event| {
        let of_book = event.get("book")?.as_str()?.starts_with('B');
        let is_safe = event.get("event")?.as_str()? == "safe";
        (of_book && is_safe)
            .then(|| event.get("upto")?.as_u64())
            .flatten()
    });
    safe.max().unwrap_or(0)
}

/// Entry 1 opens the book.
pub(super) const FIRST_NOTE: u64 = 2;

#[cfg(test)]
mod tests;
