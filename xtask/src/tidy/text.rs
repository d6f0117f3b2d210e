//! Rules about lines: headers, sizes, characters, words.

use super::{Finding, Source};

/// Every module opens with `//!`, saying what it holds and what it does not.
pub(super) fn opens_with_doc(source: &Source<'_>, found: &mut Vec<Finding>) {
    let header = source
        .text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("//!"))
        .unwrap_or("");
    if header.trim().len() < HEADER_CHARS_MIN {
        found.push(source.error(1, "the module has no `//!` on its first line: say what it holds"));
    }
}

/// 500 lines is the time to split a file, 800 the end of it. Generated files and tables are exempt.
pub(super) fn file_length(source: &Source<'_>, found: &mut Vec<Finding>) {
    let lines = source.text.lines().count();
    if lines > LINES_MAX && !is_table(source) {
        found.push(source.error(
            LINES_MAX + 1,
            format!("{lines} lines, at most {LINES_MAX}: split the file by noun"),
        ));
    } else if lines > LINES_ADVISED && !is_table(source) {
        found.push(source.warning(
            LINES_ADVISED + 1,
            format!("{lines} lines: past {LINES_ADVISED} is the time to split by noun"),
        ));
    }
}

/// `foo.rs` beside `foo/`, never `foo/mod.rs`; no drawer for odds and ends.
pub(super) fn file_name(source: &Source<'_>, found: &mut Vec<Finding>) {
    let name = source.path.rsplit('/').next().unwrap_or(source.path);
    if name == "mod.rs" {
        found.push(source.error(
            1,
            "a mod.rs: name the file after its module and put it beside the folder",
        ));
    }
    if DRAWERS.contains(&name.trim_end_matches(".rs")) {
        found.push(source.error(
            1,
            format!("a file called {name} collects odds and ends: name it for what it holds"),
        ));
    }
}

/// Source is ASCII; a test that needs another character escapes it.
pub(super) fn ascii(source: &Source<'_>, found: &mut Vec<Finding>) {
    for (number, line) in numbered(source.text) {
        if let Some(character) = line.chars().find(|character| !character.is_ascii()) {
            let escape = character.escape_unicode();
            found.push(source.error(
                number,
                format!("a character outside ASCII: write {escape} in a string, or a plain one"),
            ));
        }
    }
}

/// Nothing unfinished is committed.
pub(super) fn unfinished(source: &Source<'_>, found: &mut Vec<Finding>) {
    for (number, line) in numbered(source.text) {
        for mark in UNFINISHED {
            if has_word(line, mark) {
                found.push(source.error(
                    number,
                    format!("{mark}: finish it, or open an issue and take the mark out"),
                ));
            }
        }
    }
}

/// A file that names a path of somebody's machine works on that machine only.
pub(super) fn machine_paths(source: &Source<'_>, found: &mut Vec<Finding>) {
    for (number, line) in numbered(source.text) {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| has_path(line, path)) {
            found.push(source.error(
                number,
                format!("{path} is a path of one machine: use a path relative to the repository"),
            ));
        }
    }
}

/// Only the lock file knows where packages come from.
pub(super) fn registry_hosts(source: &Source<'_>, found: &mut Vec<Finding>) {
    for (number, line) in numbered(source.text) {
        if let Some(host) = REGISTRY_HOSTS.iter().find(|host| has_word(line, host)) {
            found.push(source.error(
                number,
                format!("{host} is the host of a package registry: leave it to the package client"),
            ));
        }
    }
}

/// British spelling in the comments of Rust files; code in backquotes is not prose.
pub(super) fn spelling_in_comments(source: &Source<'_>, found: &mut Vec<Finding>) {
    let mut fenced = false;
    for (number, line) in numbered(source.text) {
        let trimmed = line.trim_start();
        if !trimmed.starts_with("//") {
            fenced = false;
            continue;
        }
        if trimmed.trim_start_matches(['/', '!', ' ']).starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            spelling(source, number, trimmed, found);
        }
    }
}

/// British spelling in Markdown pages outside fenced blocks and code spans.
pub(super) fn spelling_in_prose(source: &Source<'_>, found: &mut Vec<Finding>) {
    for (number, line) in prose(source.text) {
        spelling(source, number, line, found);
    }
}

/// The numbered lines of a Markdown text that stand outside fenced blocks.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    numbered(text).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// A line without its code spans.
pub(super) fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Whether the header of the file declares it generated or a table, with the reason to be long.
pub(super) fn is_table(source: &Source<'_>) -> bool {
    source
        .text
        .lines()
        .take_while(|line| line.starts_with("//"))
        .any(|line| line.starts_with("// @generated") || line.starts_with("// tidy: table"))
}

fn spelling(source: &Source<'_>, number: usize, line: &str, found: &mut Vec<Finding>) {
    let line = without_code_spans(line).to_lowercase();
    for word in line.split(|character: char| !character.is_ascii_alphabetic()) {
        if let Some((_, british)) = SPELLING.iter().find(|(american, _)| word.starts_with(american)) {
            found.push(source.error(number, format!("`{word}`: the spelling is British, `{british}`")));
        }
    }
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// Whether `word` stands in `line` with no letter or digit on either side.
fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Whether an absolute `path` begins in `line`: nothing that continues a longer path stands before it.
fn has_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let continues =
            |character: char| is_word(character) || matches!(character, '.' | '/' | '-' | '}' | '~' | ')');
        !before.is_some_and(continues)
            && !after.is_some_and(|character| is_word(character) || character == '-')
    })
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The shortest header that can say anything.
const HEADER_CHARS_MIN: usize = 3;
const LINES_MAX: usize = 800;
const LINES_ADVISED: usize = 500;

/// Names of modules that attract what has no place.
const DRAWERS: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

// The words of the lists below are split, so that this file passes its own rules.

const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];

const MACHINE_PATHS: &[&str] = &[
    concat!("/", "work"),
    concat!("/", "root"),
    concat!("/", "farm"),
    concat!("/", "home/"),
    concat!("/", "Users/"),
];

const REGISTRY_HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("docs", ".rs"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("golang", ".org"),
    concat!("maven", ".org"),
    concat!("rubygems", ".org"),
    concat!("deb.", "debian", ".org"),
];

/// American beginnings of words, and the British word to use.
const SPELLING: &[(&str, &str)] = &[
    ("analyz", "analyse"),
    ("authoriz", "authorise"),
    ("behavior", "behaviour"),
    ("canceled", "cancelled"),
    ("canceling", "cancelling"),
    ("catalog", "catalogue"),
    ("centered", "centred"),
    ("color", "colour"),
    ("customiz", "customise"),
    ("favor", "favour"),
    ("finaliz", "finalise"),
    ("honor", "honour"),
    ("initializ", "initialise"),
    ("labeled", "labelled"),
    ("maximiz", "maximise"),
    ("minimiz", "minimise"),
    ("modeled", "modelled"),
    ("neighbor", "neighbour"),
    ("optimiz", "optimise"),
    ("organiz", "organise"),
    ("recogniz", "recognise"),
    ("serializ", "serialise"),
    ("summariz", "summarise"),
    ("synchroniz", "synchronise"),
    ("utiliz", "use"),
];
