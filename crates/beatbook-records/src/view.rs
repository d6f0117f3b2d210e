//! Typed views over the merged state of a record, with siblings exposed.
//!
//! A view never hides a value: what a typed reading does not understand is counted in
//! [`Siblings::unread`] or [`Elements::unread`] and stays in [`MergedFields`].

use std::fmt;

use beatbook_proto::FieldId;

use crate::build::{
    Attachment, Author, Concern, Consent, ConsentChannel, Countersigned, DutyState, Feelings, FromValue,
    Hold, Interval, JointWith, Link, Location, PersonRef, Promise, Referral, Remark, Retention, SafeContact,
    Signature, Speech, Strike, Tally, Vehicle, Vulnerability, WeatherLight,
};
use crate::check::lifecycle;
use crate::field;
use crate::merged::MergedFields;
use crate::vocabulary::{
    Advice, AgeBand, ConsentStanding, ContactKind, ContactMethod, ContactOutcome, DisclosureFlag,
    DutyStateWord, IdentityLevel, Lifecycle, Marking, NoteKind, PatrolMode, Purpose, Regime, SdeCode,
    StopKind, StopResult, Strand, Topic,
};

/// The values of a register: none, one, or several that wait to be resolved.
#[derive(Clone, PartialEq, Eq)]
pub struct Siblings<T> {
    values: Vec<T>,
    unread: usize,
}

/// The elements of a set or a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Elements<T> {
    values: Vec<T>,
    unread: usize,
}

impl<T> Siblings<T> {
    /// The value, if there is exactly one.
    pub fn one(&self) -> Option<&T> {
        match self.values.as_slice() {
            [only] if self.unread == 0 => Some(only),
            _ => None,
        }
    }

    /// Every value.
    pub fn all(&self) -> &[T] {
        &self.values
    }

    /// Values that are there and do not read as their type.
    pub fn unread(&self) -> usize {
        self.unread
    }

    /// True if several values wait to be resolved.
    pub fn is_conflict(&self) -> bool {
        self.values.len() + self.unread > 1
    }
}

impl<T> Elements<T> {
    /// Every element.
    pub fn all(&self) -> &[T] {
        &self.values
    }

    /// Elements that are there and do not read as their type.
    pub fn unread(&self) -> usize {
        self.unread
    }
}

impl<T> fmt::Debug for Siblings<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Siblings({} read, {} unread)", self.values.len(), self.unread)
    }
}

impl<T> fmt::Debug for Elements<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elements({} read, {} unread)", self.values.len(), self.unread)
    }
}

fn siblings<T: FromValue>(fields: &MergedFields, id: FieldId) -> Siblings<T> {
    let raw = fields.siblings(id);
    let values: Vec<T> = raw.iter().filter_map(T::from_value).collect();
    let unread = raw.len() - values.len();
    Siblings { values, unread }
}

fn elements<T: FromValue>(fields: &MergedFields, id: FieldId) -> Elements<T> {
    let field = fields.field(id);
    let raw = field
        .into_iter()
        .flat_map(|field| field.set.iter().chain(&field.list));
    let mut unread = 0;
    let mut values = Vec::new();
    for value in raw {
        match T::from_value(value) {
            Some(value) => values.push(value),
            None => unread += 1,
        }
    }
    Elements { values, unread }
}

