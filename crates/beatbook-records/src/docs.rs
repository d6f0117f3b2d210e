//! The reference page `docs/records.md`, made from the schema table and the vocabularies.

use std::fmt::Write as _;

use crate::schema::{EVERY, FAMILIES, FieldSpec, Form, Kind, Merge, Required, SCHEMA, Sensitivity};
use crate::vocabulary;

/// The whole page, as Markdown.
pub fn markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    let _ = writeln!(page, "\nThis is schema version {SCHEMA}.\n");
    page.push_str(ENVELOPE);
    page.push_str("\n## Every record\n\n");
    fields(&mut page, EVERY);
    for family in FAMILIES {
        let _ = writeln!(page, "\n## {}\n\n{}", family.name, family.doc);
        let merge = match family.notebook_law {
            true => {
                "Concurrent changes are shown as a conflict, even on different fields, and resolved by a person."
            }
            false => {
                "Concurrent changes of different fields merge by themselves; the same field written twice is a conflict."
            }
        };
        let _ = writeln!(page, "{merge}\n");
        fields(&mut page, family.fields);
    }
    groups(&mut page);
    page.push_str(CHECKS);
    vocabularies(&mut page);
    page
}

fn fields(page: &mut String, specs: &[FieldSpec]) {
    page.push_str("| id | field | holds | written | needed | class | meaning |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for spec in specs {
        let law = match spec.law {
            "" => String::new(),
            law => format!(" ({law})"),
        };
        let _ = writeln!(
            page,
            "| {} | `{}` | {} | {} | {} | {} | {}{law} |",
            spec.id.0,
            spec.name,
            kind(spec),
            merge(spec.merge),
            required(spec.required),
            class(spec.sensitivity),
            spec.doc,
        );
    }
}

/// One table for each group, under the fields that hold it.
fn groups(page: &mut String) {
    page.push_str(
        "\n## Groups\n\nThe members of a group mean something only together and are written as one value.\n",
    );
    let mut done: Vec<&'static [FieldSpec]> = Vec::new();
    let all = || {
        EVERY
            .iter()
            .chain(FAMILIES.iter().flat_map(|family| family.fields))
    };
    let nested = all().flat_map(|spec| spec.members());
    for spec in all().chain(nested) {
        let members = spec.members();
        let same = |other: &&'static [FieldSpec]| {
            other
                .iter()
                .map(|member| member.id)
                .eq(members.iter().map(|member| member.id))
        };
        if members.is_empty() || done.iter().any(same) {
            continue;
        }
        let mut holders: Vec<&str> = all()
            .chain(all().flat_map(|spec| spec.members()))
            .filter(|spec| same(&spec.members()))
            .map(|spec| spec.name)
            .collect();
        holders.dedup();
        let _ = writeln!(page, "\n### Group of `{}`\n", holders.join("`, `"));
        fields(page, members);
        done.push(members);
    }
}

fn vocabularies(page: &mut String) {
    page.push_str("\n## Vocabularies\n\n");
    page.push_str(
        "A force extends an open vocabulary with words of its own, `X_<force>_..`. A word that a program does not \
         know is kept and shown as it is.\n",
    );
    for vocabulary in vocabulary::ALL {
        let open = if vocabulary.open { "open" } else { "closed" };
        let _ = writeln!(
            page,
            "\n### `{}`\n\nVersion {}, {open}.\n\n| word | meaning |\n| --- | --- |",
            vocabulary.id, vocabulary.version
        );
        for word in vocabulary.words {
            let _ = writeln!(page, "| `{}` | {} |", word.code, word.meaning);
        }
    }
}

fn kind(spec: &FieldSpec) -> String {
    match spec.kind {
        Kind::Code(vocabulary) => format!("word of `{}`", vocabulary.id),
        Kind::List(Kind::Code(vocabulary)) => format!("list of words of `{}`", vocabulary.id),
        Kind::Text {
            form: form @ (Form::Free | Form::Line),
            chars_max,
        } => format!("{}, {chars_max} characters at most", form.word()),
        Kind::Text { form, .. } | Kind::Word(form) => {
            format!("{}, such as `{}`", form.word(), form.example())
        }
        other => other.word(),
    }
}

