//! Rules about a record as a whole.

use beatbook_proto::{FieldId, Value, track};

use crate::field;
use crate::merged::{MergedFields, as_bool, as_text, member_code, member_text};
use crate::schema::{CHUNK_MS_MAX, FamilySpec, POINTS_MAX};

/// A rule about a record as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// An anonymous contact names someone.
    #[error("identifies a person, but the contact is anonymous: take it out, or change the identity level")]
    Anonymous,
    /// The entry is blank.
    #[error("is blank: a blank entry cannot be signed; write it, or void it")]
    Blank,
    /// Blank lines at the end.
    #[error("ends with blank lines: take them out before signing")]
    BlankLinesAtEnd,
    /// Positions were recorded in a break.
    #[error("is a break: positions are not recorded then")]
    Break,
    /// A strike with nothing under it.
    #[error("strikes nothing: the range is empty, or outside the text")]
    NothingStruck,
    /// A counter below zero.
    #[error("is below zero: count up again")]
    Negative,
    /// A group or a broadcast without its reach.
    #[error("is missing: say how many a group or a broadcast reached")]
    Reach,
    /// Safe contact was not recorded.
    #[error("is missing: domestic abuse or a protected identity needs it")]
    SafeContact,
    /// Several values, and the record is to be signed.
    #[error("has two versions: resolve first")]
    Siblings,
    /// More than three priorities.
    #[error("has more than three priorities: remove one")]
    ThreePriorities,
    /// The track does not read, or is empty.
    #[error("does not read: record it again")]
    Track,
    /// The track is too long.
    #[error("is over 64 points or 5 minutes: begin another chunk")]
    TrackTooLong,
}

/// The rules that a record breaks, each with the field that it shows on; `whole` where it has to be fit to be signed.
pub(super) fn broken(family: &FamilySpec, fields: &MergedFields, whole: bool) -> Vec<(&'static str, Rule)> {
    let mut broken = Vec::new();
    match family.name {
        "NOTE" if whole => note_to_sign(fields, &mut broken),
        "PATROL_SEGMENT" if fields.set(field::PRIORITY_IDS).len() > 3 => {
            broken.push(("priority_ids", Rule::ThreePriorities));
        }
        "BREADCRUMB" => breadcrumb(fields, &mut broken),
        "STOP" if fields.counter(field::CONTACTS_MADE) < 0 => broken.push(("contacts_made", Rule::Negative)),
        "CONTACT" => contact(fields, &mut broken),
        _ => {}
    }
    broken
}