/// Makes a view from one list of fields.
macro_rules! view {
    (
        $(#[$doc:meta])*
        $name:ident {
            $($field:ident: $shape:ident<$type:ty> $id:ident, $what:literal;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            fields: &'a MergedFields,
        }

        impl<'a> $name<'a> {
            /// Looks at the merged state of a record.
            pub fn new(fields: &'a MergedFields) -> Self {
                Self { fields }
            }

            /// The merged state itself.
            pub fn fields(&self) -> &'a MergedFields {
                self.fields
            }

            $(
                #[doc = $what]
                pub fn $field(&self) -> $shape<$type> {
                    view!(@read self.fields, $shape, $id)
                }
            )+
        }
    };
    (@read $fields:expr, Siblings, $id:ident) => { siblings($fields, field::$id) };
    (@read $fields:expr, Elements, $id:ident) => { elements($fields, field::$id) };
}

view! {
    /// What every record carries.
    RecordView {
        beat: Siblings<String> BEAT, "Force and neighbourhood.";
        marking: Siblings<Marking> MARKING, "The marking; several read as the highest, see [`RecordView::effective_marking`].";
        occurred: Siblings<Interval> OCCURRED, "When it happened.";
        delay_reason: Siblings<String> DELAY_REASON, "Why it was recorded late.";
        author: Siblings<Author> AUTHOR, "Who wrote it.";
        regime: Siblings<Regime> REGIME, "Which law governs it.";
        purpose: Siblings<Purpose> PURPOSE, "What it is for.";
        retention: Siblings<Retention> RETENTION, "How long it is kept.";
        holds: Elements<Hold> HOLDS, "Why it may not be erased yet.";
        location: Siblings<Location> LOCATION, "Where.";
        links: Elements<Link> LINKS, "Other records.";
        incident_ref: Siblings<String> INCIDENT_REF, "Incident reference.";
        crime_ref: Siblings<String> CRIME_REF, "Crime reference.";
        operation: Siblings<String> OPERATION, "Name of an operation.";
        signatures: Elements<Signature> SIGNATURES, "Who signed it.";
        remarks: Elements<Remark> REMARKS, "Remarks beside it.";
        supplements: Elements<Remark> SUPPLEMENTS, "What came to mind later.";
        strikes: Elements<Strike> STRIKES, "Text struck through.";
        handling: Siblings<String> HANDLING, "Handling instruction.";
    }
}

impl RecordView<'_> {
    /// Where the record stands; of two concurrent states the one that restricts more.
    pub fn lifecycle(&self) -> Lifecycle {
        lifecycle(self.fields)
    }

    /// The marking that holds: of several the highest.
    pub fn effective_marking(&self) -> Marking {
        let highest = Marking::OfficialSensitive.code();
        match self.fields.any_is(field::MARKING, highest.as_str()) {
            true => Marking::OfficialSensitive,
            false => Marking::Official,
        }
    }
}

view! {
    /// A note.
    NoteView {
        note_kind: Siblings<NoteKind> NOTE_KIND, "What kind of entry.";
        body: Siblings<String> BODY, "What the officer wrote.";
        speech: Elements<Speech> SPEECH, "Direct speech.";
        description_seen: Siblings<String> DESCRIPTION_SEEN, "What was seen: facts.";
        officer_assessment: Siblings<String> OFFICER_ASSESSMENT, "What the officer makes of it: opinion.";
        persons: Elements<PersonRef> PERSONS, "Who it concerns.";
        vehicles: Elements<Vehicle> VEHICLES, "Vehicles.";
        weather_light: Siblings<WeatherLight> WEATHER_LIGHT, "Weather and light.";
        witnesses_present: Elements<String> WITNESSES_PRESENT, "Who else was there.";
        other_officers: Elements<String> OTHER_OFFICERS, "Other officers there.";
        notes_compared_with: Elements<String> NOTES_COMPARED_WITH, "Officers with whom notes were compared.";
        exhibits: Elements<String> EXHIBITS, "Exhibit references.";
        attachments: Elements<Attachment> ATTACHMENTS, "Pictures, scans and recordings.";
        countersigned: Elements<Countersigned> COUNTERSIGNED, "Who was shown it.";
        disclosure_flags: Elements<DisclosureFlag> DISCLOSURE_FLAGS, "What the disclosure officer has to know.";
    }
}

view! {
    /// A shift; its timeline and totals are derived in [`crate::derive`].
    ShiftView {
        rostered: Siblings<Interval> ROSTERED, "The rostered hours.";
        team: Siblings<String> TEAM, "Team.";
        call_sign: Siblings<String> CALL_SIGN, "Call-sign.";
        devices: Elements<String> DEVICES, "Devices carried.";
        duty_states: Elements<DutyState> DUTY_STATES, "Changes of duty state, as appended.";
    }
}

view! {
    /// A patrol segment.
    SegmentView {
        mode: Siblings<PatrolMode> MODE, "How the patrol moves.";
        priority_ids: Elements<String> PRIORITY_IDS, "Local priorities.";
        hotspot_id: Siblings<String> HOTSPOT_ID, "The hotspot.";
        tasking_ref: Siblings<String> TASKING_REF, "The tasking.";
        joint_with: Elements<JointWith> JOINT_WITH, "Who went along.";
        visible: Siblings<bool> VISIBLE, "Could the public see it?";
        uniform: Siblings<bool> UNIFORM, "In uniform?";
        summary: Siblings<String> SUMMARY, "What came of it.";
    }
}

view! {
    /// A breadcrumb chunk.
    BreadcrumbView {
        track: Siblings<beatbook_proto::Bytes> TRACK, "The positions, delta-coded.";
        segment: Siblings<beatbook_proto::Dot> SEGMENT, "The patrol segment.";
        duty_state: Siblings<DutyStateWord> TRACK_DUTY_STATE, "The duty state in which it was recorded.";
    }
}

impl BreadcrumbView<'_> {
    /// The positions; empty if they do not read.
    pub fn points(&self) -> Vec<beatbook_proto::track::TrackPoint> {
        self.track()
            .one()
            .and_then(|bytes| beatbook_proto::track::decode(bytes).ok())
            .unwrap_or_default()
    }
}

