//! The index against what it claims: found by the start of words, forgotten when removed, bounded by nothing else.

use std::collections::BTreeSet;

use super::words::{Words, all_within, words_of};

fn set(text: &str) -> BTreeSet<String> {
    words_of(text).collect()
}

#[test]
fn words_are_folded_alike_however_they_are_typed() {
    assert_eq!(
        set("Cafe\u{301} IN the HIGH-street"),
        set("caf\u{e9} in the high street")
    );
    assert_eq!(set("\u{ff21}\u{ff22}1"), set("ab1"));
}

#[test]
fn a_record_is_found_by_the_start_of_every_word() {
    let mut words = Words::default();
    words.add(1, set("parking by the school gate")).unwrap();
    words.add(2, set("parked van at the gate")).unwrap();
    assert_eq!(words.find("park gat"), BTreeSet::from([1, 2]));
    assert_eq!(words.find("parki GATE"), BTreeSet::from([1]));
    assert_eq!(words.find("parking van"), BTreeSet::new());
    assert_eq!(words.find("  "), BTreeSet::new());
}

#[test]
fn a_record_that_is_removed_is_found_no_more() {
    let mut words = Words::default();
    let held = words.add(1, set("blue bicycle")).unwrap();
    words.add(2, set("red bicycle")).unwrap();
    words.remove(1, &held);
    assert_eq!(words.find("bicycle"), BTreeSet::from([2]));
    assert_eq!(words.find("blue"), BTreeSet::new());
}

#[test]
fn no_words_wanted_is_no_match() {
    assert!(!all_within(&set("gate"), " - "));
    assert!(all_within(&set("the gate"), "ga th"));
}
