//! Groups that several families use: fields that mean something only together, in one register.

use super::{FieldSpec, Form, Kind, formed, int, line, text};
use crate::field;
use crate::vocabulary::{
    AttachmentSource, FixSource, FlagBasis, IcCode, LinkRelation, LocationPrivacy, LocationType,
    RetentionGroup, Role, SubjectCategory, VulnerabilityFlag,
};

const fn member(id: beatbook_proto::FieldId, name: &'static str, kind: Kind, doc: &'static str) -> FieldSpec {
    FieldSpec::new(id, name, kind, doc)
}

pub(super) const INTERVAL: &[FieldSpec] = &[
    member(field::FROM, "from", Kind::Instant, "When it began.").always(),
    member(
        field::TO,
        "to",
        Kind::Instant,
        "When it ended; not before it began.",
    ),
];

pub(super) const AUTHOR: &[FieldSpec] = &[
    member(field::OFFICER, "officer", Kind::Officer, "The officer, for ever.").always(),
    member(
        field::COLLAR,
        "collar",
        formed(Form::Collar),
        "Collar number; re-issued, so unique only with force and date.",
    ),
    member(field::FORCE, "force", Kind::Word(Form::Force), "The force."),
    member(
        field::ROLE,
        "role",
        Kind::Code(Role::VOCABULARY),
        "Rank or standing.",
    ),
];

pub(super) const RETENTION: &[FieldSpec] = &[
    member(
        field::GROUP_CODE,
        "group",
        Kind::Code(RetentionGroup::VOCABULARY),
        "How long it is kept.",
    )
    .always(),
    member(
        field::REVIEW_DUE,
        "review_due",
        Kind::Date,
        "When to look at it again.",
    ),
];

pub(super) const HOLD: &[FieldSpec] = &[
    member(
        field::HOLD_REF,
        "ref",
        line(32),
        "The case that needs the record kept.",
    )
    .always(),
    member(field::BY, "by", formed(Form::Collar), "Who placed the hold."),
    member(field::AT, "at", Kind::Instant, "When it was placed."),
];

pub(super) const LINK: &[FieldSpec] = &[
    member(
        field::RELATION,
        "relation",
        Kind::Code(LinkRelation::VOCABULARY),
        "How this record stands to the other.",
    )
    .always(),
    member(field::RECORD, "record", Kind::Record, "The other record.").always(),
];

pub(super) const SIGNATURE: &[FieldSpec] = &[
    member(field::AT, "at", Kind::Instant, "When it was signed.").always(),
    member(
        field::INITIALS,
        "initials",
        formed(Form::Initials),
        "The signer's initials.",
    )
    .always(),
    member(
        field::COLLAR,
        "collar",
        formed(Form::Collar),
        "The signer's collar number.",
    ),
    member(
        field::ROLE,
        "role",
        Kind::Code(Role::VOCABULARY),
        "The signer's role.",
    ),
];

pub(super) const REMARK: &[FieldSpec] = &[
    member(field::WORDS, "words", text(20_000), "What is said.")
        .always()
        .personal(),
    member(field::AT, "at", Kind::Instant, "When it was written.").always(),
    member(field::BY, "by", formed(Form::Collar), "Who wrote it."),
    member(
        field::INITIALS,
        "initials",
        formed(Form::Initials),
        "Their initials.",
    ),
];

pub(super) const STRIKE: &[FieldSpec] = &[
    member(
        field::STRUCK_FIELD,
        "field",
        line(40),
        "The text field that is struck; the note's body if absent.",
    ),
    member(
        field::START,
        "start",
        int(0, 20_000, "code points"),
        "First code point struck.",
    )
    .always(),
    member(
        field::END,
        "end",
        int(0, 20_000, "code points"),
        "First code point after the strike.",
    )
    .always(),
    member(field::REASON, "reason", line(500), "Why it is struck.").always(),
    member(
        field::INITIALS,
        "initials",
        formed(Form::Initials),
        "Who struck it.",
    )
    .always(),
    member(field::AT, "at", Kind::Instant, "When it was struck.").always(),
];

