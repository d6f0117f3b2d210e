//! What is derived from records: the duty timeline, visibility, abstraction, dwell.

use std::collections::BTreeMap;

use beatbook_proto::{Instant, Value};

use crate::build::{DutyState, FromValue, Interval};
use crate::field;
use crate::merged::{MergedFields, member_instant};
use crate::vocabulary::{BeatBasis, DutyStateWord};

/// A stretch of a shift in one duty state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutySpan {
    /// What the officer was doing; UNKNOWN fills every gap.
    pub state: DutyStateWord,
    /// How it is known whether it was on the own beat.
    pub beat_basis: Option<BeatBasis>,
    /// When it began, in milliseconds since 1970.
    pub from_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub to_ms: i64,
}

/// What a shift adds up to, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DutyTotals {
    /// Visible patrol and engagement, inside the own beat by position.
    pub visible_ms: i64,
    /// The same, where the officer says so: counted apart.
    pub visible_asserted_ms: i64,
    /// The same, where nothing is known of the beat: counted as neither.
    pub visible_unplaced_ms: i64,
    /// In states of abstraction.
    pub abstracted_ms: i64,
    /// Rostered time without refreshment and training.
    pub available_ms: i64,
    /// Time by state.
    pub by_state: BTreeMap<DutyStateWord, i64>,
}

/// Counters of dwell in hotspots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dwell {
    /// Stops counted.
    pub stops: u32,
    /// Of 5 minutes or more.
    pub five_min: u32,
    /// Of 15 minutes or more.
    pub fifteen_min: u32,
    /// All of them together, in seconds.
    pub total_s: i64,
}

impl DutySpan {
    /// How long it lasted, in milliseconds. Times come from peers, so the arithmetic saturates.
    pub fn ms(&self) -> i64 {
        self.to_ms.saturating_sub(self.from_ms)
    }
}

impl DutyTotals {
    /// Visible minutes inside the own beat.
    pub fn visible_min(&self) -> i64 {
        self.visible_ms / MINUTE_MS
    }

    /// Abstraction in tenths of a percent; `None` if no time was available.
    pub fn abstraction_permille(&self) -> Option<i64> {
        let (abstracted, available) = (i128::from(self.abstracted_ms), i128::from(self.available_ms));
        let permille = (available > 0).then(|| (abstracted * 1_000 + available / 2) / available)?;
        i64::try_from(permille).ok()
    }
}

/// The timeline of a shift, whole and without gaps; `until` ends one that is not booked off yet.
///
/// A state lasts until its own end, else until the next begins; where two overlap, the one that began
/// later holds. Empty if the shift has no single book-on time.
pub fn timeline(shift: &MergedFields, until: Option<Instant>) -> Vec<DutySpan> {
    let Some(booked) = shift.one(field::OCCURRED).and_then(Interval::from_value) else {
        return Vec::new();
    };
    let mut states: Vec<DutyState> = shift
        .list(field::DUTY_STATES)
        .iter()
        .filter_map(DutyState::from_value)
        .collect();
    // Stable: of two that begin together, the one appended later holds.
    states.sort_by_key(|state| state.from.utc_ms);
    let start = booked.from.utc_ms;
    let latest = states
        .iter()
        .map(|state| state.to.unwrap_or(state.from).utc_ms)
        .max();
    let end = booked
        .to
        .or(until)
        .map(|end| end.utc_ms)
        .or(latest)
        .unwrap_or(start);
    let mut spans = Spans {
        spans: Vec::new(),
        at: start,
    };
    for (index, state) in states.iter().enumerate() {
        let next = states
            .get(index + 1)
            .map_or(end, |next| next.from.utc_ms)
            .min(end);
        let to = state.to.map_or(next, |to| to.utc_ms.min(next));
        spans.unknown_until(state.from.utc_ms.clamp(start, end.max(start)));
        spans.push(state.state.clone(), state.beat_basis.clone(), to);
    }
    spans.unknown_until(end);
    spans.spans
}

/// What a shift adds up to.
pub fn totals(shift: &MergedFields, until: Option<Instant>) -> DutyTotals {
    let spans = timeline(shift, until);
    let mut totals = DutyTotals::default();
    for span in &spans {
        let ms = span.ms();
        let spent = totals.by_state.entry(span.state.clone()).or_default();
        *spent = spent.saturating_add(ms);
        if matches!(
            span.state,
            DutyStateWord::VisiblePatrol | DutyStateWord::Engagement
        ) {
            match span.beat_basis {
                Some(BeatBasis::Position) => add(&mut totals.visible_ms, ms),
                Some(BeatBasis::Asserted) => add(&mut totals.visible_asserted_ms, ms),
                Some(BeatBasis::Outside) => {}
                None | Some(BeatBasis::Unlisted(_)) => add(&mut totals.visible_unplaced_ms, ms),
            }
        }
        if span.state.word().starts_with("ABS_") {
            add(&mut totals.abstracted_ms, ms);
        }
    }
    let rostered = shift.one(field::ROSTERED).and_then(interval_ms);
    let worked = spans
        .first()
        .zip(spans.last())
        .map(|(first, last)| last.to_ms.saturating_sub(first.from_ms));
    let spent = |state: &DutyStateWord| totals.by_state.get(state).copied().unwrap_or(0);
    let off = spent(&DutyStateWord::Refreshment).saturating_add(spent(&DutyStateWord::Training));
    totals.available_ms = rostered.or(worked).unwrap_or(0).saturating_sub(off).max(0);
    totals
}

/// How long a stop lasted, in seconds; `None` while it lasts or if its time is in conflict.
pub fn dwell_s(stop: &MergedFields) -> Option<i64> {
    stop.one(field::OCCURRED)
        .and_then(interval_ms)
        .map(|ms| ms / 1_000)
}

/// Counts the dwell of stops in hotspots; other stops are left out.
pub fn dwell<'a>(stops: impl IntoIterator<Item = &'a MergedFields>) -> Dwell {
    let mut dwell = Dwell::default();
    for stop in stops {
        let in_hotspot =
            stop.any_is(field::STOP_KIND, "HOTSPOT_DWELL") || stop.field(field::STOP_HOTSPOT_ID).is_some();
        let Some(seconds) = dwell_s(stop).filter(|_| in_hotspot) else {
            continue;
        };
        dwell.stops += 1;
        dwell.five_min += u32::from(seconds >= 5 * 60);
        dwell.fifteen_min += u32::from(seconds >= 15 * 60);
        dwell.total_s = dwell.total_s.saturating_add(seconds);
    }
    dwell
}

fn add(total: &mut i64, ms: i64) {
    *total = total.saturating_add(ms);
}

fn interval_ms(interval: &Value) -> Option<i64> {
    let from = member_instant(interval, field::FROM)?;
    let to = member_instant(interval, field::TO)?;
    to.utc_ms.checked_sub(from.utc_ms).filter(|ms| *ms >= 0)
}

struct Spans {
    spans: Vec<DutySpan>,
    at: i64,
}

impl Spans {
    fn unknown_until(&mut self, to_ms: i64) {
        self.push(DutyStateWord::Unknown, None, to_ms);
    }

    fn push(&mut self, state: DutyStateWord, beat_basis: Option<BeatBasis>, to_ms: i64) {
        if to_ms > self.at {
            self.spans.push(DutySpan {
                state,
                beat_basis,
                from_ms: self.at,
                to_ms,
            });
            self.at = to_ms;
        }
    }
}

const MINUTE_MS: i64 = 60_000;

#[cfg(test)]
mod tests;