fn merge(merge: Merge) -> &'static str {
    match merge {
        Merge::AddRemove => "set: add, remove",
        Merge::Append => "list: append",
        Merge::Increment => "counter: increment",
        Merge::Max => "maximum: raise",
        Merge::Set => "set to a value",
    }
}

fn required(required: Required) -> &'static str {
    match required {
        Required::Always => "always",
        Required::AtSign => "to sign",
        Required::Optional => "-",
    }
}

fn class(sensitivity: Sensitivity) -> &'static str {
    match sensitivity {
        Sensitivity::Ordinary => "ordinary",
        Sensitivity::Personal => "personal",
        Sensitivity::Sensitive => "sensitive",
    }
}

const INTRODUCTION: &str = "\
# Records

What a PCSO writes: every family, field and vocabulary, with its number, its merge and its checks. This page is made
from the schema table in `crates/beatbook-records`; `cargo xtask vectors --bless` writes it anew.

Text is UTF-8 in normalisation form C, without control characters but line breaks. A time is UTC in milliseconds with the
offset it was read at. Durations are in seconds, accuracies in decimetres, positions in degrees of WGS84 times 10^7.
A field id means the same for ever. What a program does not know, field, word or family, it keeps and hands on unchanged.
";

const ENVELOPE: &str = "\
## The envelope

Every revision carries these outside its fields.

| name | what it is |
| --- | --- |
| record | the dot of its first revision: book and entry number |
| family, schema version | what kind of record it is, and under which version of this page it was written |
| author | the officer bound by the opening of the book; `author` holds collar number and role as they were that day |
| recorded at | the device's own time with offset, source and uncertainty; never moved by a server |
| received at, server sequence | in the server's receipt; never in place of the device's times |
| reason | needed to amend, strike, void or resolve |
";

const CHECKS: &str = "
## Checks

A device refuses to write what breaks one of these, and says which field it is and what to do:

* An amendment, a strike, a void and a resolution need a reason.
* An entry is signed only if its body is not blank; blank lines at its end are taken off. A signed record is never
  unsigned, and only an unsigned draft is voided. A void entry keeps its number and takes no more changes.
* Signatures, strikes, supplements and remarks are each written by their own kind of revision. A supplement only adds.
* A strike names a range of code points within the text, a reason and initials. What is struck stays readable.
* A field with two versions is written only by a resolution.
* A list is never shortened. A breadcrumb is never changed; it holds 64 points and spans 5 minutes at most, and none is
  recorded in a refreshment break.
* Only a supervisor lowers a marking, checks a record, or restricts it. Nothing above OFFICIAL_SENSITIVE is accepted.
* An interval does not end before it begins.
* An ANONYMOUS contact holds no name, telephone, mail or exact address; a position at a dwelling is an exact address.
* Domestic abuse or a protected identity needs `safe_contact`.
* A GROUP or BROADCAST contact needs its `reach`.
* A patrol segment serves three priorities at most.
* What was not made at the time says why; a referral shared without consent says why.

These are flagged, and never refused: a time later than the recording by more than 5 minutes (CLOCK_SUSPECT), a position
outside the United Kingdom (49.8 to 60.9 north, 8.7 west to 1.8 east), an approximate one (worse than 100 m, older than 120 s),
a note or contact recorded more than an hour late without `delay_reason`, a date of birth in the future, vulnerability
without the marking OFFICIAL_SENSITIVE.

A server turns to quarantine only what is malformed: an operation or a value of another kind than the field's, a missing
reason, a beat or marking that decides no scope, a track that does not read, a changed breadcrumb, a strike without
reason or initials. A quarantined revision is kept whole and shown to a supervisor.

OS grid references are derived by the published Helmert transform, right to about 5 metres; not by OSTN15.
The timeline of a shift has no gaps: what no duty state covers reads UNKNOWN. Visible time is VISIBLE_PATROL and
ENGAGEMENT inside the own beat by position; where the officer says so it is counted apart. Abstraction is the time in
ABS_ states over the rostered time without refreshment and training. Dwell in hotspots is counted at 5 and 15 minutes.
";

#[cfg(test)]
mod tests;
