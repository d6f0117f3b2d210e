//! The builder of a note.

use beatbook_proto::{BlobRef, FieldId, Instant, Value};

use super::value::{BuildError, IntoValue, group};
use super::{Members, Op, Ops, PersonRef, Setting};
use crate::field;
use crate::redact::redacted;
use crate::vocabulary::{AttachmentSource, DisclosureFlag, Light, Marking, NoteKind, Weather};

/// A pocket-notebook entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// Where and when.
    pub setting: Setting,
    /// What kind of entry.
    pub kind: NoteKind,
    /// What the officer writes; may be empty while it is a draft.
    pub body: String,
    /// Direct speech.
    pub speech: Vec<Speech>,
    /// What was seen: facts.
    pub description_seen: Option<String>,
    /// What the officer makes of it: opinion.
    pub officer_assessment: Option<String>,
    /// Who it concerns.
    pub persons: Vec<PersonRef>,
    /// Vehicles.
    pub vehicles: Vec<Vehicle>,
    /// Weather and light.
    pub weather_light: Option<WeatherLight>,
    /// Who else was there.
    pub witnesses_present: Vec<String>,
    /// Collar numbers of other officers there.
    pub other_officers: Vec<String>,
    /// `None`: made at the time. `Some`: why it was not.
    pub made_later: Option<String>,
    /// Officers with whom notes were compared.
    pub notes_compared_with: Vec<String>,
    /// Exhibit references.
    pub exhibits: Vec<String>,
    /// Pictures, scans and recordings.
    pub attachments: Vec<Attachment>,
    /// Who was shown the entry.
    pub countersigned: Vec<Countersigned>,
    /// What the disclosure officer has to know.
    pub disclosure_flags: Vec<DisclosureFlag>,
}

/// Words that someone spoke.
#[derive(Clone, PartialEq, Eq)]
pub struct Speech {
    /// Who spoke.
    pub speaker_label: String,
    /// The words, verbatim.
    pub words: String,
    /// When.
    pub at: Option<Instant>,
}

/// A vehicle.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vehicle {
    /// Registration mark.
    pub vrm: Option<String>,
    /// Colour.
    pub colour: Option<String>,
    /// Make and model.
    pub make: Option<String>,
    /// Anything else.
    pub note: Option<String>,
}

/// Weather and light.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeatherLight {
    /// The weather.
    pub weather: Option<Weather>,
    /// The light.
    pub light: Option<Light>,
}

/// A picture, scan or recording.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Hash, length and media type of the original.
    pub blob: BlobRef,
    /// What it shows.
    pub caption: Option<String>,
    /// When it was taken.
    pub at: Option<Instant>,
    /// Where it came from.
    pub source: Option<AttachmentSource>,
}

/// Somebody was shown the entry, and signed it or refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Countersigned {
    /// Who.
    pub name: String,
    /// When.
    pub at: Instant,
    /// Picture of the signature.
    pub signature: Option<BlobRef>,
    /// Refused to sign?
    pub refused: bool,
}

impl Note {
    /// An entry with a body, made at the time.
    pub fn new(setting: Setting, kind: NoteKind, body: impl Into<String>) -> Self {
        Self {
            setting,
            kind,
            body: body.into(),
            speech: Vec::new(),
            description_seen: None,
            officer_assessment: None,
            persons: Vec::new(),
            vehicles: Vec::new(),
            weather_light: None,
            witnesses_present: Vec::new(),
            other_officers: Vec::new(),
            made_later: None,
            notes_compared_with: Vec::new(),
            exhibits: Vec::new(),
            attachments: Vec::new(),
            countersigned: Vec::new(),
            disclosure_flags: Vec::new(),
        }
    }

    /// The family of the record.
    pub const FAMILY: &str = "NOTE";

    /// The operations that found the record.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        self.setting.write(&mut ops, Marking::Official);
        ops.set(field::NOTE_KIND, &self.kind);
        if !self.body.trim().is_empty() {
            ops.set(field::BODY, &self.body);
        }
        ops.append(field::SPEECH, &self.speech);
        ops.set_some(field::DESCRIPTION_SEEN, &self.description_seen);
        ops.set_some(field::OFFICER_ASSESSMENT, &self.officer_assessment);
        ops.append(field::PERSONS, &self.persons);
        ops.append(field::VEHICLES, &self.vehicles);
        ops.set_some(field::WEATHER_LIGHT, &self.weather_light);
        ops.add(field::WITNESSES_PRESENT, &self.witnesses_present);
        ops.add(field::OTHER_OFFICERS, &self.other_officers);
        ops.set(field::CONTEMPORANEOUS, &Made(self.made_later.as_deref()));
        ops.add(field::NOTES_COMPARED_WITH, &self.notes_compared_with);
        ops.add(field::EXHIBITS, &self.exhibits);
        ops.append(field::ATTACHMENTS, &self.attachments);
        ops.append(field::COUNTERSIGNED, &self.countersigned);
        ops.add(field::DISCLOSURE_FLAGS, &self.disclosure_flags);
        ops.finish()
    }
}

/// Made at the time, or why not.
struct Made<'a>(Option<&'a str>);

impl IntoValue for Made<'_> {
    fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
        Members::default()
            .put(field::MADE_AT_THE_TIME, &self.0.is_none())
            .put_some(field::REASON, &self.0.map(str::to_owned))
            .finish()
    }
}

redacted!(Note, Speech, Vehicle, Attachment, Countersigned);

group!(Speech { speaker_label: must SPEAKER_LABEL, words: must WORDS, at: may AT });
group!(Vehicle { vrm: may VRM, colour: may VEHICLE_COLOUR, make: may VEHICLE_MAKE, note: may VEHICLE_NOTE });
group!(WeatherLight { weather: may WEATHER, light: may LIGHT });
group!(Attachment { blob: must BLOB, caption: may CAPTION, at: may AT, source: may SOURCE });
group!(Countersigned { name: must NAME, at: must AT, signature: may SIGNATURE_IMAGE, refused: must REFUSED });
