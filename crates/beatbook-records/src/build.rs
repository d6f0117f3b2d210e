//! Builders: typed structs for app developers, turned into field operations.
//!
//! A builder normalises text (NFC, line ends, no blank lines at the end) and fills in what has a sensible
//! default; whether the result may be written is for [`crate::check_write`] to say.

mod contact;
mod every;
mod note;
mod patrol;
mod person;
mod value;

use beatbook_proto::{FieldId, FieldOp, Value};

pub use contact::{
    Concern, Consent, ConsentChannel, Contact, Feelings, Promise, Referral, SafeContact, Tally,
};
pub use every::{
    Author, Hold, Interval, Link, Location, Remark, Retention, Setting, Signature, Strike, remark_ops,
    sign_ops, state_ops, strike_ops, supplement_ops, void_ops,
};
pub use note::{Attachment, Countersigned, Note, Speech, Vehicle, WeatherLight};
pub use patrol::{Breadcrumb, DutyState, JointWith, Segment, Shift, Stop};
pub use person::{PersonRef, SdeImport, Vulnerability, import_sde};
pub use value::{BuildError, Day, FromValue, IntoValue};

pub(crate) use value::{text_value, without_blank_end};

/// One operation on one field.
pub type Op = (FieldId, FieldOp);

/// Gathers operations; the first thing that cannot be a value ends it.
#[derive(Debug, Default)]
pub(crate) struct Ops {
    ops: Vec<Op>,
    failed: Option<BuildError>,
}

impl Ops {
    pub(crate) fn set<T: IntoValue>(&mut self, id: FieldId, value: &T) {
        self.push(id, value, FieldOp::Set);
    }

    pub(crate) fn set_some<T: IntoValue>(&mut self, id: FieldId, value: &Option<T>) {
        if let Some(value) = value {
            self.set(id, value);
        }
    }

    pub(crate) fn add<T: IntoValue>(&mut self, id: FieldId, values: &[T]) {
        for value in values {
            self.push(id, value, FieldOp::Add);
        }
    }

    pub(crate) fn append<T: IntoValue>(&mut self, id: FieldId, values: &[T]) {
        for value in values {
            self.push(id, value, FieldOp::Append);
        }
    }

    pub(crate) fn op(&mut self, id: FieldId, op: FieldOp) {
        self.ops.push((id, op));
    }

    pub(crate) fn finish(self) -> Result<Vec<Op>, BuildError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.ops),
        }
    }

    fn push<T: IntoValue>(&mut self, id: FieldId, value: &T, op: impl Fn(Value) -> FieldOp) {
        match value.into_value(id) {
            Ok(value) => self.ops.push((id, op(value))),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
    }
}

/// Gathers the members of a group.
#[derive(Debug, Default)]
pub(crate) struct Members {
    members: Vec<(FieldId, Value)>,
    failed: Option<BuildError>,
}

impl Members {
    pub(crate) fn put<T: IntoValue>(mut self, id: FieldId, value: &T) -> Self {
        match value.into_value(id) {
            Ok(value) => self.members.push((id, value)),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
        self
    }

    pub(crate) fn put_some<T: IntoValue>(self, id: FieldId, value: &Option<T>) -> Self {
        match value {
            Some(value) => self.put(id, value),
            None => self,
        }
    }

    pub(crate) fn finish(mut self) -> Result<Value, BuildError> {
        // Members stand in the order of their ids, so that equal groups are equal bytes.
        self.members.sort_by_key(|(id, _)| *id);
        match self.failed {
            Some(error) => Err(error),
            None => Ok(Value::Group(self.members.into())),
        }
    }
}

#[cfg(test)]
mod tests;
