//! Nothing that a record says reaches the terminal as an order.

use super::*;

#[test]
fn escape_sequences_are_taken_out() {
    assert_eq!(
        plain_text("a\u{1b}[2Jb\u{9b}31mc\u{7f}\rd"),
        "a\u{fffd}[2Jb\u{fffd}31mc\u{fffd}\u{fffd}d"
    );
    assert_eq!(plain_text("two\nlines\tand a tab"), "two\nlines and a tab");
}

#[test]
fn nothing_turns_the_reading_order() {
    for mark in [
        '\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}', '\u{feff}', '\u{2028}', '\u{200b}',
    ] {
        assert_eq!(plain_text(&format!("x{mark}y")), "x\u{fffd}y");
    }
}

#[test]
fn ordinary_text_stays() {
    let text = "Zo\u{eb} said \u{201c}over there\u{201d} \u{2014} \u{a3}5, \u{1f6b2}";
    assert_eq!(plain_text(text), text);
}

#[test]
fn a_cell_is_one_line() {
    assert_eq!(one_line("first\nsecond\n\n"), "first / second");
}

#[test]
fn json_says_the_same_and_steers_nothing() {
    let object = serde_json::json!({ "body": "a\u{1b}b\u{9b}c\u{202e}d\u{e9}" });
    let line = json_line(&object);
    assert!(!line.chars().any(steers));
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), object);
}
