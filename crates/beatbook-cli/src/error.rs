//! What went wrong, to which record or file, and what to do; and the exit code that says so to scripts.

use std::io;
use std::path::PathBuf;

use beatbook_records::AssignmentError;
use beatbook_records::build::BuildError;
use beatbook_records::positions::PositionsError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Failed, or the server was not reached; nothing is lost.
    Failed,
    /// Done, but something waits for a person: a conflict, an entry held apart.
    Waiting,
    /// Wrong usage.
    Usage,
}

impl Exit {
    /// The number that scripts see.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Waiting => 3,
        }
    }
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// `--set` or an option does not read.
    #[error("--set {assignment}: {source}; beatbook fields {family} lists them")]
    Assignment {
        /// The part before the value; the value may be personal.
        assignment: String,
        /// The family.
        family: String,
        /// Why.
        source: AssignmentError,
    },
    /// An option cannot be a value of its field.
    #[error("{0}; beatbook fields explains what each takes")]
    Build(#[from] BuildError),
    /// The door to the process that holds the notebook did not answer.
    #[error(transparent)]
    Call(#[from] beatbook_field::control::CallError),
    /// What a resolution would keep is not clear.
    #[error("record {record}: {what}")]
    Choice {
        /// The record.
        record: String,
        /// Why, and what to do.
        what: String,
    },
    /// The demonstration did not go as it should.
    #[error("the demonstration failed: {0}")]
    Demo(String),
    /// This device could not be enrolled.
    #[error("this device was not enrolled: {0}")]
    Enrol(Box<beatbook_field::EnrolError>),
    /// A file could not be read or written.
    #[error("{}: {source}; check the path and its rights, and try again", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A reference names nothing here.
    #[error("{0}")]
    Find(#[from] beatbook_field::FindError),
    /// The notebook could not be opened.
    #[error("the notebook in {}: {source}{}", path.display(), remedy(path, source))]
    Open {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<beatbook_field::OpenError>,
    },
    /// Standard output could not be written.
    #[error("the answer could not be written: {0}; what was done is done")]
    Output(#[from] io::Error),
    /// The PIN could not be changed.
    #[error("the PIN was not changed: {0}")]
    Pin(Box<beatbook_field::StoreOpenError>),
    /// The notebook could not be read.
    #[error("the notebook could not be read: {0}; run beatbook check")]
    Read(#[from] beatbook_field::ReadError),
    /// The store could not be repaired.
    #[error("the notebook in {} was not repaired: {source}", path.display())]
    Repair {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: Box<beatbook_field::RepairError>,
    },
    /// The server was not reached, or refused.
    #[error("not synced: {0}; nothing is lost, what is written stays on this device until it is sent")]
    Sync(Box<beatbook_field::SyncError>),
    /// Positions could not be read.
    #[error("{what}: {source}")]
    Track {
        /// The file, or the command line.
        what: String,
        /// Why.
        source: PositionsError,
    },
    /// The command cannot be done as it was typed.
    #[error("{0}")]
    Usage(String),
    /// The store is not as it was written.
    #[error("the store is not as it was written: {0}; run beatbook repair")]
    Verify(Box<beatbook_field::StoreOpenError>),
    /// Two versions wait, and this is not a resolution.
    #[error(
        "record {record} was not changed: two versions of it exist; see both with beatbook show {record}, then settle them with beatbook resolve {record} --keep N --reason TEXT"
    )]
    Conflict {
        /// The record.
        record: String,
    },
    /// An entry was not written.
    #[error("{subject} was not written: {source}{}", explained(source, family.as_deref()))]
    Write {
        /// The record, or what was to be a new one.
        subject: String,
        /// Its family, where it is known.
        family: Option<String>,
        /// Why.
        source: Box<beatbook_field::WriteError>,
    },
}

impl Failure {
    /// How the command ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Assignment { .. } | Self::Build(_) | Self::Track { .. } | Self::Usage(_) => Exit::Usage,
            Self::Write { source, .. } if is_usage(source) => Exit::Usage,
            _ => Exit::Failed,
        }
    }

    /// An entry that was not written, told by the record it was for and its family.
    pub(crate) fn write(subject: &str, family: Option<&str>, source: beatbook_field::WriteError) -> Self {
        use beatbook_field::{LedgerError, WriteError};
        match source {
            WriteError::Ledger(LedgerError::Conflicted(_))
            | WriteError::Check(beatbook_records::WriteError::Conflict { .. }) => Self::Conflict {
                record: subject.to_owned(),
            },
            source => Self::Write {
                subject: subject.to_owned(),
                family: family.map(str::to_owned),
                source: Box::new(source),
            },
        }
    }
}

/// The command that helps a damaged store.
fn remedy(path: &std::path::Path, error: &beatbook_field::OpenError) -> String {
    match error {
        beatbook_field::OpenError::Open(store) if store.is_damage() => {
            format!("; run beatbook repair --store {}", path.display())
        }
        _ => String::new(),
    }
}

/// Where to look up what a field takes, if that was the matter.
fn explained(error: &beatbook_field::WriteError, family: Option<&str>) -> String {
    use beatbook_records::WriteError as Check;
    match (error, family) {
        (
            beatbook_field::WriteError::Check(Check::Field { .. } | Check::UnknownField { .. }),
            Some(family),
        ) => format!("; beatbook fields {family} explains what each takes"),
        _ => String::new(),
    }
}

/// What was typed cannot be written as it stands, whatever the state of the record.
fn is_usage(error: &beatbook_field::WriteError) -> bool {
    use beatbook_records::{Rule, WriteError as Check};
    match error {
        beatbook_field::WriteError::Build(_) => true,
        beatbook_field::WriteError::Check(check) => matches!(
            check,
            Check::Field { .. }
                | Check::Missing { .. }
                | Check::NoReason
                | Check::Nothing
                | Check::Rule {
                    rule: Rule::Anonymous | Rule::Reach | Rule::SafeContact | Rule::ThreePriorities,
                    ..
                }
                | Check::UnknownField { .. }
        ),
        _ => false,
    }
}
