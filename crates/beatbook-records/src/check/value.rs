//! Checks of one value against the kind of its field.

use beatbook_proto::{Code, FieldId, Value};

use super::WriteError;
use crate::field;
use crate::merged::{as_bool, as_code, member_instant, member_int};
use crate::schema::{FieldSpec, Form, FormError, Kind, Merge, Required};

/// What is wrong with a value or an operation, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Nothing in it.
    #[error("is empty: leave it out, or fill it in")]
    Empty,
    /// The interval ends before it begins.
    #[error("ends before it begins: check both times")]
    EndsBeforeStart,
    /// The text has not the form of its field.
    #[error("{0}")]
    Form(FormError),
    /// A member is missing from its group.
    #[error("lacks {member}: give it together with the rest")]
    MissingMember {
        /// The member.
        member: &'static str,
    },
    /// The least is over the greatest.
    #[error("has a least over the greatest: swap them")]
    MinOverMax,
    /// The position is not on the globe.
    #[error("is no position: latitude is -90 to 90, longitude -180 to 180")]
    NoPosition,
    /// The field is not written by this operation.
    #[error("is {}", merge_word(*.merge))]
    Operation {
        /// How it is written.
        merge: Merge,
    },
    /// The number is out of its range.
    #[error("is out of range: {min} to {max} {unit}")]
    OutOfRange {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// The unit.
        unit: &'static str,
    },
    /// A member stands twice in its group.
    #[error("is given twice in one group: give it once")]
    Repeated,
    /// Too many characters.
    #[error("is {chars} characters long, at most {chars_max}: shorten it, or write a supplement")]
    TooLong {
        /// How many it has.
        chars: usize,
        /// How many it may have.
        chars_max: usize,
    },
    /// The group has no such member.
    #[error("is not a member of this group: see the list of fields")]
    UnknownMember,
    /// The word is not in the vocabulary.
    #[error(
        "cannot be {word}, which is not in the vocabulary {vocabulary}: take a word of its list{}",
        own_words(*.open)
    )]
    UnknownWord {
        /// The word.
        word: Code,
        /// The vocabulary.
        vocabulary: &'static str,
        /// May a force have words of its own in it?
        open: bool,
    },
    /// The value is of another kind.
    #[error("is not a {expected}")]
    WrongKind {
        /// The kind that the field holds.
        expected: String,
    },
}

/// Checks a value that is about to be written in a field of `kind`.
pub(super) fn check(kind: Kind, value: &Value, path: &str) -> Result<(), WriteError> {
    if !kind.holds(value) {
        let expected = kind.word();
        return Err(at(path, Problem::WrongKind { expected }));
    }
    match (kind, value) {
        (Kind::Int { .. }, Value::Int(number)) => check_int(kind, *number, path),
        (Kind::Text { form, chars_max }, Value::Text(text)) => {
            check_text(form, chars_max, text.as_str(), path)
        }
        (Kind::Word(form), Value::Code(code)) => form
            .check(code.as_str())
            .map_err(|error| at(path, Problem::Form(error))),
        (Kind::Code(vocabulary), Value::Code(code)) if !vocabulary.accepts(code.as_str()) => {
            let problem = Problem::UnknownWord {
                word: code.clone(),
                vocabulary: vocabulary.id,
                open: vocabulary.open,
            };
            Err(at(path, problem))
        }
        (Kind::Point, Value::Point(point)) => {
            let on_globe =
                point.lat_e7.unsigned_abs() <= 900_000_000 && point.lon_e7.unsigned_abs() <= 1_800_000_000;
            on_globe
                .then_some(())
                .ok_or_else(|| at(path, Problem::NoPosition))
        }
        (Kind::List(_), Value::List(items)) if items.is_empty() => Err(at(path, Problem::Empty)),
        (Kind::List(element), Value::List(items)) => {
            items.iter().try_for_each(|item| check(*element, item, path))
        }
        (Kind::Group(specs), Value::Group(members)) => check_group(specs, members, value, path),
        _ => Ok(()),
    }
}

