//! Builders of a patrol: shift, duty state, segment, breadcrumb, stop.

use beatbook_proto::track::{self, TrackPoint};
use beatbook_proto::{Dot, FieldOp, Instant};

use super::value::{BuildError, group};
use super::{Interval, Op, Ops, Setting};
use crate::field;
use crate::redact::redacted;
use crate::vocabulary::{BeatBasis, Companion, DutyStateWord, Marking, PatrolMode, StopKind, StopResult};

/// A tour of duty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Shift {
    /// Where and when: book-on, and book-off once it is known.
    pub setting: Setting,
    /// The rostered hours.
    pub rostered: Option<Interval>,
    /// Team.
    pub team: Option<String>,
    /// Call-sign.
    pub call_sign: Option<String>,
    /// The note of the briefing.
    pub briefing_ref: Option<Dot>,
    /// Devices carried.
    pub devices: Vec<String>,
    /// Duty states so far.
    pub duty_states: Vec<DutyState>,
}

/// A change of duty state; it lasts until the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyState {
    /// What the officer is doing.
    pub state: DutyStateWord,
    /// Since when.
    pub from: Instant,
    /// Until when, if not until the next.
    pub to: Option<Instant>,
    /// How it is known whether it was on the own beat.
    pub beat_basis: Option<BeatBasis>,
    /// On which beat, if another.
    pub beat: Option<String>,
}

/// A stretch of patrol.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where and when.
    pub setting: Setting,
    /// How the patrol moves.
    pub mode: PatrolMode,
    /// Local priorities, three at most.
    pub priority_ids: Vec<String>,
    /// The hotspot.
    pub hotspot_id: Option<String>,
    /// The tasking.
    pub tasking_ref: Option<String>,
    /// Who went along.
    pub joint_with: Vec<JointWith>,
    /// Could the public see it?
    pub visible: bool,
    /// In uniform?
    pub uniform: bool,
    /// What came of it.
    pub summary: Option<String>,
}

/// Someone who went along on patrol.
#[derive(Clone, PartialEq, Eq)]
pub struct JointWith {
    /// In which capacity.
    pub companion: Companion,
    /// Collar number.
    pub collar: Option<String>,
    /// Name, of someone without a collar number.
    pub name: Option<String>,
}

/// Recorded positions: 5 minutes or 64 points at most.
#[derive(Clone, PartialEq, Eq)]
pub struct Breadcrumb {
    /// Where; the time is taken from the points.
    pub setting: Setting,
    /// The points, in order of time.
    pub points: Vec<TrackPoint>,
    /// Offset of local time from UTC, in minutes.
    pub offset_min: i16,
    /// The patrol segment.
    pub segment: Option<Dot>,
    /// The duty state in which they were recorded.
    pub duty_state: Option<DutyStateWord>,
}

/// A stop or visit.
#[derive(Clone, PartialEq, Eq)]
pub struct Stop {
    /// Where and when: time in, and time out once it is known.
    pub setting: Setting,
    /// What it was for.
    pub kind: StopKind,
    /// What came of it.
    pub result: Option<StopResult>,
    /// Contacts made there.
    pub contacts_made: u16,
    /// What is to follow.
    pub follow_up: Option<String>,
    /// The task.
    pub task: Option<Dot>,
    /// The hotspot.
    pub hotspot_id: Option<String>,
    /// The patrol segment.
    pub segment: Option<Dot>,
}

impl Shift {
    /// The family of the record.
    pub const FAMILY: &str = "SHIFT";

    /// The operations that found the record.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        self.setting.write(&mut ops, Marking::Official);
        ops.set_some(field::ROSTERED, &self.rostered);
        ops.set_some(field::TEAM, &self.team);
        ops.set_some(field::CALL_SIGN, &self.call_sign);
        ops.set_some(field::BRIEFING_REF, &self.briefing_ref);
        ops.add(field::DEVICES, &self.devices);
        ops.append(field::DUTY_STATES, &self.duty_states);
        ops.finish()
    }
}

impl DutyState {
    /// A state since `from`.
    pub fn since(state: DutyStateWord, from: Instant) -> Self {
        Self {
            state,
            from,
            to: None,
            beat_basis: None,
            beat: None,
        }
    }

