//! The builder of a contact.

use beatbook_proto::{FieldId, FieldOp, Instant};

use super::value::{BuildError, group};
use super::{Location, Op, Ops, PersonRef, SdeImport, Setting, Vulnerability};
use crate::field;
use crate::redact::redacted;
use crate::vocabulary::{
    Advice, AgeBand, AsbQualifier, ConcernSource, ConsentStanding, ContactKind, ContactMethod,
    ContactOutcome, Feeling, IdentityLevel, Marking, ReferralConsent, ReferralForm, ReferralSubject,
    ReferredTo, RiskGrade, Strand, Topic,
};

/// An engagement with people.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Where and when.
    pub setting: Setting,
    /// Inform, consult or cooperate.
    pub strand: Strand,
    /// How it was made.
    pub method: ContactMethod,
    /// With whom.
    pub kind: ContactKind,
    /// How many were reached; needed for a group or a broadcast.
    pub reach: Option<u32>,
    /// Is the reach an estimate?
    pub reach_estimated: bool,
    /// Counts by topic.
    pub tally: Vec<Tally>,
    /// Who was spoken to.
    pub persons: Vec<PersonRef>,
    /// How far the person is identified.
    pub identity_level: Option<IdentityLevel>,
    /// Is the identity protected?
    pub identity_protected: Option<bool>,
    /// Consent by channel.
    pub consents: Vec<(ConsentChannel, Consent)>,
    /// How the person can be contacted safely.
    pub safe_contact: Option<SafeContact>,
    /// What worries them.
    pub concerns: Vec<Concern>,
    /// How safe they feel.
    pub feeling: Option<Feelings>,
    /// Advice given.
    pub advice_given: Vec<Advice>,
    /// Partners pointed to.
    pub signposted_to: Vec<String>,
    /// Vulnerability flags.
    pub vulnerability: Vec<Vulnerability>,
    /// What came of it.
    pub outcome: Option<ContactOutcome>,
    /// What was promised.
    pub promise: Option<Promise>,
    /// Self-defined ethnicity.
    pub sde: Option<SdeImport>,
    /// Age band.
    pub age_band: Option<AgeBand>,
    /// Gender as the person describes it.
    pub gender: Option<String>,
    /// Language.
    pub language: Option<String>,
    /// What the person needs.
    pub disability_need: Option<String>,
    /// A safeguarding referral.
    pub referral: Option<Referral>,
    /// What was said, in brief.
    pub summary: Option<String>,
}

/// How many spoke of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The topic.
    pub topic: Topic,
    /// How many.
    pub count: u16,
}

/// A channel that consent is given for; each is a register of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsentChannel {
    /// Mail.
    Email,
    /// Telephone.
    Phone,
    /// Letters.
    Post,
    /// Social media.
    Social,
    /// Text messages.
    TextMessage,
    /// Visits.
    Visit,
}

/// How consent over one channel stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// Given, refused or withdrawn.
    pub standing: ConsentStanding,
    /// When.
    pub at: Instant,
    /// Which wording the person was shown.
    pub wording_version: String,
}

/// How a person can be contacted safely.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeContact {
    /// Is it safe to call?
    pub safe_to_call: bool,
    /// When.
    pub times: Option<String>,
    /// Who may answer.
    pub who_may_answer: Option<String>,
    /// May a message be left?
    pub leave_message: bool,
}

/// What worries someone.
#[derive(Clone, PartialEq, Eq)]
pub struct Concern {
    /// About what.
    pub topic: Topic,
    /// Whom anti-social behaviour is aimed at.
    pub asb_qualifier: Option<AsbQualifier>,
    /// In their own words.
    pub own_words: Option<String>,
    /// Where.
    pub location: Option<Location>,
    /// Where it was heard.
    pub source: Option<ConcernSource>,
    /// The local priority.
    pub priority_id: Option<String>,
}

