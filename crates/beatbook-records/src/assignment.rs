//! Assignments from text: `field=value`, for command lines and forms.
//!
//! `field=value` sets, appends or raises, as the field is written; `field+=value` adds; `field-=value`
//! takes out of a set (for a set of groups: its number in the set, from 1); `field=` clears. Members of a
//! group follow dots: `location.point=51.2,-3.4`. All assignments to one group make one value.

use beatbook_proto::{Dot, FieldId, FieldOp, OfficerId, Point, ReplicaId, Value};

use crate::build::{BuildError, Op, text_value};
use crate::field;
use crate::grid;
use crate::merged::MergedFields;
use crate::redact::redacted;
use crate::schema::{FamilySpec, FieldSpec, Kind, Merge};
use crate::time::{self, TimeError};
use crate::vocabulary::FixSource;

/// Why an assignment cannot be read. Never quotes the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignmentError {
    /// The value cannot be a value of the field.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The field is a group: its members are assigned.
    #[error("{field} is a group: assign its members, such as {field}.{example}")]
    Group {
        /// The field.
        field: String,
        /// One of its members.
        example: &'static str,
    },
    /// The group has no such member.
    #[error("{field} has no member of that name; it has {members}")]
    Member {
        /// The field.
        field: String,
        /// The members that it has.
        members: String,
    },
    /// There is no `=`.
    #[error("an assignment reads FIELD=VALUE")]
    NoEquals,
    /// The set has no element of that number.
    #[error("{field} has no element of that number: they count from 1")]
    NoElement {
        /// The field.
        field: String,
    },
    /// The field is not assigned from text.
    #[error("{field} is recorded by the device, not assigned")]
    NotFromText {
        /// The field.
        field: String,
    },
    /// The operator does not fit the field.
    #[error("{field} is not assigned with {operator}: {instead}")]
    Operator {
        /// The field.
        field: String,
        /// The operator.
        operator: &'static str,
        /// What fits.
        instead: &'static str,
    },
    /// The value is not a time or a day.
    #[error("{field} {error}")]
    Time {
        /// The field.
        field: String,
        /// Why not.
        error: TimeError,
    },
    /// The family has no such field.
    #[error("{family} has no field of that name: see the list of its fields")]
    UnknownField {
        /// The family.
        family: &'static str,
    },
    /// The value is of another kind.
    #[error("{field} takes a {expected}")]
    Value {
        /// The field.
        field: String,
        /// What it takes.
        expected: String,
    },
}

/// What stands between field and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

/// One assignment, split and looked up.
#[derive(Clone)]
struct Assignment<'a> {
    spec: &'static FieldSpec,
    path: Vec<&'static FieldSpec>,
    operator: Operator,
    value: &'a str,
    /// The field as it was written, for messages.
    name: String,
}

/// Reads assignments and turns them into operations on a record as it was read.
///
/// A member that is assigned replaces that member of the group as it was read; a new position takes the
/// accuracy, source and age of the old one with it.
///
/// # Errors
/// The first assignment that cannot be read.
pub fn assign<S: AsRef<str>>(
    family: &FamilySpec,
    before: &MergedFields,
    assignments: &[S],
) -> Result<Vec<Op>, AssignmentError> {
    let mut ops: Vec<Op> = Vec::new();
    for text in assignments {
        let assignment = parse(family, text.as_ref())?;
        if assignment.path.is_empty() {
            ops.push((assignment.spec.id, plain_op(&assignment, before)?));
        } else {
            assign_member(&assignment, before, &mut ops)?;
        }
    }
    for (id, op) in &mut ops {
        complete_fix(*id, op);
    }
    Ok(ops)
}

fn parse<'a>(family: &FamilySpec, text: &'a str) -> Result<Assignment<'a>, AssignmentError> {
    let (left, value) = text.split_once('=').ok_or(AssignmentError::NoEquals)?;
    let (left, operator) = match (left.strip_suffix('+'), left.strip_suffix('-')) {
        (Some(left), _) => (left, Operator::Add),
        (_, Some(left)) => (left, Operator::Remove),
        _ => (left, Operator::Set),
    };
    let mut names = left.trim().split('.');
    let spec = names
        .next()
        .and_then(|name| family.named(name))
        .ok_or(AssignmentError::UnknownField { family: family.name })?;
    let mut path = Vec::new();
    let mut name = spec.name.to_owned();
    let mut inner = spec;
    for member in names {
        inner = inner.member(member).ok_or_else(|| AssignmentError::Member {
            field: name.clone(),
            members: member_names(inner),
        })?;
        name = format!("{name}.{}", inner.name);
        path.push(inner);
    }
    Ok(Assignment {
        spec,
        path,
        operator,
        value,
        name,
    })
}

