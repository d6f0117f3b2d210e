//! The field ids that the core itself reads: what decides a record's scope.
//!
//! All other field ids belong to the schema table of the records crate.

use crate::ids::FieldId;

/// The beat a record belongs to: a code, force and neighbourhood, such as `52/C02`.
pub const BEAT: FieldId = FieldId(1);
/// The marking: `OFFICIAL` or `OFFICIAL_SENSITIVE`.
pub const MARKING: FieldId = FieldId(2);

/// The marking whose records have a feed of their own, for those with the grant.
pub const OFFICIAL_SENSITIVE: &str = "OFFICIAL_SENSITIVE";
/// The family of the entry that opens a book.
pub const BOOK_FAMILY: &str = "BOOK";
