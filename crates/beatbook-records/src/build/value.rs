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
        let kind = schema::any_field(id).map(|spec| element(spec.kind));
        text_value(kind, self, &schema::name_of(id))
    }
}

/// A text as the value of a field of `kind`: a code where the kind asks for one, else text as it is kept.
pub(crate) fn text_value(kind: Option<Kind>, given: &str, name: &str) -> Result<Value, BuildError> {
    let field = || name.to_owned();
    match kind {
        Some(Kind::Word(_) | Kind::Code(_)) => Code::new(given.trim())
            .map(Value::Code)
            .map_err(|_| BuildError::NotACode { field: field() }),
        Some(Kind::Text { form, .. }) => text(&normalise(form, given), field),
        _ => text(&normalise(Form::Free, given), field),
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

/// What can be read from a value; `None` if it is of another kind, or from a peer that shapes it otherwise.
pub trait FromValue: Sized {
    /// Reads the value.
    fn from_value(value: &Value) -> Option<Self>;
}

/// Reads one member of a group.
pub(super) fn member<T: FromValue>(group: &Value, id: FieldId) -> Option<T> {
    group.member(id).and_then(T::from_value)
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.as_str().to_owned()),
            Value::Code(code) => Some(code.as_str().to_owned()),
            _ => None,
        }
    }
}

impl FromValue for u16 {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(|number| Self::try_from(number).ok())
    }
}

impl FromValue for u32 {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(|number| Self::try_from(number).ok())
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::List(items) => items.iter().map(T::from_value).collect(),
            _ => None,
        }
    }
}

impl IntoValue for u16 {
    fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
        Ok(Value::Int(i64::from(*self)))
    }
}

impl IntoValue for u32 {
    fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
        Ok(Value::Int(i64::from(*self)))
    }
}

macro_rules! plain_value {
    ($($name:ty: $pattern:pat => $read:expr, $write:expr;)+) => {
        $(
            impl IntoValue for $name {
                fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
                    let write: fn(Self) -> Value = $write;
                    Ok(write(self.clone()))
                }
            }

            impl FromValue for $name {
                fn from_value(value: &Value) -> Option<Self> {
                    match value {
                        $pattern => Some($read),
                        _ => None,
                    }
                }
            }
        )+
    };
}

plain_value! {
    bool: Value::Bool(yes) => *yes, Value::Bool;
    i64: Value::Int(number) => *number, Value::Int;
    Instant: Value::Instant(instant) => *instant, Value::Instant;
    Day: Value::Date(day) => Self(*day), |day| Value::Date(day.0);
    Point: Value::Point(point) => *point, Value::Point;
    Bytes: Value::Track(bytes) => bytes.clone(), Value::Track;
    Dot: Value::Record(dot) => *dot, Value::Record;
    OfficerId: Value::Officer(officer) => *officer, Value::Officer;
    BlobRef: Value::Blob(blob) => blob.as_ref().clone(), |blob| Value::Blob(Box::new(blob));
}

macro_rules! word_value {
    ($($name:ident),+ $(,)?) => {
        $(impl IntoValue for crate::vocabulary::$name {
            fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
                Ok(Value::Code(self.code()))
            }
        }

        impl FromValue for crate::vocabulary::$name {
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Code(code) => Some(Self::from(code)),
                    _ => None,
                }
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

/// Makes a struct and a group of members each other's image, from one list of members.
macro_rules! group {
    ($name:ident { $($field:ident: $mode:ident $id:ident),+ $(,)? }) => {
        impl $crate::build::IntoValue for $name {
            fn into_value(
                &self,
                _: beatbook_proto::FieldId,
            ) -> Result<beatbook_proto::Value, $crate::build::BuildError> {
                let members = $crate::build::Members::default();
                $(let members = group!(@put members, self.$field, $mode, $id);)+
                members.finish()
            }
        }

        impl $crate::build::FromValue for $name {
            fn from_value(value: &beatbook_proto::Value) -> Option<Self> {
                matches!(value, beatbook_proto::Value::Group(_)).then_some(())?;
                Some(Self {
                    $($field: group!(@take value, $mode, $id),)+
                })
            }
        }
    };
    (@put $members:ident, $value:expr, must, $id:ident) => { $members.put($crate::field::$id, &$value) };
    (@put $members:ident, $value:expr, may, $id:ident) => { $members.put_some($crate::field::$id, &$value) };
    (@put $members:ident, $value:expr, many, $id:ident) => {
        $members.put_some($crate::field::$id, &(!$value.is_empty()).then(|| $value.clone()))
    };
    (@take $group:ident, must, $id:ident) => {
        $crate::build::FromValue::from_value($group.member($crate::field::$id)?)?
    };
    (@take $group:ident, may, $id:ident) => {
        $group.member($crate::field::$id).and_then($crate::build::FromValue::from_value)
    };
    (@take $group:ident, many, $id:ident) => {
        $group
            .member($crate::field::$id)
            .and_then($crate::build::FromValue::from_value)
            .unwrap_or_default()
    };
}
pub(super) use group;