/// Checks a number against the range of its field.
pub(super) fn check_int(kind: Kind, number: i64, path: &str) -> Result<(), WriteError> {
    match kind {
        Kind::Int { min, max, unit } if !(min..=max).contains(&number) => {
            Err(at(path, Problem::OutOfRange { min, max, unit }))
        }
        _ => Ok(()),
    }
}

fn check_text(form: Form, chars_max: usize, text: &str, path: &str) -> Result<(), WriteError> {
    let chars = text.chars().count();
    if chars > chars_max {
        return Err(at(path, Problem::TooLong { chars, chars_max }));
    }
    // An empty free text is a draft; an empty formed text is a mistake.
    if chars == 0 && form != Form::Free {
        return Err(at(path, Problem::Empty));
    }
    form.check(text).map_err(|error| at(path, Problem::Form(error)))
}

fn check_group(
    specs: &'static [FieldSpec],
    members: &[(FieldId, Value)],
    group: &Value,
    path: &str,
) -> Result<(), WriteError> {
    if members.is_empty() {
        return Err(at(path, Problem::Empty));
    }
    for (index, (id, value)) in members.iter().enumerate() {
        let spec = specs.iter().find(|spec| spec.id == *id).ok_or_else(|| {
            let path = format!("{path}.{}", crate::schema::name_of(*id));
            at(&path, Problem::UnknownMember)
        })?;
        let path = format!("{path}.{}", spec.name);
        if members.iter().skip(index + 1).any(|(later, _)| later == id) {
            return Err(at(&path, Problem::Repeated));
        }
        check(spec.kind, value, &path)?;
    }
    let missing = specs
        .iter()
        .find(|spec| spec.required == Required::Always && group.member(spec.id).is_none());
    if let Some(spec) = missing {
        return Err(at(path, Problem::MissingMember { member: spec.name }));
    }
    check_together(group).map_err(|problem| at(path, problem))
}

/// Checks what the members of a group say together.
fn check_together(group: &Value) -> Result<(), Problem> {
    let times = (
        member_instant(group, field::FROM),
        member_instant(group, field::TO),
    );
    if let (Some(from), Some(to)) = times
        && to.utc_ms < from.utc_ms
    {
        return Err(Problem::EndsBeforeStart);
    }
    for (least, greatest) in [(field::AGE_MIN, field::AGE_MAX), (field::START, field::END)] {
        if let (Some(least), Some(greatest)) = (member_int(group, least), member_int(group, greatest))
            && least > greatest
        {
            return Err(Problem::MinOverMax);
        }
    }
    let made_later = group.member(field::MADE_AT_THE_TIME).and_then(as_bool) == Some(false);
    if made_later && group.member(field::REASON).is_none() {
        return Err(Problem::MissingMember { member: "reason" });
    }
    let overridden = group
        .member(field::REFERRAL_CONSENT)
        .and_then(as_code)
        .is_some_and(|code| code.as_str() == "OVERRIDDEN");
    if overridden && group.member(field::CONSENT_REASON).is_none() {
        return Err(Problem::MissingMember {
            member: "consent_reason",
        });
    }
    Ok(())
}

fn at(path: &str, problem: Problem) -> WriteError {
    WriteError::Field {
        field: path.to_owned(),
        problem,
    }
}

fn own_words(open: bool) -> &'static str {
    match open {
        true => ", or the force's own, which begins X_<force>_",
        false => "",
    }
}

fn merge_word(merge: Merge) -> &'static str {
    match merge {
        Merge::AddRemove => "a set: add to it or remove from it",
        Merge::Append => "a list: append to it; what it holds is never taken away",
        Merge::Increment => "a counter: increment it",
        Merge::Max => "a maximum: raise it",
        Merge::Set => "a single value: set it; one that has to be there is never cleared",
    }
}
