//! Records as they are listed: a row for people, an object for scripts, a line of CSV for spreadsheets.
//!
//! The names of the JSON members and of the CSV columns are promised to scripts: they are added to, never changed.

use std::io;

use beatbook_field::{Concurrency, Query, Record};
use beatbook_records::schema::{self, Sensitivity};
use beatbook_records::vocabulary::{Lifecycle, Marking};
use beatbook_records::{as_code, export, field, show, time};
use serde_json::{Map, Value, json};

use crate::args::{Filter, Format};
use crate::error::Failure;
use crate::output::Output;
use crate::time::stamp;

/// How a list is printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Table, JSON Lines or CSV.
    pub(crate) format: Format,
    /// The class of fields that is shown in full.
    pub(crate) up_to: Sensitivity,
}

impl Look {
    /// As asked for; `--json` means JSON Lines.
    pub(crate) fn new(format: Option<Format>, filter: &Filter, output: &Output<'_>) -> Self {
        let default = match output.json() {
            true => Format::Jsonl,
            false => Format::Table,
        };
        Self {
            format: format.unwrap_or(default),
            up_to: match filter.sensitive {
                true => Sensitivity::Sensitive,
                false => Sensitivity::Personal,
            },
        }
    }
}

/// The query that a filter means; beats without a force are of `force`.
pub(crate) fn query(filter: &Filter, force: &str) -> Query {
    let mut query = Query::all();
    for beat in &filter.beat {
        let beat = beat.trim();
        query = match beat.contains('/') {
            true => query.or_beat(beat),
            false => query.or_beat(format!("{force}/{beat}")),
        };
    }
    query.since_ms = filter.since.map(|moment| moment.0.utc_ms);
    query.until_ms = filter.until.map(|moment| moment.0.utc_ms);
    if let Some(family) = filter.family {
        query = query.family(family.word());
    }
    query
}

/// Prints records.
pub(crate) fn print(
    records: &[Record],
    filter: &Filter,
    look: Look,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match look.format {
        Format::Csv => spreadsheet(records, filter, look.up_to, output)?,
        Format::Jsonl => {
            for record in records {
                output.object(&object(record, look.up_to))?;
            }
        }
        Format::Table => {
            let rows: Vec<Vec<String>> = records.iter().map(|record| row(record, look.up_to)).collect();
            output.table(
                &[
                    "record", "when", "family", "beat", "marking", "by", "state", "summary",
                ],
                &rows,
            )?;
        }
    }
    Ok(())
}

/// One record for scripts.
pub(crate) fn object(record: &Record, up_to: Sensitivity) -> Value {
    let family = record.family.as_str();
    let mut object = Map::new();
    object.insert("record".into(), json!(record.reference));
    object.insert("family".into(), json!(family));
    object.insert(
        "beats".into(),
        record.beats().map(|beat| json!(beat.as_str())).collect(),
    );
    object.insert("marking".into(), json!(marking(record)));
    object.insert("at".into(), json!(time::rfc3339(record.at)));
    object.insert("recorded_at".into(), json!(recorded(record)));
    object.insert(
        "received_at".into(),
        match record.received_at_ms {
            0 => Value::Null,
            ms => json!(time::rfc3339(time::uk_instant(ms))),
        },
    );
    object.insert("officer".into(), json!(record.officer.to_string()));
    object.insert("collar".into(), json!(record.collar));
    object.insert("own".into(), json!(record.own));
    object.insert("lifecycle".into(), json!(record.lifecycle.word()));
    object.insert("signed".into(), json!(record.signed));
    object.insert("safety".into(), json!(record.safety.word()));
    object.insert("merge".into(), json!(merge_word(record.concurrency)));
    object.insert("conflict".into(), json!(record.is_conflict()));
    object.insert("revisions".into(), json!(record.revisions));
    object.insert(
        "summary".into(),
        json!(show::summary(family, &record.fields, up_to)),
    );
    object.insert("fields".into(), export::json(family, &record.fields, up_to));
    Value::Object(object)
}

