//! What is written in the demonstration: part of a late turn in West Somerset. Every person in it is made up.

use beatbook_field::{Notebook, Written};
use beatbook_proto::track::TrackPoint;
use beatbook_proto::{Instant, Point, RecordId};
use beatbook_records::build::{
    Breadcrumb, Concern, Contact, DutyState, Interval, Location, Note, PersonRef, Segment, Setting, Shift,
    Speech, Stop, Tally,
};
use beatbook_records::vocabulary::{
    Advice, ContactMethod, DutyStateWord, IdentityLevel, NoteKind, PatrolMode, StopKind, StopResult, Strand,
    SubjectCategory, Topic,
};

use crate::error::Failure;
use crate::time::now;

/// What the concurrent edits are about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subjects {
    /// A contact: different fields of it are edited on two devices.
    pub(crate) contact: RecordId,
    /// A note: the same field of it is edited on two devices.
    pub(crate) note: RecordId,
}

/// Writes entries and counts them.
pub(crate) struct Pen<'a> {
    book: &'a Notebook,
    /// Every entry written, in order.
    pub(crate) written: Vec<Written>,
}

impl<'a> Pen<'a> {
    /// Writes in a notebook.
    pub(crate) fn new(book: &'a Notebook) -> Self {
        Self {
            book,
            written: Vec::new(),
        }
    }

