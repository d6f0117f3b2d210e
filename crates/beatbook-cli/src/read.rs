//! The commands that read: one record, lists, and how the notebook stands. None of them needs a network.

use beatbook_field::{Coverage, Notebook, Read, Status};
use beatbook_records::render::{self, Change};
use beatbook_records::schema::Sensitivity;
use beatbook_records::{export, time};
use serde_json::{Value, json};

use crate::args::{self, Filter};
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::time::{age, now, stamp};
use crate::versions::Versions;
use crate::view::{self, Look};
use crate::words::counted;
use crate::write::open;

/// `show`: the whole of one record, sensitive fields included.
pub(crate) fn show(
    book: &Notebook,
    arguments: &args::Show,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let read = open(book, &arguments.record)?;
    let versions = Versions::of(&read);
    match output.json() {
        true => output.object(&whole(&read, &versions))?,
        false => {
            output.text(view::marking(&read.record))?;
            output.text(page(&read).trim_end())?;
            if !versions.versions.is_empty() {
                output.text(versions.text(Sensitivity::Sensitive).trim_end())?;
            }
            output.text(&format!("\n{}", standing(&read)))?;
        }
    }
    Ok(waiting(read.record.is_conflict(), output, &read.record.reference))
}

/// `list`.
pub(crate) fn list(
    book: &Notebook,
    arguments: &args::List,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let mut query = view::query(&arguments.filter, book.officer().force.as_str());
    if let Some(collar) = &arguments.officer {
        query = query.collar(collar.as_str());
    }
    if let Some(person) = &arguments.person {
        query = query.person(person.as_str());
    }
    query.conflicts = arguments.conflicts;
    query.drafts = arguments.drafts;
    query.voided = true;
    query.limit = arguments.limit;
    let records = book.list(&query)?.records;
    let look = Look::new(None, &arguments.filter, output);
    view::print(&records, &arguments.filter, look, output)?;
    if records.is_empty() {
        output.hint("no record on this device matches");
    }
    Ok(Exit::Done)
}

/// `search`.
pub(crate) fn search(
    book: &Notebook,
    arguments: &args::Search,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let query = view::query(&arguments.filter, book.officer().force.as_str()).text(arguments.text.join(" "));
    let records = book.list(&query)?.records;
    let look = Look::new(None, &arguments.filter, output);
    view::print(&records, &arguments.filter, look, output)?;
    if records.is_empty() {
        output.hint("no record on this device holds all these words");
    }
    Ok(Exit::Done)
}

/// `conflicts`: each record that waits, with what its versions say.
pub(crate) fn conflicts(
    book: &Notebook,
    arguments: &args::Conflicts,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let look = Look::new(None, &arguments.filter, output);
    let query = view::query(&arguments.filter, book.officer().force.as_str()).conflicts();
    let records = book.list(&query)?.records;
    for record in &records {
        let read = book.read(record.id)?;
        let versions = Versions::of(&read);
        if output.json() {
            let mut object = view::object(record, look.up_to);
            if let Value::Object(members) = &mut object {
                members.insert("versions".into(), versions.objects(look.up_to).into());
            }
            output.object(&object)?;
        } else {
            let heading = format!(
                "{}  {}  {}",
                record.reference,
                record.family,
                view::marking(record)
            );
            output.text(&heading)?;
            output.text(versions.text(look.up_to).trim_matches('\n'))?;
            output.text(&format!(
                "settle it: beatbook resolve {} --keep N --reason TEXT\n",
                record.reference
            ))?;
        }
    }
    match records.is_empty() {
        true => {
            output.hint("no conflict waits");
            Ok(Exit::Done)
        }
        false => Ok(Exit::Waiting),
    }
}

/// `status`.
pub(crate) fn status(book: &Notebook, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let status = book.status()?;
    match output.json() {
        true => output.object(&status_object(book, &status))?,
        false => output.text(&status_text(book, &status))?,
    }
    Ok(match status.conflicts > 0 || status.quarantined > 0 {
        true => Exit::Waiting,
        false => Exit::Done,
    })
}

/// `check`.
pub(crate) fn check(book: &Notebook, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let report = book.verify().map_err(|error| Failure::Verify(Box::new(error)))?;
    let size = book.size();
    if output.json() {
        output.object(&json!({
            "sound": true,
            "values": report.values,
            "frames": report.frames,
            "sequence": report.sequence,
            "journal_bytes": size.journal_bytes,
            "index_bytes": size.index_bytes,
        }))?;
    } else {
        output.text(&format!(
            "every byte is as it was written: {} values, {} journal frames, {} KiB on disk",
            report.values,
            report.frames,
            (size.journal_bytes + size.index_bytes) / 1_024
        ))?;
    }
    Ok(Exit::Done)
}

/// The page of a record, with every later change under it.
fn page(read: &Read) -> String {
    let by: Vec<String> = read
        .history
        .iter()
        .map(|revised| {
            revised
                .collar
                .clone()
                .unwrap_or_else(|| revised.officer.to_string())
        })
        .collect();
    let changes: Vec<Change<'_>> = read
        .history
        .iter()
        .zip(&by)
        .map(|(revised, by)| Change {
            reference: &revised.reference,
            by,
            kind: revised.kind,
            recorded_at: revised.recorded_at,
            reason: revised.reason.as_deref(),
            ops: &revised.ops,
        })
        .collect();
    render::render(&render::Page {
        reference: &read.record.reference,
        family: read.record.family.as_str(),
        merged: &read.record.fields,
        changes: &changes,
        up_to: Sensitivity::Sensitive,
    })
}

