//! What is read from files and from output, and what the page says of it.

use serde_json::json;

use super::outcome::{Outcome, Table};
use super::page::Page;
use super::*;

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn figures_are_read_from_what_was_printed() {
    let said = lines(
        "10 of 20 seeds\n{\n  \"seeds\": 2000,\n  \"rate\": 12.25,\n  \"failing\": [],\n  \"faults\": {\n    \"kill\": 7\n  }\n}\n2,000 seeds, 0 lost\n",
    );
    let outcome = Outcome::of_output("sim", "cargo xtask sim", true, 3, &said);
    assert_eq!(outcome.summary, "2,000 seeds, 0 lost");
    assert!(outcome.figures.contains(&("seeds".to_owned(), json!(2000))));
    assert!(outcome.figures.contains(&("failing".to_owned(), json!(0))));
    let faults = Table {
        title: "faults".to_owned(),
        columns: vec!["name".to_owned(), "count".to_owned()],
        rows: vec![vec![json!("kill"), json!(7)]],
    };
    assert_eq!(outcome.tables, [faults]);
    assert_eq!(Outcome::read(&outcome.json()), Some(outcome));
}

#[test]
fn a_list_of_objects_is_a_table() {
    let said =
        lines("found a\n[\n  {\n    \"bug\": \"a\",\n    \"found_in\": 3\n  }\n]\n1/1 planted bugs found");
    let outcome = Outcome::of_output("planted", "cargo xtask sim --planted", true, 1, &said);
    assert_eq!(outcome.tables[0].columns, ["bug", "found in"]);
    assert_eq!(outcome.tables[0].rows, [[json!("a"), json!(3)]]);
}

#[test]
fn what_is_no_outcome_is_refused() {
    for text in ["", "{}", "[1]", "{\"name\": \"sim\"}"] {
        assert_eq!(Outcome::read(text), None);
    }
}

#[test]
fn the_page_shows_what_failed_and_what_was_not_run() {
    let outcome =
        |name: &str, passed| Outcome::of_output(name, "cargo xtask x", passed, 1_234, &lines("0 | lost"));
    let outcomes = [outcome("sim", true), outcome("kills", false)];
    let page = Page {
        commit: "0123456789ab".to_owned(),
        cores: 2,
        outcomes: &outcomes,
    };
    let page = page.to_string();
    assert!(page.contains("| sim | passed | 0 \\| lost |"), "{page}");
    assert!(page.contains("| kills | **FAILED** |"), "{page}");
    assert!(page.contains("| fuzz | **not run** |"), "{page}");
    assert!(page.contains("It took 1,234 s."), "{page}");
}

#[test]
fn every_run_has_its_own_name_and_a_campaign_is_no_smaller_than_a_look() {
    for (at, run) in RUNS.iter().enumerate() {
        assert!(RUNS[..at].iter().all(|earlier| earlier.name != run.name));
        let sizes = |arguments: &[&str]| {
            arguments
                .iter()
                .filter_map(|word| word.parse::<u64>().ok())
                .sum::<u64>()
        };
        assert!(sizes(run.campaign) >= sizes(run.look), "{}", run.name);
    }
}