    /// The notebook.
    pub(crate) fn book(&self) -> &'a Notebook {
        self.book
    }

    /// The phone's part: book on, a ride, a school gate, a doorstep, a farm, a scene, a hotspot.
    pub(crate) fn late_turn(&mut self) -> Result<Subjects, Failure> {
        let on_beat = |beat: &str, minutes| Setting::at(format!("52/{beat}"), ago(minutes));
        let shift = self.keep(self.book.patrol().book_on(Shift {
            setting: on_beat("WS01", 58),
            rostered: Some(Interval::between(ago(60), ahead(420))),
            call_sign: Some("WS21".to_owned()),
            duty_states: vec![DutyState::since(DutyStateWord::Briefing, ago(58))],
            ..Shift::default()
        }))?;
        self.note(
            on_beat("WS01", 57),
            NoteKind::Briefing,
            "Three priorities, four tasks; s.35 authority until 02:00.",
        )?;
        self.state(shift, DutyStateWord::VisiblePatrol, 50)?;
        let segment = self.keep(
            self.book
                .patrol()
                .start(Segment::new(on_beat("WS01", 50), PatrolMode::PedalCycle)),
        )?;
        self.ride(segment, 48)?;
        let contact = self.school_gate(on_beat("WS01", 44))?;
        let note = self.doorstep(on_beat("WS01", 38))?;
        self.farm(on_beat("WS01", 32))?;
        self.state(shift, DutyStateWord::Refreshment, 28)?;
        self.state(shift, DutyStateWord::AbsSceneGuard, 22)?;
        self.note(
            on_beat("WS02", 21),
            NoteKind::Scene,
            "Scene guard at the slipway, cordon 10 m each way. Nobody in or out.",
        )?;
        self.state(shift, DutyStateWord::VisiblePatrol, 12)?;
        let mut dwell = Stop::new(on_beat("WS02", 9), StopKind::HotspotDwell);
        dwell.setting.occurred = Some(Interval::between(ago(9), ago(3)));
        dwell.result = Some(StopResult::Seen);
        self.keep(self.book.patrol().stop(dwell))?;
        Ok(Subjects { contact, note })
    }

    /// The colleague's part.
    pub(crate) fn sea_front(&mut self) -> Result<(), Failure> {
        let setting = Setting::at("52/WS02", ago(30));
        let mut contact = Contact::at(setting.clone());
        contact.strand = Strand::Inform;
        contact.summary = Some("Shopkeepers told of the new cycle marking days".to_owned());
        contact.advice_given = vec![Advice::BikeMarking];
        self.keep(self.book.contacts().record(contact))?;
        let mut note = Note::new(
            setting,
            NoteKind::Conversation,
            "Three youths on the sea wall, spoken to, moved on.",
        );
        note.speech = vec![Speech {
            speaker_label: "first youth".to_owned(),
            words: "We were just waiting for the bus.".to_owned(),
            at: Some(ago(29)),
        }];
        self.keep(self.book.notes().write(note))?;
        Ok(())
    }

    fn school_gate(&mut self, setting: Setting) -> Result<RecordId, Failure> {
        let mut stop = Stop::new(setting.clone(), StopKind::School);
        stop.contacts_made = 7;
        self.keep(self.book.patrol().stop(stop))?;
        let mut contact = Contact::at(setting);
        contact.strand = Strand::Consult;
        contact.method = ContactMethod::Street;
        contact.identity_level = Some(IdentityLevel::Named);
        contact.persons = vec![PersonRef::named(
            "Edith",
            "Marlow",
            SubjectCategory::MemberOfPublic,
        )];
        contact.tally = vec![Tally {
            topic: Topic::RoadSafety,
            count: 6,
        }];
        contact.concerns = vec![Concern {
            topic: Topic::RoadSafety,
            asb_qualifier: None,
            own_words: Some("They park on the zigzags every morning".to_owned()),
            location: Some(Location::named("the school gate")),
            source: None,
            priority_id: None,
        }];
        contact.summary = Some("Parking at the school gate".to_owned());
        self.keep(self.book.contacts().record(contact))
    }

    fn doorstep(&mut self, setting: Setting) -> Result<RecordId, Failure> {
        let mut note = Note::new(
            setting,
            NoteKind::WelfareCheck,
            "Called at 14 High Street. Mr Aldous Penn, lives alone, had a call from a false bank. Nothing paid.",
        );
        note.persons = vec![PersonRef::named(
            "Aldous",
            "Penn",
            SubjectCategory::VulnerablePerson,
        )];
        self.keep(self.book.notes().write(note))
    }

    fn farm(&mut self, setting: Setting) -> Result<(), Failure> {
        self.keep(
            self.book
                .patrol()
                .stop(Stop::new(setting.clone(), StopKind::Farm)),
        )?;
        let mut contact = Contact::at(setting);
        contact.strand = Strand::Cooperate;
        contact.method = ContactMethod::Doorstep;
        contact.advice_given = vec![Advice::RuralPlant];
        contact.summary = Some("Farm watch: quad bike kept in the near barn from now on".to_owned());
        self.keep(self.book.contacts().record(contact))?;
        Ok(())
    }

    fn ride(&mut self, segment: RecordId, minutes: i64) -> Result<(), Failure> {
        let begun = ago(minutes);
        let points = (0..POINTS).map(|step| TrackPoint {
            utc_ms: begun.utc_ms + i64::from(step) * 10_000,
            point: Point {
                lat_e7: 510_390_000 + step * 2_500,
                lon_e7: -35_520_000 + step * 1_100,
            },
            accuracy_dm: 60,
            speed_cm_s: 420,
        });
        self.keep(self.book.patrol().breadcrumb(Breadcrumb {
            setting: Setting::at("52/WS01", begun),
            points: points.collect(),
            offset_min: begun.offset_min,
            segment: Some(segment),
            duty_state: Some(DutyStateWord::VisiblePatrol),
        }))?;
        Ok(())
    }

    fn note(&mut self, setting: Setting, kind: NoteKind, text: &str) -> Result<RecordId, Failure> {
        self.keep(self.book.notes().write(Note::new(setting, kind, text)))
    }

    fn state(&mut self, shift: RecordId, state: DutyStateWord, minutes: i64) -> Result<(), Failure> {
        let seen = self.book.read(shift)?;
        self.keep(
            self.book
                .patrol()
                .duty_state(&seen.token, &DutyState::since(state, ago(minutes))),
        )?;
        Ok(())
    }

    /// Counts an entry.
    pub(crate) fn keep(
        &mut self,
        written: Result<Written, beatbook_field::WriteError>,
    ) -> Result<RecordId, Failure> {
        let written =
            written.map_err(|error| Failure::write("an entry of the demonstration", None, error))?;
        let record = written.record;
        self.written.push(written);
        Ok(record)
    }
}

fn ago(minutes: i64) -> Instant {
    ahead(-minutes)
}

fn ahead(minutes: i64) -> Instant {
    beatbook_records::time::uk_instant(now().utc_ms + minutes * 60_000)
}

/// Positions of the ride: less than five minutes of them.
const POINTS: i32 = 24;
