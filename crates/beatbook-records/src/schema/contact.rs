//! The fields of a contact.

use super::{FieldSpec, Form, Kind, formed, group, int, line, text};
use crate::field;
use crate::vocabulary::{
    Advice, AgeBand, AsbQualifier, ConcernSource, ConsentStanding, ContactKind, ContactMethod,
    ContactOutcome, Feeling, IdentityLevel, ReferralConsent, ReferralForm, ReferralSubject, ReferredTo,
    RiskGrade, SdeCode, Strand, Topic,
};

pub(super) const FIELDS: &[FieldSpec] = &[
    FieldSpec::new(
        field::STRAND,
        "strand",
        Kind::Code(Strand::VOCABULARY),
        "Inform, consult or cooperate.",
    )
    .always(),
    FieldSpec::new(
        field::METHOD,
        "method",
        Kind::Code(ContactMethod::VOCABULARY),
        "How it was made.",
    )
    .always(),
    FieldSpec::new(
        field::CONTACT_KIND,
        "kind",
        Kind::Code(ContactKind::VOCABULARY),
        "With whom.",
    )
    .always(),
    FieldSpec::new(
        field::REACH,
        "reach",
        int(0, 4_294_967_295, "people"),
        "How many were reached; needed for a group or a broadcast.",
    )
    .raised(),
    FieldSpec::new(
        field::REACH_ESTIMATED,
        "reach_estimated",
        Kind::Bool,
        "Is the reach an estimate?",
    ),
    FieldSpec::new(
        field::TALLY,
        "tally",
        Kind::Group(TALLY),
        "Counts by topic without names; counts of one topic are summed.",
    )
    .appended(),
    FieldSpec::new(
        field::CONTACT_PERSONS,
        "persons",
        Kind::Group(group::PERSON),
        "Who was spoken to.",
    )
    .appended()
    .personal(),
    FieldSpec::new(
        field::IDENTITY_LEVEL,
        "identity_level",
        Kind::Code(IdentityLevel::VOCABULARY),
        "ANONYMOUS forbids name, phone, mail and exact address.",
    ),
    FieldSpec::new(
        field::IDENTITY_PROTECTED,
        "identity_protected",
        Kind::Bool,
        "Is the identity protected? Then safe contact must be recorded.",
    )
    .personal(),
    FieldSpec::new(
        field::SAFE_CONTACT,
        "safe_contact",
        Kind::Group(SAFE_CONTACT),
        "How the person can be contacted safely.",
    )
    .sensitive(),
    FieldSpec::new(
        field::CONCERNS,
        "concerns",
        Kind::Group(CONCERN),
        "What worries them.",
    )
    .appended()
    .personal(),
    FieldSpec::new(
        field::FEELING,
        "feeling",
        Kind::Group(FEELING),
        "How safe they feel.",
    ),
    FieldSpec::new(
        field::ADVICE_GIVEN,
        "advice_given",
        Kind::Code(Advice::VOCABULARY),
        "Advice given.",
    )
    .set_of(),
    FieldSpec::new(
        field::SIGNPOSTED_TO,
        "signposted_to",
        line(100),
        "Partners pointed to.",
    )
    .set_of(),
    FieldSpec::new(
        field::VULNERABILITY,
        "vulnerability",
        Kind::Group(group::VULNERABILITY),
        "Flags, each with its basis and day.",
    )
    .set_of()
    .sensitive(),
    FieldSpec::new(
        field::OUTCOME,
        "outcome",
        Kind::Code(ContactOutcome::VOCABULARY),
        "What came of it.",
    ),
    FieldSpec::new(
        field::PROMISE,
        "promise",
        Kind::Group(PROMISE),
        "What was promised, by when (72 hours unless said otherwise), and when it was kept.",
    )
    .personal(),
    FieldSpec::new(
        field::SDE_CODE,
        "sde_code",
        Kind::Code(SdeCode::VOCABULARY),
        "Self-defined ethnicity, 18+1; the legacy code O1 is imported as A4.",
    )
    .sensitive()
    .law("DPA 2018 s.35"),
    FieldSpec::new(
        field::SDE_ORIGINAL,
        "sde_original",
        line(8),
        "The legacy code as it was imported.",
    )
    .sensitive(),
    FieldSpec::new(
        field::AGE_BAND,
        "age_band",
        Kind::Code(AgeBand::VOCABULARY),
        "Age band.",
    )
    .personal(),
    FieldSpec::new(
        field::GENDER,
        "gender",
        line(64),
        "Gender as the person describes it, or NOT_STATED, NOT_ASKED.",
    )
    .sensitive(),
    FieldSpec::new(
        field::LANGUAGE,
        "language",
        line(64),
        "Language, or NOT_STATED, NOT_ASKED.",
    )
    .personal(),
    FieldSpec::new(
        field::DISABILITY_NEED,
        "disability_need",
        line(500),
        "What the person needs, or NOT_STATED, NOT_ASKED.",
    )
    .sensitive(),
    FieldSpec::new(
        field::REFERRAL,
        "safeguarding_referral",
        Kind::Group(REFERRAL),
        "A safeguarding referral; due by the end of the shift.",
    )
    .sensitive(),
    FieldSpec::new(
        field::REFERRAL_REVIEWED,
        "referral_reviewed",
        Kind::Group(REVIEWED),
        "When a supervisor reviewed the referral.",
    ),
    FieldSpec::new(
        field::CONTACT_SUMMARY,
        "summary",
        text(5_000),
        "What was said, in brief.",
    )
    .personal(),
    consent(field::CONSENT_PHONE, "consent_phone", "Consent to be telephoned."),
    consent(
        field::CONSENT_TEXT_MESSAGE,
        "consent_text_message",
        "Consent to be sent text messages.",
    ),
    consent(field::CONSENT_EMAIL, "consent_email", "Consent to be sent mail."),
    consent(field::CONSENT_POST, "consent_post", "Consent to be sent letters."),
    consent(
        field::CONSENT_SOCIAL,
        "consent_social",
        "Consent to be contacted over social media.",
    ),
    consent(field::CONSENT_VISIT, "consent_visit", "Consent to be visited."),
];

