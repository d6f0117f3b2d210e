//! The merged state of a record as plain data: per field, what every lattice holds.
//!
//! Whoever folds revisions fills this in; everything in this crate that reads a record reads it from here.

use std::collections::BTreeMap;

use beatbook_proto::{Code, FieldId, FieldOp, Instant, Value};

/// The fields of one record, merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedFields {
    fields: BTreeMap<FieldId, MergedField>,
}

/// One field, merged. A field is written through one lattice; a peer may have used another, and nothing is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedField {
    /// The values of the register: one, or several siblings.
    pub register: Vec<Value>,
    /// The elements of the set, in order.
    pub set: Vec<Value>,
    /// The elements of the list, in order of (Lamport, dot).
    pub list: Vec<Value>,
    /// The sum of the counter, if it was ever incremented.
    pub counter: Option<i128>,
    /// The maximum, if it was ever raised.
    pub max: Option<i64>,
}

impl MergedFields {
    /// Starts without any field.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces what is known of one field.
    pub fn insert(&mut self, id: FieldId, field: MergedField) {
        if field.is_empty() {
            self.fields.remove(&id);
        } else {
            self.fields.insert(id, field);
        }
    }

    /// Applies operations whose author had seen all that is here: what a write will look like.
    pub fn apply<'a>(&mut self, ops: impl IntoIterator<Item = &'a (FieldId, FieldOp)>) {
        for (id, op) in ops {
            let mut field = self.fields.remove(id).unwrap_or_default();
            field.apply(op);
            self.insert(*id, field);
        }
    }

    /// The field `id`, if it holds anything.
    pub fn field(&self, id: FieldId) -> Option<&MergedField> {
        self.fields.get(&id)
    }

    /// Every field that holds anything, by id.
    pub fn iter(&self) -> impl Iterator<Item = (FieldId, &MergedField)> {
        self.fields.iter().map(|(id, field)| (*id, field))
    }

    /// True if no field holds anything.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The values of a register: none, one, or several siblings.
    pub fn siblings(&self, id: FieldId) -> &[Value] {
        self.field(id).map_or(&[], |field| &field.register)
    }

    /// The value of a register that has exactly one.
    pub fn one(&self, id: FieldId) -> Option<&Value> {
        match self.siblings(id) {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The elements of a list.
    pub fn list(&self, id: FieldId) -> &[Value] {
        self.field(id).map_or(&[], |field| &field.list)
    }

    /// The elements of a set.
    pub fn set(&self, id: FieldId) -> &[Value] {
        self.field(id).map_or(&[], |field| &field.set)
    }

    /// The sum of a counter, 0 if it was never incremented.
    pub fn counter(&self, id: FieldId) -> i128 {
        self.field(id).and_then(|field| field.counter).unwrap_or(0)
    }

    /// A maximum.
    pub fn max(&self, id: FieldId) -> Option<i64> {
        self.field(id).and_then(|field| field.max)
    }

    /// The fields whose register holds more than one value.
    pub fn conflicts(&self) -> impl Iterator<Item = FieldId> {
        self.iter()
            .filter(|(_, field)| field.register.len() > 1)
            .map(|(id, _)| id)
    }

    /// Every value of a field, whatever lattice holds it; counters and maxima are left out.
    pub fn values(&self, id: FieldId) -> impl Iterator<Item = &Value> {
        self.field(id).into_iter().flat_map(MergedField::values)
    }

    /// The text of a register that has exactly one value.
    pub fn text(&self, id: FieldId) -> Option<&str> {
        self.one(id).and_then(as_text)
    }

    /// The word of a register that has exactly one value.
    pub fn code(&self, id: FieldId) -> Option<&Code> {
        self.one(id).and_then(as_code)
    }

    /// Whether any value of a register is the word `word`.
    pub fn any_is(&self, id: FieldId, word: &str) -> bool {
        self.values(id)
            .filter_map(as_code)
            .any(|code| code.as_str() == word)
    }
}

impl MergedField {
    /// True if no lattice holds anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every value, whatever lattice holds it; counter and maximum are left out.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.register.iter().chain(&self.set).chain(&self.list)
    }

    fn apply(&mut self, op: &FieldOp) {
        match op {
            FieldOp::Set(value) => self.register = vec![value.clone()],
            FieldOp::Add(value) => {
                if let Err(place) = self.set.binary_search(value) {
                    self.set.insert(place, value.clone());
                }
            }
            FieldOp::Remove(value) => self.set.retain(|element| element != value),
            FieldOp::Append(value) => self.list.push(value.clone()),
            FieldOp::Increment(by) => self.counter = Some(self.counter.unwrap_or(0) + i128::from(*by)),
            FieldOp::Max(at_least) => self.max = self.max.max(Some(*at_least)),
            FieldOp::Clear => *self = Self::default(),
        }
    }
}

/// The text inside a value.
pub fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    }
}

/// The code inside a value.
pub fn as_code(value: &Value) -> Option<&Code> {
    match value {
        Value::Code(code) => Some(code),
        _ => None,
    }
}

/// The moment inside a value.
pub fn as_instant(value: &Value) -> Option<Instant> {
    match value {
        Value::Instant(instant) => Some(*instant),
        _ => None,
    }
}

/// The number inside a value.
pub fn as_int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

/// The yes or no inside a value.
pub fn as_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        _ => None,
    }
}

/// The text of a member of a group.
pub fn member_text(value: &Value, id: FieldId) -> Option<&str> {
    value.member(id).and_then(as_text)
}

/// The word of a member of a group.
pub fn member_code(value: &Value, id: FieldId) -> Option<&Code> {
    value.member(id).and_then(as_code)
}

/// The moment of a member of a group.
pub fn member_instant(value: &Value, id: FieldId) -> Option<Instant> {
    value.member(id).and_then(as_instant)
}

/// The number of a member of a group.
pub fn member_int(value: &Value, id: FieldId) -> Option<i64> {
    value.member(id).and_then(as_int)
}
