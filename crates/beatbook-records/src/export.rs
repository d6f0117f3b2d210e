//! Records for programs: JSON with stable names, and CSV by family.
//!
//! JSON: a register with one value is that value; with several it is `{"siblings": [..]}`. Sets and lists
//! are arrays, counters and maxima numbers. A field that this build does not know is `field_<id>`, an
//! object of the lattices that hold something. Times are RFC 3339 with offset, days `YYYY-MM-DD`,
//! positions `{"lat": .., "lon": ..}`. What the reader's class does not reach reads `"[masked]"`.
//!
//! CSV: one column for a field, one for each member of a group in a register (`location.point`); sets,
//! lists and siblings are JSON in their cell; text that a spreadsheet would run begins with `'`. Fields
//! of a class above the reader's have no column.

use beatbook_proto::{Point, Value, track};
use serde_json::{Map, Value as Json, json};

use crate::merged::{MergedField, MergedFields};
use crate::schema::{self, FamilySpec, FieldSpec, Kind, Merge, Sensitivity};
use crate::show::MASK;
use crate::time;

/// The fields of a record as one JSON object, by name.
pub fn json(family: &str, fields: &MergedFields, up_to: Sensitivity) -> Json {
    let family = schema::family(family);
    let mut object = Map::new();
    for (id, merged) in fields.iter() {
        let spec = family.and_then(|family| family.field(id));
        let value = match spec {
            Some(spec) if spec.sensitivity > up_to => Json::from(MASK),
            Some(spec) => known(spec, merged, up_to),
            // What nobody has classed is shown to those who may see all.
            None if up_to < Sensitivity::Sensitive => Json::from(MASK),
            None => lattices(merged, None, up_to),
        };
        let name = spec.map_or_else(|| format!("field_{}", id.0), |spec| spec.name.to_owned());
        object.insert(name, value);
    }
    Json::Object(object)
}

/// One value as JSON; `spec` is its field or member.
pub fn value_json(value: &Value, spec: Option<&FieldSpec>, up_to: Sensitivity) -> Json {
    if spec.is_some_and(|spec| spec.sensitivity > up_to) {
        return Json::from(MASK);
    }
    match value {
        Value::Bool(yes) => Json::from(*yes),
        Value::Int(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_str()),
        Value::Code(code) => Json::from(code.as_str()),
        Value::Instant(instant) => Json::from(time::rfc3339(*instant)),
        Value::Date(days) => Json::from(time::day(*days)),
        Value::Point(point) => point_json(*point),
        Value::Track(bytes) => track_json(bytes),
        Value::Record(dot) => Json::from(dot.to_string()),
        Value::Officer(officer) => Json::from(officer.to_string()),
        Value::Blob(blob) => {
            let hash: String = blob.hash.0.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hash": hash, "length": blob.length, "media": blob.media.as_str() })
        }
        Value::Group(members) => {
            let member = |(id, value): &(beatbook_proto::FieldId, Value)| {
                let own = spec.and_then(|spec| spec.members().iter().find(|member| member.id == *id));
                let spec = own.or_else(|| schema::any_field(*id));
                (schema::name_of(*id), value_json(value, spec, up_to))
            };
            Json::Object(members.iter().map(member).collect())
        }
        Value::List(items) => items.iter().map(|item| value_json(item, spec, up_to)).collect(),
    }
}

/// The columns of a family, for a reader of class `up_to`.
pub fn csv_headers(family: &FamilySpec, up_to: Sensitivity) -> Vec<String> {
    columns(family, up_to)
        .map(|(spec, member)| match member {
            Some(member) => format!("{}.{}", spec.name, member.name),
            None => spec.name.to_owned(),
        })
        .collect()
}

/// One row of a family, one cell for each of [`csv_headers`].
pub fn csv_row(family: &FamilySpec, fields: &MergedFields, up_to: Sensitivity) -> Vec<String> {
    columns(family, up_to)
        .map(|(spec, member)| match fields.field(spec.id) {
            None => String::new(),
            Some(merged) => match member {
                Some(member) => member_cell(spec, member, merged, up_to),
                None => cell(&known(spec, merged, up_to)),
            },
        })
        .collect()
}

