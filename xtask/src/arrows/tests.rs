//! The table is sound, and each rule is shown a graph that breaks it.

use super::*;
use graph::Member;

fn member(package: &str, names: &[&str]) -> Member {
    Member {
        package: package.to_owned(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
    }
}

fn assert_one(members: &[Member], words: &str) {
    let faults = graph::faults(members);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains(words), "{faults:?}");
}

#[test]
fn the_table_allows_only_downward_arrows() {
    for room in house::HOUSE {
        for name in room.may_name {
            let below = house::HOUSE.iter().find(|other| other.package == *name);
            assert!(
                below.is_some_and(|below| below.level < room.level),
                "{} -> {name}",
                room.package
            );
        }
    }
}

#[test]
fn a_graph_as_designed_passes() {
    let members = [
        member("beatbook-proto", &["bincode", "serde"]),
        member("beatbook-store-sled", &["beatbook-core", "sled"]),
        member("beatbook-bench", &["beatbook-field", "sled"]),
    ];
    assert_eq!(graph::faults(&members), Vec::<String>::new());
}

#[test]
fn an_upward_arrow_and_one_within_a_level_are_found() {
    assert_one(&[member("beatbook-proto", &["beatbook-core"])], "only downward");
    assert_one(&[member("beatbook-quic", &["beatbook-core"])], "only downward");
    assert_one(&[member("beatbook-field", &["beatbook-server"])], "only downward");
}

#[test]
fn a_downward_arrow_that_was_not_designed_is_found() {
    assert_one(
        &[member("beatbook-cli", &["beatbook-store-sled"])],
        "not an arrow of the design",
    );
}

#[test]
fn a_dependency_outside_its_fence_is_found() {
    assert_one(
        &[member("beatbook-field", &["sled"])],
        "only beatbook-store-sled may",
    );
    assert_one(
        &[member("beatbook-server", &["rustls"])],
        "only beatbook-quic may",
    );
    assert_one(
        &[member("beatbook-core", &["bincode"])],
        "only beatbook-proto may",
    );
    assert_one(
        &[member("beatbook-server", &["tokio-postgres"])],
        "only beatbook-store-postgres may",
    );
}

#[test]
fn a_crate_outside_the_table_is_found() {
    assert_one(&[member("beatbook-attic", &[])], "not in the table");
}

#[test]
fn an_impure_package_within_reach_is_found() {
    let reached = ["serde".to_owned(), "getrandom".to_owned()];
    let faults = reach::faults("beatbook-core", &reached);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].contains("beatbook-core reaches getrandom"),
        "{faults:?}"
    );
}

#[test]
fn an_impure_module_of_std_is_found_in_code_only() {
    assert_eq!(reach::impure_module("use std::time::Instant;"), Some("time"));
    assert_eq!(reach::impure_module("    std::fs::read(path)"), Some("fs"));
    assert_eq!(reach::impure_module("// std::time is not read here"), None);
    assert_eq!(reach::impure_module("use core::time::Duration;"), None);
    assert_eq!(reach::impure_module("use std::iter::once;"), None);
}

#[test]
fn the_reach_of_the_lowest_crate_is_read_from_the_real_tree() {
    let tree = Tree::locate().expect("the repository is there");
    let reached = reach::reached(&tree, "beatbook-proto").expect("cargo resolves the lowest crate");
    assert!(reached.iter().any(|name| name == "beatbook-proto"), "{reached:?}");
    assert!(reached.iter().any(|name| name == "serde"), "{reached:?}");
}
