//! Builders of what every record carries, and of the revisions that the notebook's law names.

use beatbook_proto::{Dot, FieldId, FieldOp, Instant, OfficerId, Point, Value};

use super::value::{BuildError, Day, FromValue, IntoValue, group, member};
use super::{Members, Op, Ops};
use crate::field;
use crate::grid;
use crate::merged::MergedFields;
use crate::redact::redacted;
use crate::vocabulary::{
    FixSource, Lifecycle, LinkRelation, LocationPrivacy, LocationType, Marking, Purpose, Regime,
    RetentionGroup, Role,
};

/// When something began and ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub from: Instant,
    /// When it ended, once it has.
    pub to: Option<Instant>,
}

/// Who wrote a record, as known on the device.
#[derive(Clone, PartialEq, Eq)]
pub struct Author {
    /// The officer.
    pub officer: OfficerId,
    /// Collar number.
    pub collar: Option<String>,
    /// Force code.
    pub force: Option<String>,
    /// Role.
    pub role: Option<Role>,
}

/// Where something is; leave out what is not known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// WGS84 position.
    pub point: Option<Point>,
    /// Horizontal accuracy in decimetres.
    pub accuracy_dm: Option<u32>,
    /// Where the position came from.
    pub fix_source: Option<FixSource>,
    /// Age of the fix in seconds.
    pub fix_age_s: Option<u32>,
    /// OS grid reference; derived from the position if left out.
    pub os_grid: Option<String>,
    /// Unique property reference number.
    pub uprn: Option<String>,
    /// Unique street reference number.
    pub usrn: Option<String>,
    /// The address as written.
    pub address_text: Option<String>,
    /// What the place is called.
    pub place_name: Option<String>,
    /// What stands there.
    pub what_is_here: Option<String>,
    /// What kind of place it is.
    pub location_type: Option<LocationType>,
    /// Whatever the caller quoted, verbatim.
    pub caller_locator: Option<String>,
    /// How exactly it may be shown on export.
    pub privacy: Option<LocationPrivacy>,
}

/// How one record stands to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The relation.
    pub relation: LinkRelation,
    /// The other record.
    pub record: Dot,
}

/// How long a record is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The group.
    pub group: RetentionGroup,
    /// When to look at it again.
    pub review_due: Option<Day>,
}

/// Why a record may not be erased yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Hold {
    /// The case.
    pub reference: String,
    /// Collar number of who placed it.
    pub by: Option<String>,
    /// When.
    pub at: Option<Instant>,
}

/// Where and when a record belongs, and what it refers to.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// Force and neighbourhood, `52/C02`.
    pub beat: String,
    /// The marking; by default what the family and its content suggest.
    pub marking: Option<Marking>,
    /// When it happened.
    pub occurred: Option<Interval>,
    /// Why it is recorded late.
    pub delay_reason: Option<String>,
    /// Who writes.
    pub author: Option<Author>,
    /// Which law governs it.
    pub regime: Option<Regime>,
    /// What it is for.
    pub purpose: Option<Purpose>,
    /// How long it is kept.
    pub retention: Option<Retention>,
    /// Where.
    pub location: Option<Location>,
    /// Other records.
    pub links: Vec<Link>,
    /// Incident reference.
    pub incident_ref: Option<String>,
    /// Crime reference.
    pub crime_ref: Option<String>,
    /// Name of an operation.
    pub operation: Option<String>,
    /// Handling instruction.
    pub handling: Option<String>,
}

impl Interval {
    /// Begun at `from`, not ended yet.
    pub fn since(from: Instant) -> Self {
        Self { from, to: None }
    }

    /// From `from` to `to`.
    pub fn between(from: Instant, to: Instant) -> Self {
        Self { from, to: Some(to) }
    }
}

impl Location {
    /// A position, as the device had it.
    pub fn fix(point: Point, accuracy_dm: u32, source: FixSource) -> Self {
        Self {
            point: Some(point),
            accuracy_dm: Some(accuracy_dm),
            fix_source: Some(source),
            ..Self::default()
        }
    }

