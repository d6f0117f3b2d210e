//! `fields` and `completions`: what the other commands take, from the schema table and the argument table.

use std::io;

use beatbook_records::schema::{self, FamilySpec, FieldSpec, Kind, Merge, Required, Sensitivity};
use beatbook_records::vocabulary::Vocabulary;
use clap::CommandFactory as _;
use serde_json::json;

use crate::args::{Cli, Completions, Fields};
use crate::output::Output;

/// Explains families, fields and words.
pub(crate) fn fields(arguments: &Fields, output: &mut Output<'_>) -> io::Result<()> {
    match arguments.family.and_then(|family| schema::family(family.word())) {
        Some(family) => explain(family, output),
        None => overview(output),
    }
}

/// Prints the completions for a shell.
pub(crate) fn completions(arguments: &Completions, output: &mut Output<'_>) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "beatbook", &mut script);
    output.raw(&script)
}

fn overview(output: &mut Output<'_>) -> io::Result<()> {
    if output.json() {
        for family in schema::FAMILIES {
            output.object(&json!({ "family": family.name, "about": family.doc }))?;
        }
        return Ok(());
    }
    let rows: Vec<Vec<String>> = schema::FAMILIES
        .iter()
        .map(|family| vec![family.name.to_owned(), family.doc.to_owned()])
        .collect();
    output.table(&["family", "what it is"], &rows)?;
    output.text("\nbeatbook fields NOTE explains the fields of one family and the words they take.")
}

fn explain(family: &FamilySpec, output: &mut Output<'_>) -> io::Result<()> {
    let mut lines = Vec::new();
    for spec in family.all_fields() {
        flatten(spec, "", &mut lines);
    }
    if output.json() {
        for (path, spec) in lines {
            output.object(&object(family, &path, spec))?;
        }
        return Ok(());
    }
    output.text(&format!("{}: {}\n", family.name, family.doc))?;
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|(path, spec)| {
            vec![
                format!("{path}{}", operator(spec)),
                kind_text(spec.kind),
                needed(spec).to_owned(),
                spec.doc.to_owned(),
            ]
        })
        .collect();
    output.table(&["field", "takes", "needed", "what it is for"], &rows)?;
    output.text(SETTING)?;
    for vocabulary in vocabularies(&lines) {
        words(vocabulary, output)?;
    }
    Ok(())
}

/// A field and, below it, its members by dotted name.
fn flatten(spec: &'static FieldSpec, prefix: &str, lines: &mut Vec<(String, &'static FieldSpec)>) {
    let path = format!("{prefix}{}", spec.name);
    lines.push((path.clone(), spec));
    for member in spec.members() {
        flatten(member, &format!("{path}."), lines);
    }
}

fn object(family: &FamilySpec, path: &str, spec: &FieldSpec) -> serde_json::Value {
    let vocabulary = vocabulary_of(spec.kind);
    json!({
        "family": family.name,
        "field": path,
        "id": spec.id.0,
        "takes": kind_text(spec.kind),
        "merge": merge_word(spec.merge),
        "needed": needed(spec),
        "sensitivity": match spec.sensitivity {
            Sensitivity::Ordinary => "ordinary",
            Sensitivity::Personal => "personal",
            Sensitivity::Sensitive => "sensitive",
        },
        "about": spec.doc,
        "rule": spec.law,
        "words": vocabulary.map(|vocabulary| {
            vocabulary.words.iter().map(|word| word.code).collect::<Vec<_>>()
        }),
    })
}

fn words(vocabulary: &Vocabulary, output: &mut Output<'_>) -> io::Result<()> {
    let open = match vocabulary.open {
        true => ", and the force's own X_52_...",
        false => "",
    };
    output.text(&format!("\nwords of {}{open}:", vocabulary.id))?;
    let rows: Vec<Vec<String>> = vocabulary
        .words
        .iter()
        .map(|word| vec![word.code.to_owned(), word.meaning.to_owned()])
        .collect();
    output.table(&["word", "meaning"], &rows)
}

/// The vocabularies of these fields, each once, in the order they are met.
fn vocabularies(lines: &[(String, &'static FieldSpec)]) -> Vec<&'static Vocabulary> {
    let mut met: Vec<&'static Vocabulary> = Vec::new();
    for vocabulary in lines.iter().filter_map(|(_, spec)| vocabulary_of(spec.kind)) {
        if !met.iter().any(|known| known.id == vocabulary.id) {
            met.push(vocabulary);
        }
    }
    met
}

fn vocabulary_of(kind: Kind) -> Option<&'static Vocabulary> {
    match kind {
        Kind::Code(vocabulary) => Some(vocabulary),
        Kind::List(element) => vocabulary_of(*element),
        _ => None,
    }
}

fn kind_text(kind: Kind) -> String {
    match kind {
        Kind::Group(_) => "its members".to_owned(),
        Kind::Instant => "time, 2026-11-07 14:05".to_owned(),
        Kind::Date => "day, 2026-11-07".to_owned(),
        Kind::Point => "position, 51.4637,-2.5890".to_owned(),
        kind => kind.word(),
    }
}

/// How a field is written where not with a plain `=`.
fn operator(spec: &FieldSpec) -> &'static str {
    match spec.merge {
        Merge::AddRemove => " (+= -=)",
        Merge::Append => " (+=)",
        Merge::Increment => " (+= -=)",
        Merge::Max | Merge::Set => "",
    }
}

fn merge_word(merge: Merge) -> &'static str {
    match merge {
        Merge::AddRemove => "set",
        Merge::Append => "list",
        Merge::Increment => "counter",
        Merge::Max => "maximum",
        Merge::Set => "register",
    }
}

fn needed(spec: &FieldSpec) -> &'static str {
    match spec.required {
        Required::Always => "always",
        Required::AtSign => "to sign",
        Required::Optional => "",
    }
}

const SETTING: &str = "\n--set field=value says it; field+=value adds to a list, a set or a counter; field-=value takes \
out of a set; field= clears. The members of a group follow a dot: --set location.point=51.4637,-2.5890";

#[cfg(test)]
mod tests;