view! {
    /// A stop.
    StopView {
        stop_kind: Siblings<StopKind> STOP_KIND, "What it was for.";
        result: Siblings<StopResult> STOP_RESULT, "What came of it.";
        follow_up: Siblings<String> FOLLOW_UP, "What is to follow.";
        task: Siblings<beatbook_proto::Dot> TASK, "The task.";
        hotspot_id: Siblings<String> STOP_HOTSPOT_ID, "The hotspot.";
        segment: Siblings<beatbook_proto::Dot> STOP_SEGMENT, "The patrol segment.";
    }
}

impl StopView<'_> {
    /// Contacts made there, over all devices.
    pub fn contacts_made(&self) -> i128 {
        self.fields.counter(field::CONTACTS_MADE)
    }
}

view! {
    /// A contact.
    ContactView {
        strand: Siblings<Strand> STRAND, "Inform, consult or cooperate.";
        method: Siblings<ContactMethod> METHOD, "How it was made.";
        kind: Siblings<ContactKind> CONTACT_KIND, "With whom.";
        persons: Elements<PersonRef> CONTACT_PERSONS, "Who was spoken to.";
        identity_level: Siblings<IdentityLevel> IDENTITY_LEVEL, "How far the person is identified.";
        safe_contact: Siblings<SafeContact> SAFE_CONTACT, "How the person can be contacted safely.";
        concerns: Elements<Concern> CONCERNS, "What worries them.";
        feeling: Siblings<Feelings> FEELING, "How safe they feel.";
        advice_given: Elements<Advice> ADVICE_GIVEN, "Advice given.";
        signposted_to: Elements<String> SIGNPOSTED_TO, "Partners pointed to.";
        vulnerability: Elements<Vulnerability> VULNERABILITY, "Vulnerability flags.";
        outcome: Siblings<ContactOutcome> OUTCOME, "What came of it.";
        promise: Siblings<Promise> PROMISE, "What was promised.";
        sde_code: Siblings<SdeCode> SDE_CODE, "Self-defined ethnicity.";
        age_band: Siblings<AgeBand> AGE_BAND, "Age band.";
        gender: Siblings<String> GENDER, "Gender as the person describes it.";
        language: Siblings<String> LANGUAGE, "Language.";
        disability_need: Siblings<String> DISABILITY_NEED, "What the person needs.";
        referral: Siblings<Referral> REFERRAL, "A safeguarding referral.";
        summary: Siblings<String> CONTACT_SUMMARY, "What was said, in brief.";
        tally: Elements<Tally> TALLY, "Counts by topic, as appended.";
    }
}

impl ContactView<'_> {
    /// How many were reached.
    pub fn reach(&self) -> Option<i64> {
        self.fields.max(field::REACH)
    }

    /// Is the identity protected? While two answers are in conflict, the safer one holds.
    pub fn identity_protected(&self) -> bool {
        siblings::<bool>(self.fields, field::IDENTITY_PROTECTED)
            .all()
            .contains(&true)
    }

    /// Consent over one channel, with all siblings.
    pub fn consent(&self, channel: ConsentChannel) -> Siblings<Consent> {
        siblings(self.fields, channel.field())
    }

    /// Consent over one channel as it may be relied on: withdrawn outweighs refused, refused outweighs given.
    pub fn safer_consent(&self, channel: ConsentChannel) -> Option<Consent> {
        let weight = |consent: &Consent| match consent.standing {
            ConsentStanding::Given => 0,
            ConsentStanding::Refused => 1,
            // A word that this build does not know is not relied on either.
            ConsentStanding::Withdrawn | ConsentStanding::Unlisted(_) => 2,
        };
        self.consent(channel)
            .values
            .into_iter()
            .max_by_key(|consent| weight(consent))
    }

    /// The count of one topic, summed over all devices.
    pub fn tally_of(&self, topic: &Topic) -> u64 {
        self.tally()
            .all()
            .iter()
            .filter(|tally| tally.topic == *topic)
            .map(|tally| u64::from(tally.count))
            .sum()
    }

    /// Of several safeguarding grades the highest, while they are in conflict.
    pub fn safer_referral(&self) -> Option<Referral> {
        self.referral()
            .values
            .into_iter()
            .max_by_key(|referral| urgency(referral.risk_grade.word()))
    }
}

/// How urgent a grade of either scheme is. A grade that this build does not know is as urgent as any.
fn urgency(grade: &str) -> u8 {
    match grade {
        "BLUE" | "LOW" | "GREEN" => 0,
        "AMBER" | "MEDIUM" => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;
