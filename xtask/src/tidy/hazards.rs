//! The page of hazards keeps its word: each guard that it names is there, each hazard has one, and losses, hazards and
//! constraints refer to each other. It says nothing of whether a guard is any good: planted defects do.

use std::collections::BTreeSet;

use super::text::prose;
use super::{Finding, Source};

/// Where the page is.
pub(super) const PAGE: &str = "docs/hazards.md";

/// Checks the page; `read` gives the text of a file of the repository.
pub(super) fn check(source: &Source<'_>, read: &dyn Fn(&str) -> Option<String>, found: &mut Vec<Finding>) {
    let rows: Vec<(usize, Vec<&str>)> = prose(source.text)
        .filter_map(|(at, line)| Some((at, cells(line)?)))
        .collect();
    let defined: BTreeSet<&str> = rows
        .iter()
        .filter_map(|(_, cells)| name(cells.first()?))
        .collect();
    let mut used = BTreeSet::new();
    for (line, cells) in &rows {
        let Some(own) = cells.first().and_then(|cell| name(cell)) else {
            continue;
        };
        let (mut guards, mut refers) = (0, 0);
        for cell in cells.iter().skip(1) {
            for word in names(cell) {
                refers += 1;
                used.insert(word);
                if !defined.contains(word) {
                    found.push(source.error(
                        *line,
                        format!("{own} refers to {word}, which no row defines: correct it"),
                    ));
                }
            }
            for guard in code_spans(cell).filter(|span| span.contains(".rs")) {
                guards += 1;
                if let Err(why) = stands(guard, read) {
                    found.push(source.error(*line, format!("the guard `{guard}` of {own} {why}")));
                }
            }
        }
        if own.starts_with("H-") && refers == 0 {
            found.push(source.error(*line, format!("{own} names no loss that it may lead to")));
        }
        if own.starts_with("C-") && guards == 0 {
            found.push(source.error(
                *line,
                format!("{own} names no test or checker: a constraint without one is a wish"),
            ));
        }
    }
    for unused in defined
        .iter()
        .filter(|name| !name.starts_with("C-") && !used.contains(*name))
    {
        let what = if unused.starts_with("L-") {
            "hazard"
        } else {
            "constraint"
        };
        found.push(source.error(1, format!("no {what} refers to {unused}")));
    }
}

/// A guard is a file, or a test in one: `path` or `path::test`.
fn stands(guard: &str, read: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let (path, test) = match guard.split_once("::") {
        Some((path, test)) => (path, Some(test)),
        None => (guard, None),
    };
    let text = read(path).ok_or_else(|| format!("is not there: there is no file {path}"))?;
    match test {
        Some(test) if !text.contains(&format!("fn {test}(")) => {
            Err(format!("is not there: {path} holds no test of that name"))
        }
        _ => Ok(()),
    }
}

/// The cells of a row of a table.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(row.split('|').map(str::trim).collect())
}

/// The name that a cell consists of.
fn name(cell: &str) -> Option<&str> {
    let mut names = names(cell);
    names.next().filter(|name| *name == cell)
}

/// Names such as `L-2`, `H-11`, `C-3` in a text.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '-'))
        .filter(|word| {
            let number = ["L-", "H-", "C-"].iter().find_map(|kind| word.strip_prefix(kind));
            number
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

/// What stands between backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}
