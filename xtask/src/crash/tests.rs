//! Tests of what is passed on to the crash program.

use clap::Parser;

use super::Args;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn words(line: &str) -> Option<Vec<String>> {
    let line = Line::try_parse_from(line.split(' ')).ok()?;
    Some(line.args.words())
}

#[test]
fn a_request_becomes_a_command_of_the_program() {
    for (line, expected) in [
        ("crash --images 60", "images --images 60"),
        (
            "crash --kills 200 --seed 7 --json out",
            "kills --kills 200 --seed 7 --json out",
        ),
        ("crash --flips 500", "flips --flips 500"),
        ("crash --storm 4", "storm --rounds 4"),
        ("crash --nth -- --every 5", "nth --every 5"),
    ] {
        let expected: Vec<_> = expected.split(' ').map(str::to_owned).collect();
        assert_eq!(words(line), Some(expected), "{line}");
    }
}

#[test]
fn exactly_one_kind_of_run_is_asked_for() {
    assert_eq!(words("crash"), None);
    assert_eq!(words("crash --nth --images 3"), None);
}
