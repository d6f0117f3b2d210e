//! How values read: one line of text for people, masked where the reader's class does not reach.

use beatbook_proto::Value;

use crate::field;
use crate::merged::{MergedFields, member_code, member_instant, member_text};
use crate::schema::{self, FamilySpec, FieldSpec, Sensitivity};
use crate::time;

/// What stands in place of a value that the reader's class does not reach.
pub const MASK: &str = "[masked]";

/// A value as one line of text; `spec` is its field or member, `up_to` the class shown in full.
pub fn value_text(value: &Value, spec: Option<&FieldSpec>, up_to: Sensitivity) -> String {
    if spec.is_some_and(|spec| spec.sensitivity > up_to) {
        return MASK.to_owned();
    }
    match value {
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.as_str().to_owned(),
        Value::Code(code) => code.as_str().to_owned(),
        Value::Instant(instant) => format!("{} {}", time::local_day(*instant), time::local_clock(*instant)),
        Value::Date(days) => time::day(*days),
        Value::Point(point) => format!("{},{}", degrees(point.lat_e7), degrees(point.lon_e7)),
        Value::Track(bytes) => match beatbook_proto::track::decode(bytes) {
            Ok(points) => format!("{} points", points.len()),
            Err(_) => "unreadable track".to_owned(),
        },
        Value::Record(dot) => dot.to_string(),
        Value::Officer(officer) => officer.to_string(),
        Value::Blob(blob) => format!("{} of {} bytes", blob.media, blob.length),
        Value::Group(members) => members
            .iter()
            .map(|(id, value)| {
                let spec = spec.and_then(|spec| spec.members().iter().find(|member| member.id == *id));
                let spec = spec.or_else(|| schema::any_field(*id));
                format!("{} {}", schema::name_of(*id), value_text(value, spec, up_to))
            })
            .collect::<Vec<_>>()
            .join("; "),
        Value::List(items) => items
            .iter()
            .map(|item| value_text(item, spec, up_to))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Degrees times 10^7, exactly.
pub(crate) fn degrees(e7: i32) -> String {
    let (whole, part) = (e7.unsigned_abs() / 10_000_000, e7.unsigned_abs() % 10_000_000);
    let sign = if e7 < 0 { "-" } else { "" };
    format!("{sign}{whole}.{part:07}")
}

/// One line that tells a record from others in a list. Values of a class above `up_to` are masked.
pub fn summary(family: &str, fields: &MergedFields, up_to: Sensitivity) -> String {
    let line = Line {
        family: schema::family(family),
        fields,
        up_to,
    };
    let mut parts: Vec<String> = Vec::new();
    let named = match family {
        "NOTE" => {
            parts.push(line.all(field::NOTE_KIND));
            line.all(field::BODY)
        }
        "SHIFT" => {
            parts.extend([line.all(field::CALL_SIGN), line.duty_state()]);
            line.interval(field::ROSTERED)
        }
        "PATROL_SEGMENT" => {
            parts.extend([line.all(field::MODE), line.interval(field::OCCURRED)]);
            line.all(field::SUMMARY)
        }
        "BREADCRUMB" => line.all(field::TRACK),
        "STOP" => {
            let words = [field::STOP_KIND, field::STOP_RESULT].map(|id| line.all(id));
            parts.extend(words);
            line.interval(field::OCCURRED)
        }
        "CONTACT" => {
            let words =
                [field::STRAND, field::METHOD, field::CONTACT_KIND, field::OUTCOME].map(|id| line.all(id));
            parts.extend(words);
            line.all(field::CONTACT_SUMMARY)
        }
        _ => format!("{} fields", fields.iter().count()),
    };
    parts.push(line.place());
    parts.push(named);
    parts.retain(|part| !part.is_empty());
    let conflicts = fields.conflicts().count();
    if conflicts > 0 {
        parts.insert(0, format!("[CONFLICT on {conflicts}]"));
    }
    parts.join(" ")
}

struct Line<'a> {
    family: Option<&'static FamilySpec>,
    fields: &'a MergedFields,
    up_to: Sensitivity,
}

impl Line<'_> {
    /// All siblings of a register, shortened, with `|` between.
    fn all(&self, id: beatbook_proto::FieldId) -> String {
        let spec = self.family.and_then(|family| family.field(id));
        self.fields
            .siblings(id)
            .iter()
            .map(|value| shortened(&value_text(value, spec, self.up_to)))
            .collect::<Vec<_>>()
            .join(" | ")
    }

    fn interval(&self, id: beatbook_proto::FieldId) -> String {
        self.fields
            .siblings(id)
            .iter()
            .filter_map(interval_text)
            .collect::<Vec<_>>()
            .join(" | ")
    }

    fn place(&self) -> String {
        if self.up_to < Sensitivity::Personal {
            return String::new();
        }
        let name = self
            .fields
            .one(field::LOCATION)
            .and_then(|location| member_text(location, field::PLACE_NAME));
        match name {
            Some(name) => format!("at {}:", shortened(name)),
            None => String::new(),
        }
    }

    /// The word of the state that began last.
    fn duty_state(&self) -> String {
        self.fields
            .list(field::DUTY_STATES)
            .iter()
            .max_by_key(|state| member_instant(state, field::FROM).map(|from| from.utc_ms))
            .and_then(|state| member_code(state, field::DUTY_STATE))
            .map_or_else(String::new, |code| code.to_string())
    }
}

/// An interval as `14:05-14:20`, or `14:05-` while it lasts.
pub(crate) fn interval_text(interval: &Value) -> Option<String> {
    let from = member_instant(interval, field::FROM)?;
    let to = member_instant(interval, field::TO).map_or_else(String::new, time::local_clock);
    Some(format!("{}-{to}", time::local_clock(from)))
}

/// The first line, at most 60 characters of it.
fn shortened(text: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let long = first.chars().count() > SUMMARY_CHARS_MAX;
    if long || lines.next().is_some() {
        let kept: String = first.chars().take(SUMMARY_CHARS_MAX).collect();
        format!("{}...", kept.trim_end())
    } else {
        first.to_owned()
    }
}

const SUMMARY_CHARS_MAX: usize = 60;

#[cfg(test)]
mod tests;
