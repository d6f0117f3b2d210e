//! References: how people name a record or an entry, `B07/118` or `52/9123/B07/118`.

use std::fmt;
use std::str::FromStr;

use beatbook_proto::{Dot, ReplicaId};

/// A reference as it is written.
///
/// ```
/// use beatbook_field::Reference;
/// let own: Reference = "b07/118".parse()?;
/// assert_eq!(own, Reference::Own { book: "B07".into(), entry: 118 });
/// let others: Reference = "52/9123/B07/118".parse()?;
/// assert_eq!(others.to_string(), "52/9123/B07/118");
/// assert!("B07-118".parse::<Reference>().is_err());
/// # Ok::<_, beatbook_field::ReferenceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The dot itself: a replica's UUID and an entry number.
    Dot(Dot),
    /// In a book of another officer.
    Other {
        /// The force's code.
        force: String,
        /// The officer's collar number.
        collar: String,
        /// The book's label.
        book: String,
        /// The entry number.
        entry: u64,
    },
    /// In a book of the officer who asks: by its label, or `new-3f2a` before it has one.
    Own {
        /// The book's label.
        book: String,
        /// The entry number.
        entry: u64,
    },
}

/// A text is not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a reference; write B07/118, new-3f2a/1 before the first contact, or 52/9123/B07/118 for another's"
)]
pub struct ReferenceError;

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let parts: Vec<&str> = text.trim().split('/').map(str::trim).collect();
        let entry = |text: &str| match text.parse() {
            Ok(0) | Err(_) => Err(ReferenceError),
            Ok(number) => Ok(number),
        };
        match parts.as_slice() {
            [book, number] => {
                let entry = entry(number)?;
                if let Ok(replica) = ReplicaId::from_str(book) {
                    return Ok(Self::Dot(Dot {
                        replica,
                        counter: entry,
                    }));
                }
                let book = label(book)?;
                Ok(Self::Own { book, entry })
            }
            [force, collar, book, number] if !force.is_empty() && !collar.is_empty() => Ok(Self::Other {
                force: (*force).to_owned(),
                collar: collar.to_ascii_uppercase(),
                book: label(book)?,
                entry: entry(number)?,
            }),
            _ => Err(ReferenceError),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dot(dot) => write!(f, "{dot}"),
            Self::Other {
                force,
                collar,
                book,
                entry,
            } => write!(f, "{force}/{collar}/{book}/{entry}"),
            Self::Own { book, entry } => write!(f, "{book}/{entry}"),
        }
    }
}

/// Labels are capitals; the name of a book without one is not.
fn label(text: &str) -> Result<String, ReferenceError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.is_empty() || !text.bytes().all(plain) {
        return Err(ReferenceError);
    }
    let new = text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("new-"));
    Ok(if new {
        text.to_ascii_lowercase()
    } else {
        text.to_ascii_uppercase()
    })
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn references_read_as_they_are_printed() {
        for text in [
            "B07/118",
            "new-3f2a/1",
            "52/9123/B07/118",
            "01939e0c-8a00-7000-8000-000000000001/7",
        ] {
            let read: Reference = text.parse().unwrap();
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "B07",
            "B07/",
            "B07/0",
            "/7",
            "B07/x",
            "a/b/c",
            "52/9123/B07/118/2",
            "B 07/1",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
