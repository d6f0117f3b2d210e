//! The fields of a note.

use super::{FieldSpec, Form, Kind, formed, group, line, text};
use crate::field;
use crate::vocabulary::{DisclosureFlag, Light, NoteKind, Weather};

pub(super) const FIELDS: &[FieldSpec] = &[
    FieldSpec::new(
        field::NOTE_KIND,
        "note_kind",
        Kind::Code(NoteKind::VOCABULARY),
        "What kind of entry it is.",
    )
    .always(),
    FieldSpec::new(
        field::BODY,
        "body",
        text(20_000),
        "What the officer writes; not blank, no blank lines at the end.",
    )
    .at_sign()
    .personal()
    .law("no blank spaces"),
    FieldSpec::new(
        field::SPEECH,
        "speech",
        Kind::Group(SPEECH),
        "Direct speech, verbatim, apart from the rest.",
    )
    .appended()
    .personal()
    .law("statements in direct speech"),
    FieldSpec::new(
        field::DESCRIPTION_SEEN,
        "description_seen",
        text(5_000),
        "What was seen: facts.",
    )
    .personal()
    .law("DPA 2018 s.38(2)"),
    FieldSpec::new(
        field::OFFICER_ASSESSMENT,
        "officer_assessment",
        text(5_000),
        "What the officer makes of it: opinion.",
    )
    .personal()
    .law("DPA 2018 s.38(2)"),
    FieldSpec::new(
        field::PERSONS,
        "persons",
        Kind::Group(group::PERSON),
        "Who it concerns.",
    )
    .appended()
    .personal(),
    FieldSpec::new(field::VEHICLES, "vehicles", Kind::Group(VEHICLE), "Vehicles.")
        .appended()
        .personal(),
    FieldSpec::new(
        field::WEATHER_LIGHT,
        "weather_light",
        Kind::Group(WEATHER_LIGHT),
        "Weather and light: visibility matters in identification.",
    ),
    FieldSpec::new(
        field::WITNESSES_PRESENT,
        "witnesses_present",
        line(200),
        "Who else was there.",
    )
    .set_of()
    .personal(),
    FieldSpec::new(
        field::OTHER_OFFICERS,
        "other_officers",
        formed(Form::Collar),
        "Collar numbers of other officers there.",
    )
    .set_of(),
    FieldSpec::new(
        field::CONTEMPORANEOUS,
        "made_contemporaneously",
        Kind::Group(CONTEMPORANEOUS),
        "Whether it was made at the time, and why if not.",
    )
    .law("CJA 2003 s.139"),
    FieldSpec::new(
        field::NOTES_COMPARED_WITH,
        "notes_compared_with",
        formed(Form::Collar),
        "Officers with whom notes were compared: conferring is declared.",
    )
    .set_of(),
    FieldSpec::new(
        field::EXHIBITS,
        "exhibits",
        formed(Form::Exhibit),
        "Exhibit references.",
    )
    .set_of(),
    FieldSpec::new(
        field::ATTACHMENTS,
        "attachments",
        Kind::Group(group::ATTACHMENT),
        "Pictures, scans and recordings.",
    )
    .appended(),
    FieldSpec::new(
        field::COUNTERSIGNED,
        "countersigned",
        Kind::Group(COUNTERSIGNED),
        "Who was shown the entry and signed it, or refused.",
    )
    .appended()
    .personal(),
    FieldSpec::new(
        field::DISCLOSURE_FLAGS,
        "disclosure_flags",
        Kind::Code(DisclosureFlag::VOCABULARY),
        "What the disclosure officer has to know.",
    )
    .set_of()
    .law("CPIA 1996"),
];

const SPEECH: &[FieldSpec] = &[
    FieldSpec::new(field::SPEAKER_LABEL, "speaker_label", line(100), "Who spoke.")
        .always()
        .personal(),
    FieldSpec::new(field::WORDS, "words", text(5_000), "The words, verbatim.")
        .always()
        .personal(),
    FieldSpec::new(field::AT, "at", Kind::Instant, "When they were spoken."),
];

const VEHICLE: &[FieldSpec] = &[
    FieldSpec::new(field::VRM, "vrm", formed(Form::Vrm), "Registration mark.").personal(),
    FieldSpec::new(field::VEHICLE_COLOUR, "colour", line(40), "Colour."),
    FieldSpec::new(field::VEHICLE_MAKE, "make", line(80), "Make and model."),
    FieldSpec::new(field::VEHICLE_NOTE, "note", line(300), "Anything else.").personal(),
];

const WEATHER_LIGHT: &[FieldSpec] = &[
    FieldSpec::new(
        field::WEATHER,
        "weather",
        Kind::Code(Weather::VOCABULARY),
        "The weather.",
    ),
    FieldSpec::new(field::LIGHT, "light", Kind::Code(Light::VOCABULARY), "The light."),
];

const CONTEMPORANEOUS: &[FieldSpec] = &[
    FieldSpec::new(field::MADE_AT_THE_TIME, "made", Kind::Bool, "Made at the time?").always(),
    FieldSpec::new(
        field::REASON,
        "reason",
        line(500),
        "Why not; needed where it was not.",
    ),
];

const COUNTERSIGNED: &[FieldSpec] = &[
    FieldSpec::new(field::NAME, "name", line(100), "Who was shown it.")
        .always()
        .personal(),
    FieldSpec::new(field::AT, "at", Kind::Instant, "When.").always(),
    FieldSpec::new(
        field::SIGNATURE_IMAGE,
        "signature",
        Kind::Blob,
        "Picture of the signature.",
    ),
    FieldSpec::new(field::REFUSED, "refused", Kind::Bool, "Refused to sign?").always(),
];