const fn consent(id: beatbook_proto::FieldId, name: &'static str, doc: &'static str) -> FieldSpec {
    FieldSpec::new(id, name, Kind::Group(CONSENT), doc).law("UK GDPR; not the basis of Part 3 processing")
}

const TALLY: &[FieldSpec] = &[
    FieldSpec::new(
        field::TOPIC,
        "topic",
        Kind::Code(Topic::VOCABULARY),
        "About what.",
    )
    .always(),
    FieldSpec::new(field::COUNT, "count", int(1, 65_535, "people"), "How many.").always(),
];

const SAFE_CONTACT: &[FieldSpec] = &[
    FieldSpec::new(
        field::SAFE_TO_CALL,
        "safe_to_call",
        Kind::Bool,
        "Is it safe to call?",
    )
    .always(),
    FieldSpec::new(field::SAFE_TIMES, "times", line(200), "When.").sensitive(),
    FieldSpec::new(
        field::WHO_MAY_ANSWER,
        "who_may_answer",
        line(200),
        "Who may answer.",
    )
    .sensitive(),
    FieldSpec::new(
        field::LEAVE_MESSAGE,
        "leave_message",
        Kind::Bool,
        "May a message be left?",
    )
    .always(),
];

const CONCERN: &[FieldSpec] = &[
    FieldSpec::new(
        field::TOPIC,
        "topic",
        Kind::Code(Topic::VOCABULARY),
        "About what.",
    )
    .always(),
    FieldSpec::new(
        field::ASB_QUALIFIER,
        "asb_qualifier",
        Kind::Code(AsbQualifier::VOCABULARY),
        "Whom anti-social behaviour is aimed at.",
    ),
    FieldSpec::new(field::OWN_WORDS, "own_words", text(2_000), "In their own words.").personal(),
    FieldSpec::new(
        field::CONCERN_LOCATION,
        "location",
        Kind::Group(group::LOCATION),
        "Where.",
    )
    .personal(),
    FieldSpec::new(
        field::CONCERN_SOURCE,
        "source",
        Kind::Code(ConcernSource::VOCABULARY),
        "Where it was heard.",
    ),
    FieldSpec::new(
        field::PRIORITY_ID,
        "priority_id",
        line(64),
        "The local priority that it touches.",
    ),
];