/// How safe someone feels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feelings {
    /// Safe by day?
    pub safe_day: Option<Feeling>,
    /// Safe in the dark?
    pub safe_dark: Option<Feeling>,
    /// Confidence in the police?
    pub confidence_in_police: Option<Feeling>,
}

/// What was promised.
#[derive(Clone, PartialEq, Eq)]
pub struct Promise {
    /// What.
    pub what: String,
    /// By when.
    pub due: Instant,
    /// When it was kept.
    pub kept_at: Option<Instant>,
}

/// A safeguarding referral.
#[derive(Clone, PartialEq, Eq)]
pub struct Referral {
    /// Which form.
    pub form: ReferralForm,
    /// Whom it is about.
    pub subject: String,
    /// Adult or child.
    pub adult_or_child: ReferralSubject,
    /// Consent to share.
    pub consent_to_share: ReferralConsent,
    /// Why it is shared without consent.
    pub consent_reason: Option<String>,
    /// Concern about capacity?
    pub capacity_concern: Option<bool>,
    /// The grade.
    pub risk_grade: RiskGrade,
    /// In immediate danger?
    pub immediate_danger: bool,
    /// What gave rise to it.
    pub summary: Option<String>,
    /// The voice of the child or person.
    pub voice: Option<String>,
    /// Who receives it.
    pub referred_to: Vec<ReferredTo>,
    /// When it was submitted.
    pub submitted_at: Option<Instant>,
    /// By when: the end of the shift.
    pub deadline: Instant,
}

impl Contact {
    /// The family of the record.
    pub const FAMILY: &str = "CONTACT";

    /// A talk with one person in the street, about whom nothing is recorded yet.
    pub fn at(setting: Setting) -> Self {
        Self {
            setting,
            strand: Strand::Inform,
            method: ContactMethod::Street,
            kind: ContactKind::Individual,
            reach: None,
            reach_estimated: false,
            tally: Vec::new(),
            persons: Vec::new(),
            identity_level: None,
            identity_protected: None,
            consents: Vec::new(),
            safe_contact: None,
            concerns: Vec::new(),
            feeling: None,
            advice_given: Vec::new(),
            signposted_to: Vec::new(),
            vulnerability: Vec::new(),
            outcome: None,
            promise: None,
            sde: None,
            age_band: None,
            gender: None,
            language: None,
            disability_need: None,
            referral: None,
            summary: None,
        }
    }

    /// The operations that found the record; with a vulnerability or a referral it is OFFICIAL_SENSITIVE by default.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        self.setting.write(&mut ops, self.marking());
        ops.set(field::STRAND, &self.strand);
        ops.set(field::METHOD, &self.method);
        ops.set(field::CONTACT_KIND, &self.kind);
        if let Some(reach) = self.reach {
            ops.op(field::REACH, FieldOp::Max(i64::from(reach)));
            ops.set(field::REACH_ESTIMATED, &self.reach_estimated);
        }
        ops.append(field::TALLY, &self.tally);
        ops.append(field::CONTACT_PERSONS, &self.persons);
        ops.set_some(field::IDENTITY_LEVEL, &self.identity_level);
        ops.set_some(field::IDENTITY_PROTECTED, &self.identity_protected);
        for (channel, consent) in &self.consents {
            ops.set(channel.field(), consent);
        }
        ops.set_some(field::SAFE_CONTACT, &self.safe_contact);
        ops.append(field::CONCERNS, &self.concerns);
        ops.set_some(field::FEELING, &self.feeling);
        ops.add(field::ADVICE_GIVEN, &self.advice_given);
        ops.add(field::SIGNPOSTED_TO, &self.signposted_to);
        ops.add(field::VULNERABILITY, &self.vulnerability);
        ops.set_some(field::OUTCOME, &self.outcome);
        ops.set_some(field::PROMISE, &self.promise);
        if let Some(sde) = &self.sde {
            ops.set(field::SDE_CODE, &sde.code);
            ops.set_some(field::SDE_ORIGINAL, &sde.original);
        }
        ops.set_some(field::AGE_BAND, &self.age_band);
        ops.set_some(field::GENDER, &self.gender);
        ops.set_some(field::LANGUAGE, &self.language);
        ops.set_some(field::DISABILITY_NEED, &self.disability_need);
        ops.set_some(field::REFERRAL, &self.referral);
        ops.set_some(field::CONTACT_SUMMARY, &self.summary);
        ops.finish()
    }

    fn marking(&self) -> Marking {
        let tender = !self.vulnerability.is_empty()
            || self.referral.is_some()
            || self.identity_protected == Some(true);
        if tender {
            Marking::OfficialSensitive
        } else {
            Marking::Official
        }
    }
}