    /// A place by name.
    pub fn named(place_name: impl Into<String>) -> Self {
        Self {
            place_name: Some(place_name.into()),
            ..Self::default()
        }
    }
}

impl Setting {
    /// On a beat, begun at `from`.
    pub fn at(beat: impl Into<String>, from: Instant) -> Self {
        Self {
            beat: beat.into(),
            occurred: Some(Interval::since(from)),
            ..Self::default()
        }
    }

    /// The operations, with `marking` where none was chosen.
    pub(crate) fn write(&self, ops: &mut Ops, marking: Marking) {
        ops.set(field::BEAT, &self.beat);
        ops.set(field::MARKING, self.marking.as_ref().unwrap_or(&marking));
        ops.set_some(field::OCCURRED, &self.occurred);
        ops.set_some(field::DELAY_REASON, &self.delay_reason);
        ops.set_some(field::AUTHOR, &self.author);
        ops.set_some(field::REGIME, &self.regime);
        ops.set_some(field::PURPOSE, &self.purpose);
        ops.set_some(field::RETENTION, &self.retention);
        ops.set_some(field::LOCATION, &self.location);
        ops.add(field::LINKS, &self.links);
        ops.set_some(field::INCIDENT_REF, &self.incident_ref);
        ops.set_some(field::CRIME_REF, &self.crime_ref);
        ops.set_some(field::OPERATION, &self.operation);
        ops.set_some(field::HANDLING, &self.handling);
    }
}

/// A signature under a record as it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// When.
    pub at: Instant,
    /// The signer's initials.
    pub initials: String,
    /// The signer's collar number.
    pub collar: Option<String>,
    /// The signer's role.
    pub role: Option<Role>,
}

/// Words beside a record: a remark, or a supplement.
#[derive(Clone, PartialEq, Eq)]
pub struct Remark {
    /// What is said.
    pub words: String,
    /// When it was written.
    pub at: Instant,
    /// Collar number of who wrote it.
    pub by: Option<String>,
    /// Their initials.
    pub initials: Option<String>,
}

/// Text struck through: it stays readable.
#[derive(Clone, PartialEq, Eq)]
pub struct Strike {
    /// The text field; the body if left out.
    pub field: Option<String>,
    /// First code point struck.
    pub start: u32,
    /// First code point after the strike.
    pub end: u32,
    /// Why.
    pub reason: String,
    /// Who struck it.
    pub initials: String,
    /// When.
    pub at: Instant,
}

impl Strike {
    /// Strikes the first place where `words` stand in `text`; `None` if they do not.
    pub fn of_words(text: &str, words: &str, reason: &str, initials: &str, at: Instant) -> Option<Self> {
        let byte = (!words.is_empty()).then(|| text.find(words)).flatten()?;
        let start = u32::try_from(text.get(..byte)?.chars().count()).ok()?;
        let length = u32::try_from(words.chars().count()).ok()?;
        Some(Self {
            field: None,
            start,
            end: start.checked_add(length)?,
            reason: reason.to_owned(),
            initials: initials.to_owned(),
            at,
        })
    }
}

/// The operations that sign a record: blank lines at the end of the body go, then the signature is put under it.
///
/// # Errors
/// What cannot be a value.
pub fn sign_ops(record: &MergedFields, signature: &Signature) -> Result<Vec<Op>, BuildError> {
    let mut ops = Ops::default();
    if let Some(body) = record.text(field::BODY)
        && super::without_blank_end(body) != body
    {
        ops.set(field::BODY, &super::without_blank_end(body).to_owned());
    }
    ops.append(field::SIGNATURES, std::slice::from_ref(signature));
    ops.finish()
}

/// The operations that strike text.
///
/// # Errors
/// What cannot be a value.
pub fn strike_ops(strikes: &[Strike]) -> Result<Vec<Op>, BuildError> {
    appended(field::STRIKES, strikes)
}