fn member_names(spec: &FieldSpec) -> String {
    match spec.members() {
        [] => "none".to_owned(),
        members => members
            .iter()
            .map(|member| member.name)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// An assignment to a whole field.
fn plain_op(assignment: &Assignment<'_>, before: &MergedFields) -> Result<FieldOp, AssignmentError> {
    let Assignment {
        spec,
        operator,
        value,
        name,
        ..
    } = assignment;
    if *operator == Operator::Set && value.is_empty() {
        return Ok(FieldOp::Clear);
    }
    if spec.merge == Merge::AddRemove && *operator == Operator::Remove && !spec.members().is_empty() {
        let element = value
            .trim()
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1))
            .and_then(|index| before.set(spec.id).get(index));
        let missing = || AssignmentError::NoElement { field: name.clone() };
        return element.cloned().map(FieldOp::Remove).ok_or_else(missing);
    }
    let number = || value.trim().parse::<i64>().map_err(|_| mismatch(name, spec.kind));
    match (spec.merge, operator) {
        (Merge::Set, Operator::Set) => Ok(FieldOp::Set(read(spec.kind, value, name)?)),
        (Merge::AddRemove, Operator::Remove) => Ok(FieldOp::Remove(read(spec.kind, value, name)?)),
        (Merge::AddRemove, _) => Ok(FieldOp::Add(read(spec.kind, value, name)?)),
        (Merge::Append, Operator::Set | Operator::Add) => Ok(FieldOp::Append(read(spec.kind, value, name)?)),
        (Merge::Increment, Operator::Add) => Ok(FieldOp::Increment(number()?)),
        (Merge::Increment, Operator::Remove) => number().map(|by| FieldOp::Increment(by.saturating_neg())),
        (Merge::Max, Operator::Set) => Ok(FieldOp::Max(number()?)),
        (merge, operator) => Err(AssignmentError::Operator {
            field: name.clone(),
            operator: operator_text(*operator),
            instead: fitting(merge),
        }),
    }
}

/// An assignment to a member: joins the others to the same group.
fn assign_member(
    assignment: &Assignment<'_>,
    before: &MergedFields,
    ops: &mut Vec<Op>,
) -> Result<(), AssignmentError> {
    let spec = assignment.spec;
    if assignment.operator != Operator::Set {
        return Err(AssignmentError::Operator {
            field: assignment.name.clone(),
            operator: operator_text(assignment.operator),
            instead: "assign members with =",
        });
    }
    let group_in = |op: &FieldOp| match op {
        FieldOp::Set(Value::Group(group))
        | FieldOp::Add(Value::Group(group))
        | FieldOp::Append(Value::Group(group)) => Some(group.0.clone()),
        _ => None,
    };
    let open = ops
        .iter()
        .position(|(id, op)| *id == spec.id && group_in(op).is_some());
    let mut members = match open.and_then(|index| ops.get(index)) {
        Some((_, op)) => group_in(op).unwrap_or_default(),
        None if spec.merge == Merge::Set => match before.one(spec.id) {
            Some(Value::Group(group)) => group.0.clone(),
            _ => Vec::new(),
        },
        None => Vec::new(),
    };
    put(&mut members, &assignment.path, assignment)?;
    let group = Value::Group(members.into());
    let op = match spec.merge {
        Merge::AddRemove => FieldOp::Add(group),
        Merge::Append => FieldOp::Append(group),
        Merge::Increment | Merge::Max | Merge::Set => FieldOp::Set(group),
    };
    match open.and_then(|index| ops.get_mut(index)) {
        Some(place) => place.1 = op,
        None => ops.push((spec.id, op)),
    }
    Ok(())
}