impl ConsentChannel {
    /// Every channel.
    pub const ALL: [Self; 6] = [
        Self::Email,
        Self::Phone,
        Self::Post,
        Self::Social,
        Self::TextMessage,
        Self::Visit,
    ];

    /// The register that holds consent over this channel.
    pub fn field(self) -> FieldId {
        match self {
            Self::Email => field::CONSENT_EMAIL,
            Self::Phone => field::CONSENT_PHONE,
            Self::Post => field::CONSENT_POST,
            Self::Social => field::CONSENT_SOCIAL,
            Self::TextMessage => field::CONSENT_TEXT_MESSAGE,
            Self::Visit => field::CONSENT_VISIT,
        }
    }
}

impl Promise {
    /// A promise, due within 72 hours.
    pub fn new(what: impl Into<String>, made_at: Instant) -> Self {
        Self {
            what: what.into(),
            due: Instant {
                utc_ms: made_at.utc_ms.saturating_add(DUE_MS_DEFAULT),
                ..made_at
            },
            kept_at: None,
        }
    }

    /// The operations of the state revision that says it was kept.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn kept_ops(mut self, at: Instant) -> Result<Vec<Op>, BuildError> {
        self.kept_at = Some(at);
        let mut ops = Ops::default();
        ops.set(field::PROMISE, &self);
        ops.finish()
    }
}

/// How long a promise may take, unless said otherwise: 72 hours, in milliseconds.
const DUE_MS_DEFAULT: i64 = 72 * 3_600 * 1_000;

redacted!(Contact, SafeContact, Concern, Promise, Referral);

group!(Tally { topic: must TOPIC, count: must COUNT });
group!(Consent { standing: must STANDING, at: must AT, wording_version: must WORDING_VERSION });
group!(SafeContact {
    safe_to_call: must SAFE_TO_CALL,
    times: may SAFE_TIMES,
    who_may_answer: may WHO_MAY_ANSWER,
    leave_message: must LEAVE_MESSAGE,
});
group!(Concern {
    topic: must TOPIC,
    asb_qualifier: may ASB_QUALIFIER,
    own_words: may OWN_WORDS,
    location: may CONCERN_LOCATION,
    source: may CONCERN_SOURCE,
    priority_id: may PRIORITY_ID,
});
group!(Feelings { safe_day: may SAFE_DAY, safe_dark: may SAFE_DARK, confidence_in_police: may CONFIDENCE });
group!(Promise { what: must PROMISED, due: must DUE, kept_at: may KEPT_AT });
group!(Referral {
    form: must REFERRAL_FORM,
    subject: must SUBJECT_NAME,
    adult_or_child: must REFERRAL_SUBJECT,
    consent_to_share: must REFERRAL_CONSENT,
    consent_reason: may CONSENT_REASON,
    capacity_concern: may CAPACITY_CONCERN,
    risk_grade: must RISK_GRADE,
    immediate_danger: must IMMEDIATE_DANGER,
    summary: may REFERRAL_SUMMARY,
    voice: may VOICE,
    referred_to: many REFERRED_TO,
    submitted_at: may SUBMITTED_AT,
    deadline: must DEADLINE,
});
