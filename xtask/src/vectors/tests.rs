//! A difference is found at its line.

use super::*;

#[test]
fn the_first_difference_is_found_at_its_line() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(first_difference("", "a\n"), Some(1));
    assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
    assert_eq!(first_difference("a\n", "a\nb\n"), Some(2));
    assert_eq!(first_difference("a", "a\n"), Some(2));
}
