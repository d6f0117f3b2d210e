//! The versions of a record that wait for a person: what each says where they differ. For showing and for resolving.

use beatbook_field::{Read, Revised};
use beatbook_proto::{Dot, FieldId, FieldOp, Value};
use beatbook_records::schema::{self, Sensitivity};
use beatbook_records::{MergedFields, show};
use serde_json::json;

use crate::error::Failure;

/// One of several versions, as its author left it.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// The entry that made it.
    pub(crate) reference: String,
    /// Who, by collar number.
    pub(crate) by: String,
    /// When, by that device's clock.
    pub(crate) at: beatbook_proto::Instant,
    /// Every field as its author left it.
    fields: MergedFields,
}

/// The versions of a record, in the order in which they are numbered from 1, and the fields in which they differ.
#[derive(Clone, Debug, Default)]
pub(crate) struct Versions {
    /// In order.
    pub(crate) versions: Vec<Version>,
    /// The fields that a person has to settle.
    pub(crate) differing: Vec<FieldId>,
}

impl Versions {
    /// Reads them off a record; none where nothing waits.
    pub(crate) fn of(read: &Read) -> Self {
        if !read.record.is_conflict() {
            return Self::default();
        }
        let tips: Vec<&Revised> = read
            .history
            .iter()
            .filter(|revised| read.tips.contains(&revised.dot))
            .collect();
        let siblings: Vec<FieldId> = read.versions.iter().map(|versions| versions.field).collect();
        let mut versions: Vec<Version> = tips.iter().map(|tip| version(read, tip)).collect();
        let differing = match siblings.is_empty() {
            // Under the notebook's law changes of different fields wait too.
            true => differing(&versions),
            false => siblings,
        };
        // A change of other fields merged by itself and is no side of this.
        versions.retain(|version| differing.iter().any(|id| speaks(read, version, *id)));
        Self { versions, differing }
    }

    /// The operations that make the record say what version `number` says, where the versions differ; `settled` are the
    /// fields that are said otherwise.
    pub(crate) fn keep(
        &self,
        read: &Read,
        number: usize,
        settled: &[FieldId],
    ) -> Result<Vec<(FieldId, FieldOp)>, Failure> {
        let wrong = |what: String| Failure::Choice {
            record: read.record.reference.clone(),
            what,
        };
        let count = self.versions.len();
        let version = number
            .checked_sub(1)
            .and_then(|index| self.versions.get(index))
            .ok_or_else(|| {
                wrong(format!(
                    "there is no version {number}: beatbook show numbers them 1 to {count}"
                ))
            })?;
        let mut ops = Vec::new();
        for id in self.differing.iter().filter(|id| !settled.contains(id)) {
            if !speaks(read, version, *id) {
                let name = schema::name_of(*id);
                return Err(wrong(format!(
                    "version {number} does not settle {name}: add --set {name}=VALUE"
                )));
            }
            ops.push(match version.fields.one(*id) {
                Some(value) => (*id, FieldOp::Set(value.clone())),
                None => (*id, FieldOp::Clear),
            });
        }
        Ok(ops)
    }

    /// The versions as text, numbered.
    pub(crate) fn text(&self, up_to: Sensitivity) -> String {
        let mut text = String::new();
        for (index, version) in self.versions.iter().enumerate() {
            text.push_str(&format!(
                "\nVERSION {} by {} at {} ({})\n",
                index + 1,
                version.by,
                crate::time::stamp(version.at),
                version.reference
            ));
            for id in &self.differing {
                let value = version.fields.one(*id);
                let spec = schema::any_field(*id);
                let shown = value.map_or_else(
                    || "nothing".to_owned(),
                    |value| show::value_text(value, spec, up_to),
                );
                text.push_str(&format!("  {}: {shown}\n", schema::name_of(*id)));
            }
        }
        text
    }

    /// The versions for scripts.
    pub(crate) fn objects(&self, up_to: Sensitivity) -> Vec<serde_json::Value> {
        let one = |(index, version): (usize, &Version)| {
            let said: serde_json::Map<String, serde_json::Value> = self
                .differing
                .iter()
                .map(|id| {
                    let value = version.fields.one(*id).map_or(serde_json::Value::Null, |value| {
                        beatbook_records::export::value_json(value, schema::any_field(*id), up_to)
                    });
                    (schema::name_of(*id), value)
                })
                .collect();
            json!({
                "version": index + 1,
                "entry": version.reference,
                "collar": version.by,
                "at": beatbook_records::time::rfc3339(version.at),
                "fields": said,
            })
        };
        self.versions.iter().enumerate().map(one).collect()
    }
}

/// The record as the author of `tip` left it: everything that they had read, and what they wrote.
fn version(read: &Read, tip: &Revised) -> Version {
    let mut fields = MergedFields::new();
    for revised in &read.history {
        if revised.dot == tip.dot || tip.context.covers(revised.dot) {
            fields.apply(&revised.ops);
        }
    }
    Version {
        reference: tip.reference.clone(),
        by: tip.collar.clone().unwrap_or_else(|| tip.officer.to_string()),
        at: beatbook_proto::Instant {
            utc_ms: tip.recorded_at.utc_ms,
            offset_min: tip.recorded_at.offset_min,
        },
        fields,
    }
}

/// Registers that the versions do not agree on.
fn differing(versions: &[Version]) -> Vec<FieldId> {
    let mut ids: Vec<FieldId> = versions
        .iter()
        .flat_map(|version| version.fields.iter())
        .filter(|(_, field)| !field.register.is_empty())
        .map(|(id, _)| id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids.retain(|id| {
        let mut said = versions.iter().map(|version| version.fields.siblings(*id));
        let first = said.next();
        said.any(|values| Some(values) != first)
    });
    ids
}

/// Whether what a version says of a field still stands in the record.
fn speaks(read: &Read, version: &Version, id: FieldId) -> bool {
    let standing: Option<&Vec<(Dot, Value)>> = read
        .versions
        .iter()
        .find(|versions| versions.field == id)
        .map(|versions| &versions.values);
    match (standing, version.fields.one(id)) {
        (Some(standing), Some(value)) => standing.iter().any(|(_, other)| other == value),
        (Some(_), None) => false,
        // No siblings: each author left the field as they had read it, or changed it.
        (None, _) => version.fields.siblings(id).len() <= 1,
    }
}