/// Fields, and members of groups in registers, that a reader may see.
fn columns(
    family: &FamilySpec,
    up_to: Sensitivity,
) -> impl Iterator<Item = (&'static FieldSpec, Option<&'static FieldSpec>)> {
    let shown = move |spec: &&'static FieldSpec| spec.sensitivity <= up_to;
    family.all_fields().filter(shown).flat_map(move |spec| {
        let members = match (spec.merge, spec.kind) {
            (Merge::Set, Kind::Group(members)) => members,
            _ => &[],
        };
        let whole = members.is_empty().then_some((spec, None));
        whole.into_iter().chain(
            members
                .iter()
                .filter(shown)
                .map(move |member| (spec, Some(member))),
        )
    })
}

fn member_cell(spec: &FieldSpec, member: &FieldSpec, merged: &MergedField, up_to: Sensitivity) -> String {
    let of = |value: &Value| {
        value
            .member(member.id)
            .map_or(Json::Null, |inner| value_json(inner, Some(member), up_to))
    };
    match merged.register.as_slice() {
        [] => String::new(),
        [only] if matches!(only, Value::Group(_)) => cell(&of(only)),
        [only] => cell(&value_json(only, Some(spec), up_to)),
        several => {
            let siblings: Vec<Json> = several.iter().map(of).collect();
            cell(&json!({ "siblings": siblings }))
        }
    }
}

/// A field of the table: by its own lattice; whatever else a peer put there is shown beside it.
fn known(spec: &FieldSpec, merged: &MergedField, up_to: Sensitivity) -> Json {
    let own = match spec.merge {
        Merge::AddRemove => MergedField {
            set: merged.set.clone(),
            ..MergedField::default()
        },
        Merge::Append => MergedField {
            list: merged.list.clone(),
            ..MergedField::default()
        },
        Merge::Increment => MergedField {
            counter: merged.counter,
            ..MergedField::default()
        },
        Merge::Max => MergedField {
            max: merged.max,
            ..MergedField::default()
        },
        Merge::Set => MergedField {
            register: merged.register.clone(),
            ..MergedField::default()
        },
    };
    if own != *merged {
        return lattices(merged, Some(spec), up_to);
    }
    let array = |values: &[Value]| -> Json {
        values
            .iter()
            .map(|value| value_json(value, Some(spec), up_to))
            .collect()
    };
    match spec.merge {
        Merge::AddRemove => array(&merged.set),
        Merge::Append => array(&merged.list),
        Merge::Increment => number(merged.counter.unwrap_or(0)),
        Merge::Max => Json::from(merged.max),
        Merge::Set => match merged.register.as_slice() {
            [only] => value_json(only, Some(spec), up_to),
            several => json!({ "siblings": array(several) }),
        },
    }
}

/// Everything that a field holds, by lattice.
fn lattices(merged: &MergedField, spec: Option<&FieldSpec>, up_to: Sensitivity) -> Json {
    let mut object = Map::new();
    for (name, values) in [
        ("siblings", &merged.register),
        ("set", &merged.set),
        ("list", &merged.list),
    ] {
        if !values.is_empty() {
            let array = values
                .iter()
                .map(|value| value_json(value, spec, up_to))
                .collect();
            object.insert(name.to_owned(), array);
        }
    }
    if let Some(counter) = merged.counter {
        object.insert("counter".to_owned(), number(counter));
    }
    if let Some(max) = merged.max {
        object.insert("max".to_owned(), Json::from(max));
    }
    Json::Object(object)
}

/// A sum; as text where it is too large for a JSON number.
fn number(sum: i128) -> Json {
    i64::try_from(sum).map_or_else(|_| Json::from(sum.to_string()), Json::from)
}

fn point_json(point: Point) -> Json {
    json!({ "lat": f64::from(point.lat_e7) / 1e7, "lon": f64::from(point.lon_e7) / 1e7 })
}

fn track_json(bytes: &[u8]) -> Json {
    let Ok(points) = track::decode(bytes) else {
        return json!({ "unreadable_bytes": bytes.len() });
    };
    points
        .iter()
        .map(|fix| {
            json!({
                "utc_ms": fix.utc_ms,
                "lat": f64::from(fix.point.lat_e7) / 1e7,
                "lon": f64::from(fix.point.lon_e7) / 1e7,
                "accuracy_dm": fix.accuracy_dm,
                "speed_cm_s": fix.speed_cm_s,
            })
        })
        .collect()
}

/// A cell: plain where JSON is a plain value, JSON text otherwise.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) if text.starts_with(FORMULA_SIGNS) => format!("'{text}"),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What a spreadsheet may take a cell for a formula by, or skip to come to one; the wide forms count too.
const FORMULA_SIGNS: [char; 12] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\0', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

#[cfg(test)]
mod tests;
