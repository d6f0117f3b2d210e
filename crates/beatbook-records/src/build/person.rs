//! Builders about people: a person reference, a vulnerability, the import of older ethnicity codes.

use beatbook_proto::{FieldId, FieldOp, Value};

use super::value::{BuildError, Day, FromValue, IntoValue, group, member};
use super::{Members, Op, Ops};
use crate::field;
use crate::redact::redacted;
use crate::vocabulary::{FlagBasis, IcCode, SdeCode, SubjectCategory, VulnerabilityFlag};

/// Someone a record concerns; leave out what is not known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PersonRef {
    /// The person, on this force's devices: a UUID.
    pub person_id: Option<String>,
    /// The person's id in another system.
    pub nominal_id: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// Other names.
    pub other_names: Option<String>,
    /// A name of their choice.
    pub alias: Option<String>,
    /// Date of birth.
    pub dob: Option<Day>,
    /// Estimated age, least and greatest.
    pub age: Option<(u16, u16)>,
    /// What they look like.
    pub description: Option<String>,
    /// In which capacity they appear; MEMBER_OF_PUBLIC if left empty.
    pub subject_categories: Vec<SubjectCategory>,
    /// Telephone number.
    pub phone: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// Exact address.
    pub address: Option<String>,
    /// Ethnic appearance as observed.
    pub ic_code: Option<IcCode>,
}

/// Why a person may be vulnerable.
#[derive(Clone, PartialEq, Eq)]
pub struct Vulnerability {
    /// The flag.
    pub flag: VulnerabilityFlag,
    /// Observed or disclosed.
    pub basis: FlagBasis,
    /// On which day.
    pub date: Day,
    /// What it rests on.
    pub why: Option<String>,
    /// Which person.
    pub person_id: Option<String>,
}

/// An ethnicity code as it is imported: what is kept, and the original where it was mapped.
#[derive(Clone, PartialEq, Eq)]
pub struct SdeImport {
    /// The code in the present scheme.
    pub code: SdeCode,
    /// The older code, where it was another.
    pub original: Option<String>,
}

/// Reads an ethnicity code of the present scheme or of the older 16+1, whose O1 (Chinese) is A4 here.
pub fn import_sde(word: &str) -> Option<SdeImport> {
    let word = word.trim().to_uppercase();
    if word == LEGACY_CHINESE {
        return Some(SdeImport {
            code: SdeCode::A4,
            original: Some(word),
        });
    }
    let known = SdeCode::VOCABULARY.knows(&word);
    let code = beatbook_proto::Code::new(word).ok()?;
    known.then(|| SdeImport {
        code: SdeCode::from(&code),
        original: None,
    })
}

impl SdeImport {
    /// The operations that write the code, and the original beside it.
    ///
    /// # Errors
    /// What cannot be a value.
    pub fn ops(&self) -> Result<Vec<Op>, BuildError> {
        let mut ops = Ops::default();
        ops.op(field::SDE_CODE, FieldOp::Set(Value::Code(self.code.code())));
        ops.set_some(field::SDE_ORIGINAL, &self.original);
        ops.finish()
    }
}

impl PersonRef {
    /// Someone by name, in one capacity.
    pub fn named(
        given_name: impl Into<String>,
        family_name: impl Into<String>,
        category: SubjectCategory,
    ) -> Self {
        Self {
            given_name: Some(given_name.into()),
            family_name: Some(family_name.into()),
            subject_categories: vec![category],
            ..Self::default()
        }
    }
}

impl IntoValue for PersonRef {
    fn into_value(&self, _: FieldId) -> Result<Value, BuildError> {
        let public = vec![SubjectCategory::MemberOfPublic];
        let categories = match self.subject_categories.is_empty() {
            true => &public,
            false => &self.subject_categories,
        };
        Members::default()
            .put_some(field::PERSON_ID, &self.person_id)
            .put_some(field::NOMINAL_ID, &self.nominal_id)
            .put_some(field::GIVEN_NAME, &self.given_name)
            .put_some(field::FAMILY_NAME, &self.family_name)
            .put_some(field::OTHER_NAMES, &self.other_names)
            .put_some(field::ALIAS, &self.alias)
            .put_some(field::DOB, &self.dob)
            .put_some(field::AGE_MIN, &self.age.map(|(least, _)| least))
            .put_some(field::AGE_MAX, &self.age.map(|(_, greatest)| greatest))
            .put_some(field::PERSON_DESCRIPTION, &self.description)
            .put(field::SUBJECT_CATEGORIES, categories)
            .put_some(field::PHONE, &self.phone)
            .put_some(field::EMAIL, &self.email)
            .put_some(field::HOME_ADDRESS, &self.address)
            .put_some(field::IC_CODE, &self.ic_code)
            .finish()
    }
}

impl FromValue for PersonRef {
    fn from_value(value: &Value) -> Option<Self> {
        let least: Option<u16> = member(value, field::AGE_MIN);
        let greatest: Option<u16> = member(value, field::AGE_MAX);
        matches!(value, Value::Group(_)).then(|| Self {
            person_id: member(value, field::PERSON_ID),
            nominal_id: member(value, field::NOMINAL_ID),
            given_name: member(value, field::GIVEN_NAME),
            family_name: member(value, field::FAMILY_NAME),
            other_names: member(value, field::OTHER_NAMES),
            alias: member(value, field::ALIAS),
            dob: member(value, field::DOB),
            age: least.or(greatest).zip(greatest.or(least)),
            description: member(value, field::PERSON_DESCRIPTION),
            subject_categories: member(value, field::SUBJECT_CATEGORIES).unwrap_or_default(),
            phone: member(value, field::PHONE),
            email: member(value, field::EMAIL),
            address: member(value, field::HOME_ADDRESS),
            ic_code: member(value, field::IC_CODE),
        })
    }
}

redacted!(PersonRef, Vulnerability, SdeImport);

group!(Vulnerability {
    flag: must FLAG,
    basis: must FLAG_BASIS,
    date: must FLAG_DATE,
    why: may FLAG_WHY,
    person_id: may PERSON_ID,
});

const LEGACY_CHINESE: &str = "O1";