/// The highest marking that the record carries, as it is shown to people.
pub(crate) fn marking(record: &Record) -> &'static str {
    let sensitive = Marking::OfficialSensitive.code();
    let carried = record.fields.siblings(field::MARKING).iter().filter_map(as_code);
    match carried.into_iter().any(|code| *code == sensitive) {
        true => "OFFICIAL-SENSITIVE",
        false => "OFFICIAL",
    }
}

/// Where a record stands, in a word or two.
pub(crate) fn state(record: &Record) -> String {
    let mut words = vec![record.safety.word().to_owned()];
    // Of what is not signed as a rule, unsigned is no news.
    let plain = record.lifecycle == Lifecycle::Draft && record.family.as_str() != "NOTE";
    if !plain {
        words.insert(0, record.lifecycle.word().to_lowercase());
    }
    match record.concurrency {
        Concurrency::AutoMerged => words.push("auto-merged".to_owned()),
        Concurrency::Clean => {}
        Concurrency::Conflict => words.insert(0, "CONFLICT".to_owned()),
    }
    words.join(", ")
}

fn row(record: &Record, up_to: Sensitivity) -> Vec<String> {
    vec![
        record.reference.clone(),
        stamp(record.at),
        record.family.to_string(),
        beats(record),
        marking(record).to_owned(),
        record.collar.clone().unwrap_or_default(),
        state(record),
        show::summary(record.family.as_str(), &record.fields, up_to),
    ]
}

/// The columns that all families share, then those of the family where one was named.
fn spreadsheet(
    records: &[Record],
    filter: &Filter,
    up_to: Sensitivity,
    output: &mut Output<'_>,
) -> io::Result<()> {
    let family = filter.family.and_then(|family| schema::family(family.word()));
    let mut writer = csv::WriterBuilder::new().flexible(false).from_writer(Vec::new());
    let mut headings: Vec<String> = SHARED.iter().map(|&name| name.to_owned()).collect();
    if let Some(family) = family {
        // A field that is called like a shared column keeps apart from it.
        headings.extend(
            export::csv_headers(family, up_to)
                .into_iter()
                .map(|name| format!("fields.{name}")),
        );
    }
    writer.write_record(&headings).map_err(io::Error::other)?;
    for record in records {
        let mut cells = shared(record, up_to);
        if let Some(family) = family {
            cells.extend(export::csv_row(family, &record.fields, up_to));
        }
        writer.write_record(&cells).map_err(io::Error::other)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| io::Error::other(error.to_string()))?;
    output.raw(&bytes)
}

fn shared(record: &Record, up_to: Sensitivity) -> Vec<String> {
    let summary = show::summary(record.family.as_str(), &record.fields, up_to);
    vec![
        record.reference.clone(),
        record.family.to_string(),
        beats(record),
        marking(record).to_owned(),
        time::rfc3339(record.at),
        recorded(record),
        record.collar.clone().unwrap_or_default(),
        record.lifecycle.word().to_owned(),
        record.safety.word().to_owned(),
        merge_word(record.concurrency).to_owned(),
        inert(&summary),
    ]
}

/// Text that a spreadsheet would run is kept from running.
fn inert(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

fn beats(record: &Record) -> String {
    let beats: Vec<&str> = record.beats().map(beatbook_proto::Code::as_str).collect();
    beats.join(" | ")
}

fn recorded(record: &Record) -> String {
    time::rfc3339(beatbook_proto::Instant {
        utc_ms: record.recorded_at.utc_ms,
        offset_min: record.recorded_at.offset_min,
    })
}

fn merge_word(concurrency: Concurrency) -> &'static str {
    match concurrency {
        Concurrency::AutoMerged => "auto-merged",
        Concurrency::Clean => "clean",
        Concurrency::Conflict => "conflict",
    }
}

const SHARED: [&str; 11] = [
    "record",
    "family",
    "beats",
    "marking",
    "at",
    "recorded_at",
    "collar",
    "lifecycle",
    "safety",
    "merge",
    "summary",
];
