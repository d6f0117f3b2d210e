//! The list reads, line by line.

use super::*;

#[test]
fn every_line_is_understood() {
    let meant = LINES
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    assert_eq!(
        lines().count(),
        meant.count(),
        "a line of open.txt is not `size seed what is known`"
    );
    for (size, seed, what) in lines() {
        assert_eq!(known(size, seed), Some(what), "seed {seed} is there twice");
    }
}