fn note_to_sign(fields: &MergedFields, broken: &mut Vec<(&'static str, Rule)>) {
    for body in fields.siblings(field::BODY).iter().filter_map(as_text) {
        if body.trim().is_empty() {
            broken.push(("body", Rule::Blank));
        } else if crate::build::without_blank_end(body) != body {
            broken.push(("body", Rule::BlankLinesAtEnd));
        }
    }
}

fn breadcrumb(fields: &MergedFields, broken: &mut Vec<(&'static str, Rule)>) {
    for value in fields.siblings(field::TRACK) {
        let Value::Track(bytes) = value else { continue };
        match track_span(bytes) {
            None => broken.push(("track", Rule::Track)),
            Some((points, span_ms)) if points > POINTS_MAX || span_ms > CHUNK_MS_MAX => {
                broken.push(("track", Rule::TrackTooLong));
            }
            Some(_) => {}
        }
    }
    if fields.any_is(field::TRACK_DUTY_STATE, "REFRESHMENT") {
        broken.push(("duty_state", Rule::Break));
    }
}

/// How many points a track has and how many milliseconds it spans; `None` if it does not read or has none.
pub(super) fn track_span(bytes: &[u8]) -> Option<(usize, i64)> {
    let points = track::decode(bytes).ok()?;
    let first = points.iter().map(|fix| fix.utc_ms).min()?;
    let last = points.iter().map(|fix| fix.utc_ms).max()?;
    Some((points.len(), last.saturating_sub(first)))
}

fn contact(fields: &MergedFields, broken: &mut Vec<(&'static str, Rule)>) {
    let wide = fields.any_is(field::CONTACT_KIND, "GROUP") || fields.any_is(field::CONTACT_KIND, "BROADCAST");
    if wide && fields.max(field::REACH).is_none() {
        broken.push(("reach", Rule::Reach));
    }
    let abuse = fields
        .set(field::VULNERABILITY)
        .iter()
        .filter_map(|flag| member_code(flag, field::FLAG))
        .any(|flag| flag.as_str() == "DOMESTIC_ABUSE");
    let protected = fields
        .siblings(field::IDENTITY_PROTECTED)
        .iter()
        .any(|value| as_bool(value) == Some(true));
    if (abuse || protected) && fields.field(field::SAFE_CONTACT).is_none() {
        broken.push(("safe_contact", Rule::SafeContact));
    }
    if fields.any_is(field::IDENTITY_LEVEL, "ANONYMOUS") {
        anonymous(fields, broken);
    }
}

fn anonymous(fields: &MergedFields, broken: &mut Vec<(&'static str, Rule)>) {
    let has = |value: &Value, ids: &[FieldId]| ids.iter().any(|id| value.member(*id).is_some());
    if fields
        .values(field::CONTACT_PERSONS)
        .any(|person| has(person, NAMING))
    {
        broken.push(("persons", Rule::Anonymous));
    }
    if fields.values(field::LOCATION).any(exact_address) {
        broken.push(("location", Rule::Anonymous));
    }
    let concern_at = |concern: &Value| concern.member(field::CONCERN_LOCATION).is_some_and(exact_address);
    if fields.values(field::CONCERNS).any(concern_at) {
        broken.push(("concerns", Rule::Anonymous));
    }
    if fields.field(field::REFERRAL).is_some() {
        broken.push(("safeguarding_referral", Rule::Anonymous));
    }
}

/// Whether a location names one address: by words, by number, or by a position at a dwelling.
fn exact_address(location: &Value) -> bool {
    let named = [field::ADDRESS_TEXT, field::UPRN]
        .iter()
        .any(|id| location.member(*id).is_some());
    let dwelling =
        member_code(location, field::LOCATION_TYPE).is_some_and(|code| code.as_str() == "DWELLING");
    let position = [field::POINT, field::OS_GRID]
        .iter()
        .any(|id| location.member(*id).is_some());
    named || (dwelling && position)
}

/// Whether a strike that is about to be written strikes something: ranges are of the text as it was read.
pub(super) fn strikes_something(family: &FamilySpec, before: &MergedFields, strike: &Value) -> bool {
    let texts = struck_field(family, strike)
        .into_iter()
        .flat_map(|id| before.siblings(id))
        .filter_map(as_text);
    let longest = texts.map(|text| text.chars().count()).max().unwrap_or(0);
    strike_range(strike).is_some_and(|range| !range.is_empty() && range.end <= longest)
}

/// The text field that a strike strikes: the one that it names, or the body.
pub(crate) fn struck_field(family: &FamilySpec, strike: &Value) -> Option<FieldId> {
    let name = member_text(strike, field::STRUCK_FIELD).unwrap_or("body");
    family.named(name).map(|spec| spec.id)
}

/// The code points that a strike strikes.
pub(crate) fn strike_range(strike: &Value) -> Option<std::ops::Range<usize>> {
    let place = |id| crate::merged::member_int(strike, id).and_then(|number| usize::try_from(number).ok());
    Some(place(field::START)?..place(field::END)?)
}

const NAMING: &[FieldId] = &[
    field::PERSON_ID,
    field::NOMINAL_ID,
    field::GIVEN_NAME,
    field::FAMILY_NAME,
    field::OTHER_NAMES,
    field::ALIAS,
    field::DOB,
    field::PHONE,
    field::EMAIL,
    field::HOME_ADDRESS,
];
