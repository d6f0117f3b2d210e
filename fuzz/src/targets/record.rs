//! Bodies of revisions as records: whatever a peer wrote, it is merged, checked, rendered and exported, within bounds.

use beatbook_proto::{Body, FieldId, FieldOp, Opening, Original, RevisionKind, Stamp, codec};
use beatbook_records::render::{Change, Page, render};
use beatbook_records::schema::{self, Sensitivity};
use beatbook_records::vocabulary::Role;
use beatbook_records::{
    MergedFields, Received, Write, check_received, check_write, derive, export, flags, search, show,
};

use crate::input::Input;
use crate::samples::{self, Thing};

/// Family and kind, then the body.
pub(super) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let family = schema::FAMILIES.get(input.below(schema::FAMILIES.len() + 1));
    let kind = RevisionKind(input.byte() % 12);
    let bytes = input.rest();
    // An opening and an original are bodies too; they are never read as a record.
    let _ = (codec::decode::<Opening>(bytes), codec::decode::<Original>(bytes));
    let Ok(body) = codec::decode::<Body>(bytes) else {
        return;
    };
    let reason = body.reason.as_ref().map(beatbook_proto::Text::as_str);
    let name = family.map_or("DRONE_FLIGHT", |family| family.name);
    let received = Received {
        family: name,
        kind,
        reason,
        ops: &body.ops,
    };
    let well_formed = check_received(&received).is_ok();
    let mut fields = MergedFields::new();
    fields.apply(body.ops.iter());
    let write = Write {
        family: name,
        kind,
        reason,
        ops: &body.ops,
        before: &MergedFields::new(),
        recorded_at: body.recorded_at,
        role: &Role::Pcso,
    };
    if check_write(&write).is_ok() {
        assert!(
            well_formed,
            "what may be written would be put apart by the server"
        );
    }
    shown(name, &fields, &body);
    look(&fields, body.recorded_at, family);
}

/// Every sample of a body under every family, and operations on fields that mean something to views.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let families = u8::try_from(schema::FAMILIES.len()).unwrap_or(0);
    let all = samples::all();
    let bodies = all.iter().filter_map(|sample| match &sample.thing {
        Thing::Body(body) => Some(body.clone()),
        _ => None,
    });
    let values = all.iter().filter_map(|sample| match &sample.thing {
        Thing::Value(value) => Some(value.clone()),
        _ => None,
    });
    let values: Vec<_> = values.collect();
    for body in bodies {
        for (number, family) in (0..).zip(schema::FAMILIES) {
            seeds.push([&[number, 1], codec::encode(&body).unwrap_or_default().as_slice()].concat());
            // Each field with each value: most do not fit, which is what a view has to bear.
            for field in family.fields {
                let ops = values.iter().map(|value| (field.id, FieldOp::Set(value.clone())));
                let appended = values
                    .iter()
                    .map(|value| (field.id, FieldOp::Append(value.clone())));
                let ops: Vec<(FieldId, FieldOp)> = ops.chain(appended).collect();
                let body = Body {
                    ops: ops.into(),
                    ..body.clone()
                };
                seeds.push([&[number, 1], codec::encode(&body).unwrap_or_default().as_slice()].concat());
            }
        }
        seeds.push(
            [
                &[families, 2],
                codec::encode(&body).unwrap_or_default().as_slice(),
            ]
            .concat(),
        );
    }
    seeds
}

fn shown(family: &str, fields: &MergedFields, body: &Body) {
    for up_to in [Sensitivity::Ordinary, Sensitivity::Sensitive] {
        let json = export::json(family, fields, up_to).to_string();
        assert!(json.starts_with('{'), "no object");
        if let Some(family) = schema::family(family) {
            let (headers, row) = (
                export::csv_headers(family, up_to),
                export::csv_row(family, fields, up_to),
            );
            assert_eq!(
                headers.len(),
                row.len(),
                "a row of another length than its headers"
            );
            let runs = |cell: &String| cell.starts_with(['=', '+', '-', '@', '\t', '\0', '\r', '\n']);
            for cell in &row {
                let number = cell.parse::<i128>().is_ok() || cell.parse::<f64>().is_ok();
                assert!(
                    !runs(cell) || number,
                    "a cell that a spreadsheet would run: {} bytes",
                    cell.len()
                );
            }
        }
        let reason = body.reason.as_ref().map(beatbook_proto::Text::as_str);
        let kinds = [
            RevisionKind::CREATE,
            RevisionKind::AMEND,
            RevisionKind::STRIKE,
            RevisionKind::RESOLVE,
        ];
        let changes = kinds.map(|kind| Change {
            reference: "B07/118",
            by: "7001",
            kind,
            recorded_at: body.recorded_at,
            reason,
            ops: &body.ops,
        });
        let page = Page {
            reference: "B07/118",
            family,
            merged: fields,
            changes: &changes,
            up_to,
        };
        assert!(render(&page).ends_with('\n'), "a page that does not end");
        let _ = show::summary(family, fields, up_to);
    }
}

fn look(fields: &MergedFields, recorded_at: Stamp, family: Option<&schema::FamilySpec>) {
    let _ = (
        search::searchable_text(fields).count(),
        search::people(fields).count(),
    );
    let _ = (search::beats(fields).count(), search::occurred(fields));
    let totals = derive::totals(fields, None);
    let _ = (totals.visible_min(), totals.abstraction_permille());
    let _ = derive::timeline(fields, None)
        .iter()
        .map(derive::DutySpan::ms)
        .count();
    let _ = (derive::dwell_s(fields), derive::dwell([fields, fields]));
    if let Some(family) = family {
        let _ = flags(family, fields, recorded_at);
    }
}
