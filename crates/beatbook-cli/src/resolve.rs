//! `resolve`: a person settles two versions of a record. It adds, and what it settles stays readable.

use beatbook_field::Notebook;
use beatbook_proto::FieldId;

use crate::args;
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::versions::Versions;
use crate::write::{assigned, changed, family_of, open};

/// Runs the command.
pub(crate) fn run(
    book: &Notebook,
    arguments: &args::Resolve,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let read = open(book, &arguments.record)?;
    let versions = Versions::of(&read);
    if versions.versions.is_empty() {
        return Err(Failure::Choice {
            record: read.record.reference.clone(),
            what: "no two versions of it wait: correct it with beatbook amend".to_owned(),
        });
    }
    let said = assigned(book, family_of(&read)?, &read.record.fields, &arguments.set)?;
    let settled: Vec<FieldId> = said.iter().map(|(id, _)| *id).collect();
    let mut ops = match arguments.keep {
        Some(number) => versions.keep(&read, number, &settled)?,
        None => Vec::new(),
    };
    ops.extend(said);
    let left = read
        .versions
        .iter()
        .map(|versions| versions.field)
        .find(|id| !ops.iter().any(|(written, _)| written == id));
    if let Some(id) = left {
        let name = beatbook_records::schema::name_of(id);
        return Err(Failure::Choice {
            record: read.record.reference.clone(),
            what: format!("{name} has two versions as well: add --set {name}=VALUE, or use --keep N"),
        });
    }
    let written = book.resolve(&read.token, &arguments.reason, ops);
    changed(&read, written, output)
}
