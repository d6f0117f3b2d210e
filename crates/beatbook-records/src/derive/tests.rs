//! The day of the workload page adds up; gaps read UNKNOWN; dwell counts at 5 and 15 minutes.

use super::*;
use crate::build::{Op, Setting, Shift, Stop};
use crate::vocabulary::{StopKind, StopResult};

fn at(minutes: i64) -> Instant {
    Instant {
        utc_ms: 1_793_970_000_000 + minutes * MINUTE_MS,
        offset_min: 0,
    }
}

fn merged(ops: &[Op]) -> MergedFields {
    let mut fields = MergedFields::new();
    fields.apply(ops);
    fields
}

fn state(word: DutyStateWord, from: i64, basis: Option<BeatBasis>) -> DutyState {
    DutyState {
        beat_basis: basis,
        ..DutyState::since(word, at(from))
    }
}

fn shift(duty_states: Vec<DutyState>, minutes: i64) -> MergedFields {
    let mut setting = Setting::at("52/C02", at(0));
    setting.occurred = Some(Interval::between(at(0), at(minutes)));
    let shift = Shift {
        setting,
        rostered: Some(Interval::between(at(0), at(minutes))),
        duty_states,
        ..Shift::default()
    };
    merged(&shift.ops().unwrap())
}

#[test]
fn a_late_turn_adds_up() {
    let inside = Some(BeatBasis::Position);
    let day = shift(
        vec![
            state(DutyStateWord::Briefing, 0, None),
            state(DutyStateWord::VisiblePatrol, 25, inside.clone()),
            state(DutyStateWord::Refreshment, 210, None),
            state(DutyStateWord::AbsSceneGuard, 250, None),
            state(DutyStateWord::Engagement, 345, inside),
            state(DutyStateWord::TravelToBeat, 455, None),
            state(DutyStateWord::StationAdmin, 460, None),
        ],
        480,
    );
    let totals = totals(&day, None);
    assert_eq!(totals.visible_min(), 295);
    assert_eq!(totals.abstraction_permille(), Some(216));
    assert_eq!(totals.by_state.values().sum::<i64>(), 480 * MINUTE_MS);
}

#[test]
fn every_gap_reads_unknown() {
    let ended = DutyState {
        to: Some(at(30)),
        ..state(DutyStateWord::Briefing, 10, None)
    };
    let spans = timeline(
        &shift(vec![ended, state(DutyStateWord::Court, 40, None)], 60),
        None,
    );
    let words: Vec<_> = spans
        .iter()
        .map(|span| {
            (
                span.state.word().to_owned(),
                (span.to_ms - span.from_ms) / MINUTE_MS,
            )
        })
        .collect();
    let expected = [("UNKNOWN", 10), ("BRIEFING", 20), ("UNKNOWN", 10), ("COURT", 20)];
    assert_eq!(words, expected.map(|(word, minutes)| (word.to_owned(), minutes)));
    assert_eq!(timeline(&shift(Vec::new(), 60), None).len(), 1);
}

#[test]
fn spans_join_whatever_the_states_say() {
    let odd = vec![
        state(DutyStateWord::Court, 50, None),
        DutyState {
            to: Some(at(5)),
            ..state(DutyStateWord::Briefing, -20, None)
        },
        state(DutyStateWord::Court, 90, None),
        state(DutyStateWord::Training, 50, None),
    ];
    let spans = timeline(&shift(odd, 60), None);
    assert_eq!(spans.first().map(|span| span.from_ms), Some(at(0).utc_ms));
    assert_eq!(spans.last().map(|span| span.to_ms), Some(at(60).utc_ms));
    assert!(spans.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms));
    assert_eq!(
        spans.last().map(|span| span.state.clone()),
        Some(DutyStateWord::Training)
    );
}

#[test]
fn asserted_and_unplaced_time_is_counted_apart() {
    let totals = totals(
        &shift(
            vec![
                state(DutyStateWord::VisiblePatrol, 0, Some(BeatBasis::Asserted)),
                state(DutyStateWord::VisiblePatrol, 10, Some(BeatBasis::Outside)),
                state(DutyStateWord::VisiblePatrol, 30, None),
            ],
            60,
        ),
        None,
    );
    assert_eq!(totals.visible_ms, 0);
    assert_eq!(totals.visible_asserted_ms, 10 * MINUTE_MS);
    assert_eq!(totals.visible_unplaced_ms, 30 * MINUTE_MS);
}

#[test]
fn dwell_counts_at_five_and_fifteen_minutes() {
    let stop = |kind, minutes: Option<i64>| {
        let mut fields = merged(&Stop::new(Setting::at("52/C02", at(0)), kind).ops().unwrap());
        if let Some(minutes) = minutes {
            let ops = Stop::end_ops(Interval::between(at(0), at(minutes)), Some(StopResult::Seen)).unwrap();
            fields.apply(&ops);
        }
        fields
    };
    let stops = [
        stop(StopKind::HotspotDwell, Some(16)),
        stop(StopKind::HotspotDwell, Some(6)),
        stop(StopKind::HotspotDwell, Some(4)),
        stop(StopKind::HotspotDwell, None),
        stop(StopKind::Shop, Some(30)),
    ];
    let dwell = dwell(&stops);
    assert_eq!(
        (dwell.stops, dwell.five_min, dwell.fifteen_min, dwell.total_s),
        (3, 2, 1, 26 * 60)
    );
}

#[test]
fn times_at_the_ends_of_the_range_do_not_overflow() {
    let extreme = |utc_ms| Instant {
        utc_ms,
        offset_min: i16::MIN,
    };
    let mut setting = Setting::at("52/C02", extreme(i64::MIN));
    setting.occurred = Some(Interval::between(extreme(i64::MIN), extreme(i64::MAX)));
    let shift = Shift {
        setting,
        duty_states: vec![
            DutyState::since(DutyStateWord::AbsMisper, extreme(i64::MIN)),
            DutyState::since(DutyStateWord::Training, extreme(0)),
            DutyState::since(DutyStateWord::VisiblePatrol, extreme(i64::MAX)),
        ],
        ..Shift::default()
    };
    let shift = merged(&shift.ops().unwrap());
    let totals = totals(&shift, None);
    assert!(totals.abstracted_ms > 0);
    let json = crate::export::json("SHIFT", &shift, crate::schema::Sensitivity::Sensitive);
    assert!(json.is_object());
    assert!(!crate::show::summary("SHIFT", &shift, crate::schema::Sensitivity::Sensitive).is_empty());
}
