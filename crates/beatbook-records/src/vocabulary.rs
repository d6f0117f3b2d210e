//! Vocabularies: the words that a code field may hold, each with its meaning.
//!
//! Every vocabulary is one enum, made by one macro, so that a word is written once. Reading is open: a word
//! that this build does not know becomes `Unlisted` and round-trips. Writing is checked against
//! [`Vocabulary::accepts`]: a known word, or a force's own word `X_<force>_..` where the vocabulary is open.

mod contact;
mod every;
mod note;
mod patrol;
mod person;

pub use contact::{
    Advice, AgeBand, AsbQualifier, ConcernSource, ConsentStanding, ContactKind, ContactMethod,
    ContactOutcome, Feeling, IdentityLevel, Strand, Topic,
};
pub use every::{
    FixSource, Lifecycle, LinkRelation, LocationPrivacy, LocationType, Marking, Purpose, Regime,
    RetentionGroup, Role,
};
pub use note::{AttachmentSource, DisclosureFlag, Light, NoteKind, Weather};
pub use patrol::{BeatBasis, Companion, DutyStateWord, PatrolMode, StopKind, StopResult};
pub use person::{
    FlagBasis, IcCode, ReferralConsent, ReferralForm, ReferralSubject, ReferredTo, RiskGrade, SdeCode,
    SubjectCategory, VulnerabilityFlag,
};

/// One word of a vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word as it is stored, in UPPER_SNAKE.
    pub code: &'static str,
    /// What it means, for people.
    pub meaning: &'static str,
}

/// A named, numbered list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The stable name of the vocabulary.
    pub id: &'static str,
    /// Raised whenever a word is added; words are never taken away.
    pub version: u16,
    /// May a force extend it with words that begin `X_<force>_`?
    pub open: bool,
    /// The words, in the order they are offered.
    pub words: &'static [Word],
}

impl Vocabulary {
    /// Whether `word` is one of the listed words.
    pub fn knows(&self, word: &str) -> bool {
        self.words.iter().any(|known| known.code == word)
    }

    /// Whether a device may write `word`: a listed word, or a force's own where the vocabulary is open.
    pub fn accepts(&self, word: &str) -> bool {
        self.knows(word) || (self.open && is_extension(word))
    }

    /// What a listed word means.
    pub fn meaning(&self, word: &str) -> Option<&'static str> {
        self.words
            .iter()
            .find(|known| known.code == word)
            .map(|known| known.meaning)
    }
}

/// Whether a word has the form of a force's own: `X_`, two digits, `_`, then capitals, digits or `_`.
pub fn is_extension(word: &str) -> bool {
    let Some(rest) = word.strip_prefix("X_") else {
        return false;
    };
    let Some((force, own)) = rest.split_once('_') else {
        return false;
    };
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    force.len() == 2
        && force.bytes().all(|byte| byte.is_ascii_digit())
        && !own.is_empty()
        && own.bytes().all(plain)
}

/// Every vocabulary of the product, by id.
pub const ALL: &[&Vocabulary] = &[
    Advice::VOCABULARY,
    AgeBand::VOCABULARY,
    AsbQualifier::VOCABULARY,
    AttachmentSource::VOCABULARY,
    BeatBasis::VOCABULARY,
    Companion::VOCABULARY,
    ConcernSource::VOCABULARY,
    ConsentStanding::VOCABULARY,
    ContactKind::VOCABULARY,
    ContactMethod::VOCABULARY,
    ContactOutcome::VOCABULARY,
    DisclosureFlag::VOCABULARY,
    DutyStateWord::VOCABULARY,
    Feeling::VOCABULARY,
    FixSource::VOCABULARY,
    FlagBasis::VOCABULARY,
    IcCode::VOCABULARY,
    IdentityLevel::VOCABULARY,
    Lifecycle::VOCABULARY,
    Light::VOCABULARY,
    LinkRelation::VOCABULARY,
    LocationPrivacy::VOCABULARY,
    LocationType::VOCABULARY,
    Marking::VOCABULARY,
    NoteKind::VOCABULARY,
    PatrolMode::VOCABULARY,
    Purpose::VOCABULARY,
    ReferralConsent::VOCABULARY,
    ReferralForm::VOCABULARY,
    ReferralSubject::VOCABULARY,
    ReferredTo::VOCABULARY,
    Regime::VOCABULARY,
    RetentionGroup::VOCABULARY,
    RiskGrade::VOCABULARY,
    Role::VOCABULARY,
    SdeCode::VOCABULARY,
    StopKind::VOCABULARY,
    StopResult::VOCABULARY,
    Strand::VOCABULARY,
    SubjectCategory::VOCABULARY,
    Topic::VOCABULARY,
    VulnerabilityFlag::VOCABULARY,
    Weather::VOCABULARY,
];

/// Makes an enum and its vocabulary from one list of words.
macro_rules! vocabulary {
    (
        $(#[$doc:meta])*
        $name:ident $id:literal $version:literal $open:ident {
            $($variant:ident = $word:literal: $meaning:literal),+ $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = $meaning] $variant,)+
            /// A word that this build does not list: a force's own, or a newer peer's.
            Unlisted(beatbook_proto::Code),
        }

        impl $name {
            /// The words, with their meanings.
            pub const VOCABULARY: &'static $crate::vocabulary::Vocabulary = &$crate::vocabulary::Vocabulary {
                id: $id,
                version: $version,
                open: $crate::vocabulary::$open,
                words: &[$($crate::vocabulary::Word { code: $word, meaning: $meaning }),+],
            };

            /// The word as it is stored.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Unlisted(code) => code.as_str(),
                }
            }

            /// The word as a code.
            pub fn code(&self) -> beatbook_proto::Code {
                match self {
                    Self::Unlisted(code) => code.clone(),
                    listed => $crate::vocabulary::listed_code(listed.word()),
                }
            }
        }

        impl From<&beatbook_proto::Code> for $name {
            fn from(code: &beatbook_proto::Code) -> Self {
                match code.as_str() {
                    $($word => Self::$variant,)+
                    _ => Self::Unlisted(code.clone()),
                }
            }
        }
    };
}
use vocabulary;

/// A listed word as a code.
fn listed_code(word: &str) -> beatbook_proto::Code {
    beatbook_proto::Code::new(word).expect("every listed word is a code; a test encodes each of them")
}

const OPEN: bool = true;
const CLOSED: bool = false;

#[cfg(test)]
mod tests;
