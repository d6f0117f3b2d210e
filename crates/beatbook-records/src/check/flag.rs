//! Flags: what is worth a remark and never rejects anything.

use beatbook_proto::{Stamp, Value};

use crate::field;
use crate::grid;
use crate::merged::{MergedFields, as_code, member_code, member_instant, member_int};
use crate::schema::FamilySpec;
use crate::vocabulary::Marking;

/// Something worth a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Flag {
    /// The position is good to more than 100 m, or older than 120 s.
    #[error("the position is approximate")]
    Approximate,
    /// It happened more than 5 minutes after it was recorded: a clock is wrong.
    #[error("CLOCK_SUSPECT: it happened after it was recorded; check the clock of this device")]
    ClockSuspect,
    /// Recorded more than an hour after it happened, without saying why.
    #[error("recorded more than an hour after it happened: give delay_reason")]
    DelayReasonMissing,
    /// The date of birth lies in the future.
    #[error("the date of birth lies in the future")]
    DobInFuture,
    /// What it holds is usually marked OFFICIAL_SENSITIVE.
    #[error("holds vulnerability or safeguarding: consider OFFICIAL_SENSITIVE")]
    MarkingAdvised,
    /// The position lies outside the United Kingdom.
    #[error("the position lies outside the United Kingdom")]
    OutsideUk,
}

/// The flags that a record earns, in order, each once.
pub fn flags(family: &FamilySpec, fields: &MergedFields, recorded_at: Stamp) -> Vec<Flag> {
    let mut flags = Vec::new();
    times(family, fields, recorded_at, &mut flags);
    let concerns = fields
        .values(field::CONCERNS)
        .filter_map(|concern| concern.member(field::CONCERN_LOCATION));
    for location in fields.siblings(field::LOCATION).iter().chain(concerns) {
        place(location, &mut flags);
    }
    let today = i32::try_from(recorded_at.utc_ms.div_euclid(DAY_MS)).unwrap_or(i32::MAX);
    let persons = fields
        .values(field::PERSONS)
        .chain(fields.values(field::CONTACT_PERSONS));
    for person in persons {
        if matches!(person.member(field::DOB), Some(Value::Date(day)) if *day > today) {
            flags.push(Flag::DobInFuture);
        }
    }
    let tender = fields.field(field::VULNERABILITY).is_some() || fields.field(field::REFERRAL).is_some();
    let open = fields
        .siblings(field::MARKING)
        .iter()
        .filter_map(as_code)
        .all(|code| *code != Marking::OfficialSensitive.code());
    if tender && open {
        flags.push(Flag::MarkingAdvised);
    }
    flags.sort_unstable();
    flags.dedup();
    flags
}

fn times(family: &FamilySpec, fields: &MergedFields, recorded_at: Stamp, flags: &mut Vec<Flag>) {
    for occurred in fields.siblings(field::OCCURRED) {
        let Some(from) = member_instant(occurred, field::FROM) else {
            continue;
        };
        let to = member_instant(occurred, field::TO).unwrap_or(from);
        if from.utc_ms > recorded_at.utc_ms.saturating_add(5 * MINUTE_MS) {
            flags.push(Flag::ClockSuspect);
        }
        let asked = matches!(family.name, "NOTE" | "CONTACT");
        let delay_ms = recorded_at.utc_ms.saturating_sub(to.utc_ms);
        if asked && delay_ms > 60 * MINUTE_MS && fields.field(field::DELAY_REASON).is_none() {
            flags.push(Flag::DelayReasonMissing);
        }
    }
}

fn place(location: &Value, flags: &mut Vec<Flag>) {
    let Some(Value::Point(point)) = location.member(field::POINT) else {
        return;
    };
    if !grid::in_uk(*point) {
        flags.push(Flag::OutsideUk);
    }
    let rough = member_int(location, field::ACCURACY_DM).is_some_and(|accuracy| accuracy > 1_000)
        || member_int(location, field::FIX_AGE_S).is_some_and(|age| age > 120)
        || member_code(location, field::FIX_SOURCE).is_some_and(|code| code.as_str() == "CELL");
    if rough {
        flags.push(Flag::Approximate);
    }
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
