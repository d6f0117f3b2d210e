//! The schema table: families, their fields, and how each field is written, merged and protected.
//!
//! One table per family is the single source for checks, builders, views, exports and `docs/records.md`.

mod breadcrumb;
mod contact;
mod every;
mod form;
mod group;
mod note;
mod segment;
mod shift;
mod stop;

use beatbook_proto::{FieldId, Value};

pub use breadcrumb::{CHUNK_MS_MAX, POINTS_MAX};
pub use form::{Form, FormError};

use crate::vocabulary::Vocabulary;

/// The schema version that this build writes.
pub const SCHEMA: u16 = 1;

/// A kind of record: its word and its fields.
#[derive(Clone, Copy, Debug)]
pub struct FamilySpec {
    /// The word that names the family on the wire.
    pub name: &'static str,
    /// What a record of the family is.
    pub doc: &'static str,
    /// The fields of its own; those of [`EVERY`] come on top.
    pub fields: &'static [FieldSpec],
    /// Concurrent changes are a conflict even on different fields.
    pub notebook_law: bool,
}

/// One field, or one member of a group.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// Its number, stable for ever.
    pub id: FieldId,
    /// Its name in programs, exports and assignments.
    pub name: &'static str,
    /// What it holds; for a set or a list, what each element holds.
    pub kind: Kind,
    /// How it is written and merged.
    pub merge: Merge,
    /// When it has to be there.
    pub required: Required,
    /// Who should not see it by default.
    pub sensitivity: Sensitivity,
    /// What it is for.
    pub doc: &'static str,
    /// The rule that it comes from, if one does.
    pub law: &'static str,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Bytes kept outside the record.
    Blob,
    /// Yes or no.
    Bool,
    /// A word of a vocabulary.
    Code(&'static Vocabulary),
    /// A calendar day.
    Date,
    /// Members that mean something only together.
    Group(&'static [FieldSpec]),
    /// A moment.
    Instant,
    /// A whole number.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
        /// What it counts.
        unit: &'static str,
    },
    /// Values in order.
    List(&'static Kind),
    /// An officer.
    Officer,
    /// A position.
    Point,
    /// Another record.
    Record,
    /// Free or formed text.
    Text {
        /// How it must look.
        form: Form,
        /// Most characters.
        chars_max: usize,
    },
    /// Delta-coded positions.
    Track,
    /// A code that follows a form instead of a vocabulary.
    Word(Form),
}

/// How a field is written and merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// A set: add and remove; a concurrent add wins.
    AddRemove,
    /// A list that several append to.
    Append,
    /// A counter: increments are summed.
    Increment,
    /// A maximum.
    Max,
    /// A register: concurrent values are kept as siblings.
    Set,
}

/// When a field has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// From the founding revision on.
    Always,
    /// When the record is signed.
    AtSign,
    /// Never.
    Optional,
}

/// How far a field may be shown; each class includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sensitivity {
    /// Says nothing of a person.
    Ordinary,
    /// Personal data.
    Personal,
    /// Sensitive processing (DPA 2018 s.35): left out of default lists and extracts.
    Sensitive,
}

impl FamilySpec {
    /// The field `id` of this family or of every record.
    pub fn field(&self, id: FieldId) -> Option<&'static FieldSpec> {
        self.all_fields().find(|spec| spec.id == id)
    }

    /// The field called `name`.
    pub fn named(&self, name: &str) -> Option<&'static FieldSpec> {
        self.all_fields().find(|spec| spec.name == name)
    }

    /// The fields of every record, then those of this family, in the order of the table.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static FieldSpec> {
        EVERY.iter().chain(self.fields)
    }
}

impl FieldSpec {
    const fn new(id: FieldId, name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            id,
            name,
            kind,
            merge: Merge::Set,
            required: Required::Optional,
            sensitivity: Sensitivity::Ordinary,
            doc,
            law: "",
        }
    }

    const fn set_of(mut self) -> Self {
        self.merge = Merge::AddRemove;
        self
    }

    const fn appended(mut self) -> Self {
        self.merge = Merge::Append;
        self
    }

    const fn counted(mut self) -> Self {
        self.merge = Merge::Increment;
        self
    }

    const fn raised(mut self) -> Self {
        self.merge = Merge::Max;
        self
    }

    const fn always(mut self) -> Self {
        self.required = Required::Always;
        self
    }

    const fn at_sign(mut self) -> Self {
        self.required = Required::AtSign;
        self
    }

    const fn personal(mut self) -> Self {
        self.sensitivity = Sensitivity::Personal;
        self
    }

    const fn sensitive(mut self) -> Self {
        self.sensitivity = Sensitivity::Sensitive;
        self
    }

    const fn law(mut self, law: &'static str) -> Self {
        self.law = law;
        self
    }

    /// The members, if the field holds a group or a list of groups.
    pub fn members(&self) -> &'static [FieldSpec] {
        self.kind.members()
    }

    /// The member called `name`.
    pub fn member(&self, name: &str) -> Option<&'static FieldSpec> {
        self.members().iter().find(|member| member.name == name)
    }
}