fn whole(read: &Read, versions: &Versions) -> Value {
    let history: Vec<Value> = read
        .history
        .iter()
        .map(|revised| {
            let instant = beatbook_proto::Instant {
                utc_ms: revised.recorded_at.utc_ms,
                offset_min: revised.recorded_at.offset_min,
            };
            let mut said = beatbook_records::MergedFields::new();
            said.apply(&revised.ops);
            json!({
                "entry": revised.reference,
                "kind": crate::words::revision(revised.kind),
                "collar": revised.collar,
                "officer": revised.officer.to_string(),
                "recorded_at": time::rfc3339(instant),
                "reason": revised.reason,
                "sealed": revised.sealed,
                "safety": revised.safety.word(),
                "fields": export::json(read.record.family.as_str(), &said, Sensitivity::Sensitive),
            })
        })
        .collect();
    let mut object = view::object(&read.record, Sensitivity::Sensitive);
    if let Value::Object(members) = &mut object {
        members.insert("history".into(), history.into());
        members.insert("versions".into(), versions.objects(Sensitivity::Sensitive).into());
        members.insert("frozen".into(), json!(read.record.frozen));
    }
    object
}

/// How far a record has come, in a sentence.
fn standing(read: &Read) -> String {
    let record = &read.record;
    let mut text = format!(
        "{}; {}",
        view::state(record),
        counted(record.revisions as u64, "revision")
    );
    if record.frozen {
        text.push_str("; no longer on your beats: it can be read here, not changed");
    }
    text
}

fn waiting(conflict: bool, output: &mut Output<'_>, reference: &str) -> Exit {
    if conflict {
        output.hint(&format!(
            "two versions wait for a person: beatbook resolve {reference} --keep N --reason TEXT"
        ));
        return Exit::Waiting;
    }
    Exit::Done
}

fn status_object(book: &Notebook, status: &Status) -> Value {
    let officer = book.officer();
    let books: Vec<Value> = status
        .books
        .iter()
        .map(|book| {
            json!({
                "book": book.name,
                "kind": crate::words::replica(book.kind),
                "open": book.open,
                "entries": book.held,
                "safe": book.receipted,
                "secured": book.secured,
            })
        })
        .collect();
    json!({
        "force": officer.force.as_str(),
        "collar": officer.collar,
        "role": officer.role.as_str(),
        "server": book.server().to_string(),
        "written": status.written,
        "safe": status.safe,
        "secured": status.secured,
        "pending": status.pending,
        "quarantined": status.quarantined,
        "waiting": status.waiting,
        "conflicts": status.conflicts,
        "records": status.records,
        "last_receipt": status.last_receipt_ms.map(|ms| time::rfc3339(time::uk_instant(ms))),
        "all_safe": status.proved.is_some(),
        "all_safe_as_of": status.proved.map(|proved| time::rfc3339(time::uk_instant(proved.as_of_ms))),
        "coverage": status.coverage.word(),
        "new_book": status.new_book.map(beatbook_field::NewBook::sentence),
        "books": books,
    })
}

fn status_text(book: &Notebook, status: &Status) -> String {
    let officer = book.officer();
    let mut lines = vec![format!(
        "{} {}, {}",
        officer.role, officer.collar, officer.force_name
    )];
    lines.push(match status.proved {
        Some(proved) => format!(
            "all {} entries safe as of {}",
            proved.entries,
            clock(proved.as_of_ms)
        ),
        None => format!(
            "{} of {} entries safe, {} pending",
            status.safe, status.written, status.pending
        ),
    });
    lines.push(format!(
        "secured by a verified backup: {} of {}",
        status.secured, status.written
    ));
    if status.waiting > 0 {
        lines.push(format!(
            "{} held by the server until an earlier entry comes",
            status.waiting
        ));
    }
    if status.quarantined > 0 {
        lines.push(format!(
            "held apart by the server: {}; ask a supervisor to look",
            counted(status.quarantined, "entry")
        ));
    }
    if status.conflicts > 0 {
        lines.push(format!(
            "waiting for a person: {}; see beatbook conflicts",
            counted(status.conflicts, "conflict")
        ));
    }
    lines.push(match status.last_receipt_ms {
        Some(ms) => format!(
            "last receipt {} ({} ago)",
            stamp(time::uk_instant(ms)),
            age(now().utc_ms - ms)
        ),
        None => "no receipt yet: nothing has been sent".to_owned(),
    });
    lines.push(coverage_text(&status.coverage));
    let names: Vec<String> = status
        .books
        .iter()
        .filter(|book| book.open)
        .map(|book| {
            format!(
                "{} ({}, {})",
                book.name,
                crate::words::replica(book.kind),
                counted(book.held, "entry")
            )
        })
        .collect();
    lines.push(format!("books: {}", names.join(", ")));
    if let Some(why) = status.new_book {
        lines.push(format!("NOTE: {}", why.sentence()));
    }
    lines.join("\n")
}

/// How the server can be reached, in a sentence.
pub(crate) fn coverage_text(coverage: &Coverage) -> String {
    match coverage {
        Coverage::BackingOff { why, until_ms, .. } => {
            format!("server not reached ({why}); next try {}", clock(*until_ms))
        }
        Coverage::Offline => "no sync running here: beatbook sync --watch".to_owned(),
        other => format!("coverage: {}", other.word()),
    }
}

fn clock(ms: i64) -> String {
    time::local_clock(time::uk_instant(ms))
}

/// The records that a filter lists, earliest first: the order of a log.
pub(crate) fn log(book: &Notebook, filter: &Filter) -> Result<Vec<beatbook_field::Record>, Failure> {
    let query = view::query(filter, book.officer().force.as_str()).earliest_first();
    Ok(book.list(&query)?.records)
}
