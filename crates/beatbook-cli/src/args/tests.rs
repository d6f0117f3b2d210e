//! The help reads as it was written, and arguments read as the contract says.

use clap::{CommandFactory as _, Parser as _};

use super::*;

fn read(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["beatbook"], arguments].concat())
}

#[test]
fn the_table_of_arguments_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_teaches_by_an_example_that_reads() {
    fn visit(command: &clap::Command, seen: &mut usize) {
        if command.has_subcommands() {
            return command
                .get_subcommands()
                .filter(|sub| sub.get_name() != "help")
                .for_each(|sub| visit(sub, seen));
        }
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let example = help
            .strip_prefix("Example: ")
            .unwrap_or_else(|| panic!("{}", command.get_name()));
        let typed = example.split(" > ").next().unwrap_or_default();
        read(&words(typed)[1..].iter().map(String::as_str).collect::<Vec<_>>())
            .unwrap_or_else(|error| panic!("{typed}: {error}"));
        *seen += 1;
    }
    let mut seen = 0;
    visit(&Cli::command(), &mut seen);
    assert!(seen >= 25, "{seen}");
}

/// Splits a line as a shell does, as far as the examples need it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(character),
        }
    }
    words.push(word);
    words
}

#[test]
fn the_first_help_is_a_page_to_start_from() {
    let help = Cli::command().term_width(100).render_help().to_string();
    insta::assert_snapshot!(help);
}

#[test]
fn the_help_of_a_command_names_what_it_takes() {
    let mut command = Cli::command().term_width(100);
    command.build();
    for name in ["note", "pull", "resolve", "strike"] {
        let sub = command.find_subcommand_mut(name).unwrap();
        insta::assert_snapshot!(name, sub.render_help().to_string());
    }
}

#[test]
fn wrong_usage_is_refused_with_code_2() {
    for arguments in [
        &["note"][..],
        &["note", "text"],
        &["amend", "B07/118", "--set", "body=x"],
        &["amend", "B07/118", "--reason", "x"],
        &["strike", "B07/118", "--reason", "x", "--initials", "SP"],
        &[
            "strike",
            "B07/118",
            "--text",
            "a",
            "--range",
            "1..2",
            "--reason",
            "x",
            "--initials",
            "SP",
        ],
        &[
            "strike",
            "B07/118",
            "--range",
            "9..2",
            "--reason",
            "x",
            "--initials",
            "SP",
        ],
        &["resolve", "B07/118", "--reason", "x"],
        &["show", "118"],
        &["list", "--since", "yesterday"],
        &["pull", "--format", "parquet"],
        &["fields", "NOTHING"],
        &["patrol", "fix", "--beat", "C02"],
        &["sync", "--wait"],
    ] {
        let error = read(arguments).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{arguments:?}");
    }
}

#[test]
fn positions_west_of_greenwich_are_no_options() {
    let Command::Patrol(Patrol::Fix(fix)) = read(&["patrol", "fix", "51.4,-2.5,8", "--beat", "C02"])
        .unwrap()
        .command
    else {
        panic!("another command");
    };
    assert_eq!(fix.fixes, ["51.4,-2.5,8"]);
}

#[test]
fn a_text_may_begin_with_a_dash_and_options_are_still_options() {
    for text in ["-", "- two lads by the stop", "--no reply"] {
        let Command::Note(note) = read(&["note", text, "--beat", "C02", "--draft"]).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(
            (note.text.as_str(), note.place.beat.as_str(), note.draft),
            (text, "C02", true)
        );
    }
    assert_eq!(read(&["note", "--help"]).unwrap_err().exit_code(), 0);
}