impl Kind {
    /// The members of a group, none for any other kind.
    pub fn members(self) -> &'static [FieldSpec] {
        match self {
            Self::Group(members) => members,
            Self::List(element) => element.members(),
            _ => &[],
        }
    }

    /// A short word for the kind, for messages and documentation.
    pub fn word(self) -> String {
        match self {
            Self::Blob => "blob".into(),
            Self::Bool => "yes or no".into(),
            Self::Code(vocabulary) => format!("word of {}", vocabulary.id),
            Self::Date => "date".into(),
            Self::Group(_) => "group".into(),
            Self::Instant => "time".into(),
            Self::Int { min, max, unit } => format!("number {min} to {max} {unit}").trim_end().into(),
            Self::List(element) => format!("list of {}", element.word()),
            Self::Officer => "officer".into(),
            Self::Point => "position".into(),
            Self::Record => "record".into(),
            Self::Text {
                form: Form::Free,
                chars_max,
            } => format!("text up to {chars_max}"),
            Self::Text { form, chars_max } => format!("{} up to {chars_max}", form.word()),
            Self::Track => "track".into(),
            Self::Word(form) => form.word().into(),
        }
    }

    /// Whether `value` is of this kind of value at all; says nothing of range, form or vocabulary.
    pub fn holds(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Blob, Value::Blob(_))
                | (Self::Bool, Value::Bool(_))
                | (Self::Code(_) | Self::Word(_), Value::Code(_))
                | (Self::Date, Value::Date(_))
                | (Self::Group(_), Value::Group(_))
                | (Self::Instant, Value::Instant(_))
                | (Self::Int { .. }, Value::Int(_))
                | (Self::List(_), Value::List(_))
                | (Self::Officer, Value::Officer(_))
                | (Self::Point, Value::Point(_))
                | (Self::Record, Value::Record(_))
                | (Self::Text { .. }, Value::Text(_))
                | (Self::Track, Value::Track(_))
        )
    }
}

/// The fields that every record carries.
pub const EVERY: &[FieldSpec] = every::FIELDS;

/// A notebook entry.
pub const NOTE: FamilySpec = FamilySpec {
    name: "NOTE",
    doc: "A pocket-notebook entry.",
    fields: note::FIELDS,
    notebook_law: true,
};
/// A tour of duty.
pub const SHIFT: FamilySpec = FamilySpec {
    name: "SHIFT",
    doc: "A tour of duty, with the timeline of what the officer was doing.",
    fields: shift::FIELDS,
    notebook_law: false,
};
/// A stretch of patrol.
pub const PATROL_SEGMENT: FamilySpec = FamilySpec {
    name: "PATROL_SEGMENT",
    doc: "A stretch of patrol on one beat, in one mode.",
    fields: segment::FIELDS,
    notebook_law: false,
};
/// Recorded positions.
pub const BREADCRUMB: FamilySpec = FamilySpec {
    name: "BREADCRUMB",
    doc: "Recorded positions: immutable, 5 minutes or 64 points at most.",
    fields: breadcrumb::FIELDS,
    notebook_law: true,
};
/// A stop on patrol.
pub const STOP: FamilySpec = FamilySpec {
    name: "STOP",
    doc: "A stop or visit on patrol: time in and out, and what came of it.",
    fields: stop::FIELDS,
    notebook_law: false,
};
/// An engagement.
pub const CONTACT: FamilySpec = FamilySpec {
    name: "CONTACT",
    doc: "An engagement with people.",
    fields: contact::FIELDS,
    notebook_law: false,
};

/// Every family that this build knows, in the order of the documentation.
pub const FAMILIES: &[FamilySpec] = &[NOTE, SHIFT, PATROL_SEGMENT, BREADCRUMB, STOP, CONTACT];

/// The family named `word`; `None` for one that a newer peer brought.
pub fn family(word: &str) -> Option<&'static FamilySpec> {
    FAMILIES.iter().find(|family| family.name == word)
}

/// The field or group member with this id, in any family.
pub fn any_field(id: FieldId) -> Option<&'static FieldSpec> {
    fn within(specs: &'static [FieldSpec], id: FieldId) -> Option<&'static FieldSpec> {
        specs.iter().find_map(|spec| {
            (spec.id == id)
                .then_some(spec)
                .or_else(|| within(spec.members(), id))
        })
    }
    within(EVERY, id).or_else(|| FAMILIES.iter().find_map(|family| within(family.fields, id)))
}

/// The name of a field or member; `field_<id>` if this build does not know it.
pub fn name_of(id: FieldId) -> String {
    any_field(id).map_or_else(|| format!("field_{}", id.0), |spec| spec.name.to_owned())
}

const fn text(chars_max: usize) -> Kind {
    Kind::Text {
        form: Form::Free,
        chars_max,
    }
}

const fn line(chars_max: usize) -> Kind {
    Kind::Text {
        form: Form::Line,
        chars_max,
    }
}

const fn formed(form: Form) -> Kind {
    Kind::Text { form, chars_max: 64 }
}

const fn int(min: i64, max: i64, unit: &'static str) -> Kind {
    Kind::Int { min, max, unit }
}

#[cfg(test)]
mod tests;
