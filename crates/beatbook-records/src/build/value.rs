//! Turning plain Rust values into values of a field.

use beatbook_proto::{BlobRef, Bytes, Code, Dot, FieldId, Instant, OfficerId, Point, Text, Value};
use unicode_normalization::UnicodeNormalization;

use crate::schema::{self, Form, Kind};

/// Something that cannot be a value of its field at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A code is empty, too long, or holds blanks.
    #[error("{field} is not a code: 1 to 64 printable characters without blanks")]
    NotACode {
        /// The field.
        field: String,
    },
    /// The text is longer than any text may be.
    #[error("{field} is too long: at most 20000 characters")]
    TooLong {
        /// The field.
        field: String,
    },
    /// A track has too many points.
    #[error("{field} has too many points: begin another chunk")]
    Track {
        /// The field.
        field: String,
    },
}

/// A calendar day, in days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i32);

/// What can be turned into a value of a field.
pub trait IntoValue {
    /// The value, for field or member `id`.
    ///
    /// # Errors
    /// What cannot be a value at all; whether it may be written is checked later.
    #[expect(clippy::wrong_self_convention, reason = "builders are read, not used up")]
    fn into_value(&self, id: FieldId) -> Result<Value, BuildError>;
}

impl IntoValue for String {
    fn into_value(&self, id: FieldId) -> Result<Value, BuildError> {
        self.as_str().into_value(id)
    }
}

impl IntoValue for str {
    fn into_value(&self, id: FieldId) -> Result<Value, BuildError> {
        let field = || schema::name_of(id);
        match schema::any_field(id).map(|spec| element(spec.kind)) {
            Some(Kind::Word(_) | Kind::Code(_)) => {
                let code = Code::new(self.trim()).map_err(|_| BuildError::NotACode { field: field() })?;
                Ok(Value::Code(code))
            }
            Some(Kind::Text { form, .. }) => text(&normalise(form, self), field),
            _ => text(&normalise(Form::Free, self), field),
        }
    }
}

/// The kind of one element of a list, or the kind itself.
fn element(kind: Kind) -> Kind {
    match kind {
        Kind::List(element) => *element,
        kind => kind,
    }
}

fn text(text: &str, field: impl Fn() -> String) -> Result<Value, BuildError> {
    Text::new(text)
        .map(Value::Text)
        .ok_or_else(|| BuildError::TooLong { field: field() })
}

/// Brings a text to the form in which it is kept.
pub(crate) fn normalise(form: Form, text: &str) -> String {
    let text: String = text.replace("\r\n", "\n").replace('\r', "\n").nfc().collect();
    let tight = |text: &str| -> String { text.split_whitespace().collect() };
    match form {
        Form::Free => without_blank_end(&text).to_owned(),
        Form::Line => text,
        Form::Vrm | Form::Initials | Form::Collar => tight(&text).to_uppercase(),
        Form::Uprn | Form::Usrn => tight(&text).trim_start_matches('0').to_owned(),
        Form::Uuid => tight(&text).to_lowercase(),
        Form::Grid | Form::Exhibit => text.trim().to_uppercase(),
        Form::Beat | Form::Email | Form::Force | Form::Phone => text.trim().to_owned(),
    }
}

/// A text without the blank lines, and other blanks, at its end.
pub(crate) fn without_blank_end(text: &str) -> &str {
    text.trim_end()
}

macro_rules! plain_value {
    ($($from:ty => $to:expr),+ $(,)?) => {
        $(impl IntoValue for $from {
            fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
                Ok($to(self.clone()))
            }
        })+
    };
}

plain_value! {
    bool => Value::Bool,
    i64 => Value::Int,
    u16 => |number| Value::Int(i64::from(number)),
    u32 => |number| Value::Int(i64::from(number)),
    Instant => Value::Instant,
    Day => |day: Day| Value::Date(day.0),
    Point => Value::Point,
    Bytes => Value::Track,
    Dot => Value::Record,
    OfficerId => Value::Officer,
    BlobRef => |blob: BlobRef| Value::Blob(Box::new(blob)),
    Value => |value| value,
}

macro_rules! word_value {
    ($($name:ident),+ $(,)?) => {
        $(impl IntoValue for crate::vocabulary::$name {
            fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
                Ok(Value::Code(self.code()))
            }
        })+
    };
}

word_value! {
    Advice, AgeBand, AsbQualifier, AttachmentSource, BeatBasis, Companion, ConcernSource, ConsentStanding,
    ContactKind, ContactMethod, ContactOutcome, DisclosureFlag, DutyStateWord, Feeling, FixSource, FlagBasis,
    IcCode, IdentityLevel, Lifecycle, Light, LinkRelation, LocationPrivacy, LocationType, Marking, NoteKind,
    PatrolMode, Purpose, ReferralConsent, ReferralForm, ReferralSubject, ReferredTo, Regime, RetentionGroup,
    RiskGrade, Role, SdeCode, StopKind, StopResult, Strand, SubjectCategory, Topic, VulnerabilityFlag, Weather,
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(&self, id: FieldId) -> Result<Value, BuildError> {
        let items: Result<Vec<Value>, BuildError> = self.iter().map(|item| item.into_value(id)).collect();
        Ok(Value::List(items?.into()))
    }
}
