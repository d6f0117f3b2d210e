//! Each thing that may be wrong is shown to the judge, and nothing else.

use serde_json::json;

use super::*;

fn held(words: &[&str]) -> BTreeMap<u64, String> {
    (FIRST_NOTE..)
        .zip(words.iter().map(|word| (*word).to_owned()))
        .collect()
}

fn told(words: &[(&str, u64)]) -> BTreeMap<String, u64> {
    words
        .iter()
        .map(|(word, number)| ((*word).to_owned(), *number))
        .collect()
}

fn cut(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn what_was_told_is_there_once_and_what_was_cut_may_be() {
    let told = told(&[("a", 2), ("c", 4)]);
    assert_eq!(judge(&held(&["a", "b", "c"]), &told, &cut(&["b", "d"])), Ok(()));
}

#[test]
fn what_is_lost_moved_twice_strange_or_left_out_is_named() {
    let told = told(&[("a", 2)]);
    let elsewhere = |found: &[u64]| Wrong::Elsewhere {
        word: "a".to_owned(),
        number: 2,
        found: found.to_vec(),
    };
    let b = cut(&["b"]);
    assert_eq!(judge(&held(&["b"]), &told, &b), Err(elsewhere(&[])));
    assert_eq!(judge(&held(&["b", "a"]), &told, &b), Err(elsewhere(&[3])));
    assert_eq!(judge(&held(&["a", "a"]), &told, &b), Err(elsewhere(&[2, 3])));
    assert_eq!(
        judge(&held(&["a", "x"]), &told, &b),
        Err(Wrong::Stranger("x".to_owned()))
    );
    let twice = Wrong::Twice {
        word: "b".to_owned(),
        found: vec![3, 4],
    };
    assert_eq!(judge(&held(&["a", "b", "b"]), &told, &b), Err(twice));
    let mut gap = held(&["a"]);
    gap.insert(4, "b".to_owned());
    assert_eq!(judge(&gap, &told, &b), Err(Wrong::Gap(3)));
}

#[test]
fn what_was_shown_as_safe_is_asked_for_at_the_server() {
    let at_server = held(&["a", "b"]);
    assert_eq!(judge_safe(&at_server, 3), Ok(()));
    assert_eq!(judge_safe(&at_server, 5), Err(Wrong::Unsafe(vec![4, 5])));
}

#[test]
fn listings_and_events_are_read() {
    let listing = [
        json!({"record": "52/9123/B01/3", "fields": {"body": "b"}}),
        json!({"record": "52/9123/B01/2", "fields": {"body": "a"}}),
    ];
    assert_eq!(numbers(&listing), held(&["a", "b"]));
    let said = "{\"event\":\"safe\",\"book\":\"B01\",\"upto\":7}\n{\"event\":\"safe\",\"book\":\"T01\",\"upto\":9}\n{\"event\":\"safe\",\"book\":\"B01\",\"upto\":8";
    assert_eq!(
        safe_shown(said),
        7,
        "the trace is another book, and half a line says nothing"
    );
}