pub(super) const LOCATION: &[FieldSpec] = &[
    member(
        field::POINT,
        "point",
        Kind::Point,
        "WGS84 position; outside the UK it is flagged.",
    )
    .personal(),
    member(
        field::ACCURACY_DM,
        "accuracy_dm",
        int(0, 10_000_000, "dm"),
        "Horizontal accuracy in decimetres; over 100 m is approximate.",
    ),
    member(
        field::FIX_SOURCE,
        "fix_source",
        Kind::Code(FixSource::VOCABULARY),
        "Where the position came from.",
    ),
    member(
        field::FIX_AGE_S,
        "fix_age_s",
        int(0, 31_622_400, "s"),
        "Age of the fix; over 120 s is approximate.",
    ),
    member(
        field::OS_GRID,
        "os_grid",
        formed(Form::Grid),
        "OS grid reference; derived by a Helmert transform, about 5 m.",
    )
    .personal(),
    member(
        field::UPRN,
        "uprn",
        formed(Form::Uprn),
        "Unique property reference number.",
    )
    .personal(),
    member(
        field::USRN,
        "usrn",
        formed(Form::Usrn),
        "Unique street reference number.",
    ),
    member(
        field::ADDRESS_TEXT,
        "address_text",
        text(300),
        "The address as written.",
    )
    .personal(),
    member(
        field::PLACE_NAME,
        "place_name",
        line(100),
        "What the place is called.",
    ),
    member(
        field::WHAT_IS_HERE,
        "what_is_here",
        line(200),
        "What stands there.",
    ),
    member(
        field::LOCATION_TYPE,
        "location_type",
        Kind::Code(LocationType::VOCABULARY),
        "What kind of place it is.",
    ),
    member(
        field::CALLER_LOCATOR,
        "caller_locator",
        line(100),
        "Whatever the caller quoted; kept verbatim, never resolved.",
    )
    .personal(),
    member(
        field::PRIVACY,
        "privacy",
        Kind::Code(LocationPrivacy::VOCABULARY),
        "How exactly it may be shown on export.",
    ),
];

const CATEGORY: Kind = Kind::Code(SubjectCategory::VOCABULARY);

pub(super) const PERSON: &[FieldSpec] = &[
    member(
        field::PERSON_ID,
        "person_id",
        formed(Form::Uuid),
        "The person, on this force's devices.",
    ),
    member(
        field::NOMINAL_ID,
        "nominal_id",
        line(64),
        "The person's id in another system.",
    )
    .personal(),
    member(field::GIVEN_NAME, "given_name", line(100), "Given name.").personal(),
    member(field::FAMILY_NAME, "family_name", line(100), "Family name.").personal(),
    member(field::OTHER_NAMES, "other_names", line(200), "Other names.").personal(),
    member(field::ALIAS, "alias", line(100), "A name of their choice.").personal(),
    member(field::DOB, "dob", Kind::Date, "Date of birth; not in the future.").personal(),
    member(
        field::AGE_MIN,
        "age_min",
        int(0, 130, "years"),
        "Estimated age, least.",
    )
    .personal(),
    member(
        field::AGE_MAX,
        "age_max",
        int(0, 130, "years"),
        "Estimated age, greatest.",
    )
    .personal(),
    member(
        field::PERSON_DESCRIPTION,
        "description",
        text(2_000),
        "What they look like.",
    )
    .personal(),
    member(
        field::SUBJECT_CATEGORIES,
        "subject_categories",
        Kind::List(&CATEGORY),
        "In which capacity they appear; at least one.",
    )
    .always()
    .law("DPA 2018 s.38(3)"),
    member(field::PHONE, "phone", formed(Form::Phone), "Telephone number.").personal(),
    member(
        field::EMAIL,
        "email",
        Kind::Text {
            form: Form::Email,
            chars_max: 254,
        },
        "Mail address.",
    )
    .personal(),
    member(field::HOME_ADDRESS, "address", text(300), "Exact address.").personal(),
    member(
        field::IC_CODE,
        "ic_code",
        Kind::Code(IcCode::VOCABULARY),
        "Ethnic appearance as the officer observed it; never derived from the person's own definition.",
    )
    .sensitive(),
];

pub(super) const VULNERABILITY: &[FieldSpec] = &[
    member(
        field::FLAG,
        "flag",
        Kind::Code(VulnerabilityFlag::VOCABULARY),
        "Why.",
    )
    .always()
    .sensitive(),
    member(
        field::FLAG_BASIS,
        "basis",
        Kind::Code(FlagBasis::VOCABULARY),
        "Observed or disclosed.",
    )
    .always(),
    member(field::FLAG_DATE, "date", Kind::Date, "On which day.").always(),
    member(field::FLAG_WHY, "why", text(1_000), "What it rests on.").sensitive(),
    member(field::PERSON_ID, "person_id", formed(Form::Uuid), "Which person."),
];

pub(super) const ATTACHMENT: &[FieldSpec] = &[
    member(
        field::BLOB,
        "blob",
        Kind::Blob,
        "Hash, length and media type of the original bytes.",
    )
    .always(),
    member(field::CAPTION, "caption", line(200), "What it shows.").personal(),
    member(field::AT, "at", Kind::Instant, "When it was taken."),
    member(
        field::SOURCE,
        "source",
        Kind::Code(AttachmentSource::VOCABULARY),
        "Where it came from.",
    ),
];
