//! What the programs show: entries by their numbers, and how far they are told to be safe.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

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
