//! What is explained is what the tables say.

use super::*;
use crate::args::Family;
use crate::output::Terminal;

fn printed(json: bool, print: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    print(&mut Output::new(&mut out, &mut err, json, Terminal::default())).unwrap();
    assert!(err.is_empty());
    String::from_utf8(out).unwrap()
}

#[test]
fn every_family_is_explained_with_all_its_fields_and_words() {
    for spec in schema::FAMILIES {
        let family = <Family as clap::ValueEnum>::from_str(spec.name, true).unwrap();
        assert_eq!(family.word(), spec.name);
        let arguments = Fields { family: Some(family) };
        let text = printed(false, |output| fields(&arguments, output));
        for field in spec.all_fields() {
            assert!(
                text.contains(field.name) && text.contains(field.doc),
                "{}",
                field.name
            );
            if let Kind::Code(vocabulary) = field.kind {
                assert!(vocabulary.words.iter().all(|word| text.contains(word.code)));
            }
        }
        let lines = printed(true, |output| fields(&arguments, output));
        for line in lines.lines() {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(object["family"], spec.name);
            assert!(object["field"].is_string() && object["takes"].is_string());
        }
    }
}

#[test]
fn the_overview_names_every_family() {
    insta::assert_snapshot!(printed(false, |output| fields(&Fields { family: None }, output)));
}

#[test]
fn completions_know_every_command() {
    for shell in [
        clap_complete::Shell::Bash,
        clap_complete::Shell::Zsh,
        clap_complete::Shell::Fish,
    ] {
        let script = printed(false, |output| completions(&Completions { shell }, output));
        for command in Cli::command().get_subcommands() {
            assert!(script.contains(command.get_name()), "{}", command.get_name());
        }
    }
}