const FEELING: &[FieldSpec] = &[
    FieldSpec::new(
        field::SAFE_DAY,
        "safe_day",
        Kind::Code(Feeling::VOCABULARY),
        "Safe by day?",
    ),
    FieldSpec::new(
        field::SAFE_DARK,
        "safe_dark",
        Kind::Code(Feeling::VOCABULARY),
        "Safe in the dark?",
    ),
    FieldSpec::new(
        field::CONFIDENCE,
        "confidence_in_police",
        Kind::Code(Feeling::VOCABULARY),
        "Confidence in the police?",
    ),
];

const PROMISE: &[FieldSpec] = &[
    FieldSpec::new(field::PROMISED, "what", line(500), "What was promised.")
        .always()
        .personal(),
    FieldSpec::new(field::DUE, "due", Kind::Instant, "By when.").always(),
    FieldSpec::new(field::KEPT_AT, "kept_at", Kind::Instant, "When it was kept."),
];

const CONSENT: &[FieldSpec] = &[
    FieldSpec::new(
        field::STANDING,
        "standing",
        Kind::Code(ConsentStanding::VOCABULARY),
        "Given, refused or withdrawn.",
    )
    .always(),
    FieldSpec::new(field::AT, "at", Kind::Instant, "When.").always(),
    FieldSpec::new(
        field::WORDING_VERSION,
        "wording_version",
        line(32),
        "Which wording the person was shown.",
    )
    .always(),
];

const REFERRED_TO: Kind = Kind::Code(ReferredTo::VOCABULARY);

const REFERRAL: &[FieldSpec] = &[
    FieldSpec::new(
        field::REFERRAL_FORM,
        "form",
        Kind::Code(ReferralForm::VOCABULARY),
        "Which form.",
    )
    .always(),
    FieldSpec::new(field::SUBJECT_NAME, "subject", line(100), "Whom it is about.")
        .always()
        .personal(),
    FieldSpec::new(
        field::REFERRAL_SUBJECT,
        "adult_or_child",
        Kind::Code(ReferralSubject::VOCABULARY),
        "Adult or child.",
    )
    .always(),
    FieldSpec::new(
        field::REFERRAL_CONSENT,
        "consent_to_share",
        Kind::Code(ReferralConsent::VOCABULARY),
        "Consent to share.",
    )
    .always(),
    FieldSpec::new(
        field::CONSENT_REASON,
        "consent_reason",
        line(500),
        "Why it is shared without consent; needed then.",
    )
    .sensitive(),
    FieldSpec::new(
        field::CAPACITY_CONCERN,
        "capacity_concern",
        Kind::Bool,
        "Concern about capacity?",
    ),
    FieldSpec::new(
        field::RISK_GRADE,
        "risk_grade",
        Kind::Code(RiskGrade::VOCABULARY),
        "The grade.",
    )
    .always(),
    FieldSpec::new(
        field::IMMEDIATE_DANGER,
        "immediate_danger",
        Kind::Bool,
        "In immediate danger?",
    )
    .always(),
    FieldSpec::new(
        field::REFERRAL_SUMMARY,
        "summary",
        text(5_000),
        "What gave rise to it.",
    )
    .sensitive(),
    FieldSpec::new(
        field::VOICE,
        "voice",
        text(5_000),
        "The voice of the child or person.",
    )
    .sensitive(),
    FieldSpec::new(
        field::REFERRED_TO,
        "referred_to",
        Kind::List(&REFERRED_TO),
        "Who receives it.",
    ),
    FieldSpec::new(
        field::SUBMITTED_AT,
        "submitted_at",
        Kind::Instant,
        "When it was submitted.",
    ),
    FieldSpec::new(
        field::DEADLINE,
        "deadline",
        Kind::Instant,
        "By when: the end of the shift.",
    )
    .always(),
];

const REVIEWED: &[FieldSpec] = &[
    FieldSpec::new(field::AT, "at", Kind::Instant, "When.").always(),
    FieldSpec::new(field::BY, "by", formed(Form::Collar), "By whom.").always(),
];