/// The operations that supplement a record.
///
/// # Errors
/// What cannot be a value.
pub fn supplement_ops(supplement: &Remark) -> Result<Vec<Op>, BuildError> {
    appended(field::SUPPLEMENTS, std::slice::from_ref(supplement))
}

/// The operations that put a remark beside a record.
///
/// # Errors
/// What cannot be a value.
pub fn remark_ops(remark: &Remark) -> Result<Vec<Op>, BuildError> {
    appended(field::REMARKS, std::slice::from_ref(remark))
}

/// The operations that void a draft.
pub fn void_ops() -> Vec<Op> {
    state_ops(&Lifecycle::Void)
}

/// The operations that move a record to another place of its lifecycle.
pub fn state_ops(to: &Lifecycle) -> Vec<Op> {
    vec![(field::LIFECYCLE, FieldOp::Set(Value::Code(to.code())))]
}

fn appended<T: IntoValue>(id: FieldId, values: &[T]) -> Result<Vec<Op>, BuildError> {
    let mut ops = Ops::default();
    ops.append(id, values);
    ops.finish()
}

impl IntoValue for Location {
    fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
        let derived = || self.point.and_then(grid::from_point).map(|grid| grid.to_string());
        Members::default()
            .put_some(field::POINT, &self.point)
            .put_some(field::ACCURACY_DM, &self.accuracy_dm)
            .put_some(field::FIX_SOURCE, &self.fix_source)
            .put_some(field::FIX_AGE_S, &self.fix_age_s)
            .put_some(field::OS_GRID, &self.os_grid.clone().or_else(derived))
            .put_some(field::UPRN, &self.uprn)
            .put_some(field::USRN, &self.usrn)
            .put_some(field::ADDRESS_TEXT, &self.address_text)
            .put_some(field::PLACE_NAME, &self.place_name)
            .put_some(field::WHAT_IS_HERE, &self.what_is_here)
            .put_some(field::LOCATION_TYPE, &self.location_type)
            .put_some(field::CALLER_LOCATOR, &self.caller_locator)
            .put_some(field::PRIVACY, &self.privacy)
            .finish()
    }
}

impl FromValue for Location {
    fn from_value(value: &Value) -> Option<Self> {
        matches!(value, Value::Group(_)).then(|| Self {
            point: member(value, field::POINT),
            accuracy_dm: member(value, field::ACCURACY_DM),
            fix_source: member(value, field::FIX_SOURCE),
            fix_age_s: member(value, field::FIX_AGE_S),
            os_grid: member(value, field::OS_GRID),
            uprn: member(value, field::UPRN),
            usrn: member(value, field::USRN),
            address_text: member(value, field::ADDRESS_TEXT),
            place_name: member(value, field::PLACE_NAME),
            what_is_here: member(value, field::WHAT_IS_HERE),
            location_type: member(value, field::LOCATION_TYPE),
            caller_locator: member(value, field::CALLER_LOCATOR),
            privacy: member(value, field::PRIVACY),
        })
    }
}

redacted!(Author, Location, Hold, Setting, Signature, Remark, Strike);

group!(Interval { from: must FROM, to: may TO });
group!(Author { officer: must OFFICER, collar: may COLLAR, force: may FORCE, role: may ROLE });
group!(Link { relation: must RELATION, record: must RECORD });
group!(Retention { group: must GROUP_CODE, review_due: may REVIEW_DUE });
group!(Hold { reference: must HOLD_REF, by: may BY, at: may AT });
group!(Signature { at: must AT, initials: must INITIALS, collar: may COLLAR, role: may ROLE });
group!(Remark { words: must WORDS, at: must AT, by: may BY, initials: may INITIALS });
group!(Strike {
    field: may STRUCK_FIELD,
    start: must START,
    end: must END,
    reason: must REASON,
    initials: must INITIALS,
    at: must AT,
});