    /// The operations that append it to a shift.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        ops.append(field::DUTY_STATES, std::slice::from_ref(self));
        ops.finish()
    }
}

impl Segment {
    /// The family of the record.
    pub const FAMILY: &str = "PATROL_SEGMENT";

    /// A visible patrol in uniform.
    pub fn new(setting: Setting, mode: PatrolMode) -> Self {
        let hidden = mode == PatrolMode::UnmarkedVehicle;
        Self {
            setting,
            mode,
            priority_ids: Vec::new(),
            hotspot_id: None,
            tasking_ref: None,
            joint_with: Vec::new(),
            visible: !hidden,
            uniform: true,
            summary: None,
        }
    }

    /// The operations that found the record.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        self.setting.write(&mut ops, Marking::Official);
        ops.set(field::MODE, &self.mode);
        ops.add(field::PRIORITY_IDS, &self.priority_ids);
        ops.set_some(field::HOTSPOT_ID, &self.hotspot_id);
        ops.set_some(field::TASKING_REF, &self.tasking_ref);
        ops.add(field::JOINT_WITH, &self.joint_with);
        ops.set(field::VISIBLE, &self.visible);
        ops.set(field::UNIFORM, &self.uniform);
        ops.set_some(field::SUMMARY, &self.summary);
        ops.finish()
    }

    /// The operations of the state revision that ends it.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn end_ops(occurred: Interval, summary: Option<String>) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        ops.set(field::OCCURRED, &occurred);
        ops.set_some(field::SUMMARY, &summary);
        ops.finish()
    }
}

impl Breadcrumb {
    /// The family of the record.
    pub const FAMILY: &str = "BREADCRUMB";

    /// The operations that found the record.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let field_name = || crate::schema::name_of(field::TRACK);
        let bytes = track::encode(&self.points).map_err(|_| BuildError::Track { field: field_name() })?;
        let instant = |utc_ms| Instant {
            utc_ms,
            offset_min: self.offset_min,
        };
        let first = self.points.iter().map(|fix| fix.utc_ms).min();
        let last = self.points.iter().map(|fix| fix.utc_ms).max();
        let mut setting = self.setting.clone();
        if let (Some(first), Some(last)) = (first, last) {
            setting.occurred = Some(Interval::between(instant(first), instant(last)));
        }
        let mut ops = Ops::default();
        setting.write(&mut ops, Marking::Official);
        ops.set(field::TRACK, &bytes);
        ops.set_some(field::SEGMENT, &self.segment);
        ops.set_some(field::TRACK_DUTY_STATE, &self.duty_state);
        ops.finish()
    }
}

impl Stop {
    /// The family of the record.
    pub const FAMILY: &str = "STOP";

    /// A stop of which nothing came yet.
    pub fn new(setting: Setting, kind: StopKind) -> Self {
        Self {
            setting,
            kind,
            result: None,
            contacts_made: 0,
            follow_up: None,
            task: None,
            hotspot_id: None,
            segment: None,
        }
    }

    /// The operations that found the record.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        self.setting.write(&mut ops, Marking::Official);
        ops.set(field::STOP_KIND, &self.kind);
        ops.set_some(field::STOP_RESULT, &self.result);
        if self.contacts_made > 0 {
            ops.op(
                field::CONTACTS_MADE,
                FieldOp::Increment(i64::from(self.contacts_made)),
            );
        }
        ops.set_some(field::FOLLOW_UP, &self.follow_up);
        ops.set_some(field::TASK, &self.task);
        ops.set_some(field::STOP_HOTSPOT_ID, &self.hotspot_id);
        ops.set_some(field::STOP_SEGMENT, &self.segment);
        ops.finish()
    }

    /// The operations of the state revision that ends it.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn end_ops(occurred: Interval, result: Option<StopResult>) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        ops.set(field::OCCURRED, &occurred);
        ops.set_some(field::STOP_RESULT, &result);
        ops.finish()
    }
}

redacted!(Shift, Segment, JointWith, Breadcrumb, Stop);

group!(DutyState {
    state: must DUTY_STATE,
    from: must FROM,
    to: may TO,
    beat_basis: may BEAT_BASIS,
    beat: may STATE_BEAT,
});
group!(JointWith { companion: must COMPANION, collar: may COLLAR, name: may NAME });