/// Puts a value where `path` leads, making groups on the way.
fn put(
    members: &mut Vec<(FieldId, Value)>,
    path: &[&'static FieldSpec],
    assignment: &Assignment<'_>,
) -> Result<(), AssignmentError> {
    let Some((spec, rest)) = path.split_first() else {
        return Ok(());
    };
    let old = members
        .iter()
        .position(|(id, _)| *id == spec.id)
        .map(|index| members.remove(index).1);
    if rest.is_empty() {
        if assignment.value.is_empty() {
            return Ok(());
        }
        members.push((spec.id, read(spec.kind, assignment.value, &assignment.name)?));
        // A new position is not as good, as old or from where the one before was.
        if spec.id == field::POINT {
            members.retain(|(id, _)| {
                ![
                    field::ACCURACY_DM,
                    field::FIX_SOURCE,
                    field::FIX_AGE_S,
                    field::OS_GRID,
                ]
                .contains(id)
            });
        }
    } else {
        let mut inner = match old {
            Some(Value::Group(group)) => group.0,
            _ => Vec::new(),
        };
        put(&mut inner, rest, assignment)?;
        members.push((spec.id, Value::Group(inner.into())));
    }
    // Equal groups are equal bytes.
    members.sort_by_key(|(id, _)| *id);
    Ok(())
}

/// Gives a position set by hand its source and its grid reference.
fn complete_fix(id: FieldId, op: &mut FieldOp) {
    let (FieldOp::Set(Value::Group(group)) | FieldOp::Append(Value::Group(group))) = op else {
        return;
    };
    for (member, value) in &mut group.0 {
        if *member == field::CONCERN_LOCATION
            && let Value::Group(location) = value
        {
            complete_location(&mut location.0);
        }
    }
    if id == field::LOCATION {
        complete_location(&mut group.0);
    }
}

fn complete_location(members: &mut Vec<(FieldId, Value)>) {
    let has = |members: &[(FieldId, Value)], wanted| members.iter().any(|(id, _)| *id == wanted);
    let point = members.iter().find_map(|(id, value)| match value {
        Value::Point(point) if *id == field::POINT => Some(*point),
        _ => None,
    });
    let Some(point) = point else { return };
    if !has(members, field::FIX_SOURCE) {
        members.push((field::FIX_SOURCE, Value::Code(FixSource::Manual.code())));
    }
    let derived = grid::from_point(point).map(|grid| grid.to_string());
    if !has(members, field::OS_GRID)
        && let Some(text) = derived.and_then(beatbook_proto::Text::new)
    {
        members.push((field::OS_GRID, Value::Text(text)));
    }
    members.sort_by_key(|(id, _)| *id);
}

/// Reads one value of `kind`.
fn read(kind: Kind, text: &str, name: &str) -> Result<Value, AssignmentError> {
    let wrong = || mismatch(name, kind);
    let time = |error| AssignmentError::Time {
        field: name.to_owned(),
        error,
    };
    match kind {
        Kind::Bool => yes_or_no(text).map(Value::Bool).ok_or_else(wrong),
        Kind::Int { .. } => text.trim().parse().map(Value::Int).map_err(|_| wrong()),
        Kind::Text { .. } | Kind::Word(_) => Ok(text_value(Some(kind), text, name)?),
        Kind::Code(_) => {
            let word = text.trim().to_uppercase().replace(['-', ' '], "_");
            Ok(text_value(Some(kind), &word, name)?)
        }
        Kind::Instant => time::parse_instant(text).map(Value::Instant).map_err(time),
        Kind::Date => time::parse_day(text).map(Value::Date).map_err(time),
        Kind::Point => point(text).map(Value::Point).ok_or_else(wrong),
        Kind::Record => dot(text).map(Value::Record).ok_or_else(wrong),
        Kind::Officer => text
            .trim()
            .parse::<OfficerId>()
            .map(Value::Officer)
            .map_err(|_| wrong()),
        Kind::List(element) => {
            let items: Result<Vec<Value>, _> =
                text.split(',').map(|item| read(*element, item, name)).collect();
            Ok(Value::List(items?.into()))
        }
        Kind::Group(members) => Err(AssignmentError::Group {
            field: name.to_owned(),
            example: members.first().map_or("", |member| member.name),
        }),
        Kind::Blob | Kind::Track => Err(AssignmentError::NotFromText {
            field: name.to_owned(),
        }),
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    }
}

/// Latitude and longitude in degrees, with a comma between.
fn point(text: &str) -> Option<Point> {
    let (lat, lon) = text.split_once(',')?;
    Some(Point {
        lat_e7: degrees(lat, 90.0)?,
        lon_e7: degrees(lon, 180.0)?,
    })
}

fn degrees(text: &str, max: f64) -> Option<i32> {
    let degrees: f64 = text.trim().parse().ok()?;
    (degrees.abs() <= max).then(|| (degrees * 1e7).round() as i32)
}

/// A replica and an entry number, `<uuid>/<number>`; labels of books are for the caller to resolve.
fn dot(text: &str) -> Option<Dot> {
    let (replica, counter) = text.trim().rsplit_once('/')?;
    Some(Dot {
        replica: replica.parse::<ReplicaId>().ok()?,
        counter: counter.parse().ok().filter(|counter| *counter > 0)?,
    })
}

fn mismatch(name: &str, kind: Kind) -> AssignmentError {
    let expected = match kind {
        Kind::Bool => "yes or no".to_owned(),
        Kind::Point => "position, latitude and longitude, such as 51.2,-3.4".to_owned(),
        Kind::Record => "record, a book's identifier and the entry number".to_owned(),
        kind => kind.word(),
    };
    AssignmentError::Value {
        field: name.to_owned(),
        expected,
    }
}

fn operator_text(operator: Operator) -> &'static str {
    match operator {
        Operator::Add => "+=",
        Operator::Remove => "-=",
        Operator::Set => "=",
    }
}

fn fitting(merge: Merge) -> &'static str {
    match merge {
        Merge::AddRemove => "it is a set, use += or -=",
        Merge::Append => "it is a list, use +=; what it holds is never taken away",
        Merge::Increment => "it is a counter, use += or -=",
        Merge::Max => "it is a maximum, raise it with =",
        Merge::Set => "it is a single value, use =",
    }
}

redacted!(Assignment<'_>);

#[cfg(test)]
mod tests;
