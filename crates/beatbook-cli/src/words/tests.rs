//! Numbers read like sentences.

use super::counted;

#[test]
fn one_is_one_and_others_are_many() {
    assert_eq!(counted(1, "record"), "1 record");
    assert_eq!(counted(0, "record"), "0 records");
    assert_eq!(counted(1, "entry"), "1 entry");
    assert_eq!(counted(21, "entry"), "21 entries");
}
