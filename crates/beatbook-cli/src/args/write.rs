//! Arguments of the commands that write.

use clap::{ArgGroup, Args};

use crate::time::Moment;
use beatbook_field::Reference;

/// What every new record takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The beat: C02, or with the force 52/C02.
    #[arg(long, value_name = "ID")]
    pub(crate) beat: String,
    /// When it happened; now if left out.
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub(crate) at: Option<Moment>,
    /// Another field, as `beatbook fields` names it; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
}

/// Arguments of `note`.
#[derive(Args, Debug)]
pub(crate) struct Note {
    /// What you write; - reads it from standard input.
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: String,
    /// Where and when.
    #[command(flatten)]
    pub(crate) place: Place,
    /// What kind of entry: OBSERVATION, INCIDENT, CONVERSATION, ... (see beatbook fields NOTE).
    #[arg(long, value_name = "KIND", default_value = "OBSERVATION")]
    pub(crate) kind: String,
    /// Whom it concerns: "Given Family" or "Given Family:WITNESS"; may be repeated.
    #[arg(long, value_name = "NAME[:CATEGORY]")]
    pub(crate) person: Vec<String>,
    /// Keep it open as a draft: it may be blank, and is signed or voided later.
    #[arg(long)]
    pub(crate) draft: bool,
}

/// Arguments of `contact`.
#[derive(Args, Debug)]
pub(crate) struct Contact {
    /// INFORM, CONSULT or COOPERATE.
    #[arg(long, value_name = "STRAND")]
    pub(crate) strand: String,
    /// How it was made: STREET, DOORSTEP, SURGERY, ... (see beatbook fields CONTACT).
    #[arg(long, value_name = "METHOD", default_value = "STREET")]
    pub(crate) method: String,
    /// With whom: INDIVIDUAL, GROUP, ORG or BROADCAST.
    #[arg(long, value_name = "KIND", default_value = "INDIVIDUAL")]
    pub(crate) kind: String,
    /// How many were reached; needed for a GROUP or a BROADCAST.
    #[arg(long, value_name = "COUNT")]
    pub(crate) reach: Option<u32>,
    /// Who was spoken to: "Given Family" or "Given Family:VICTIM"; may be repeated.
    #[arg(long, value_name = "NAME[:CATEGORY]")]
    pub(crate) person: Vec<String>,
    /// Where and when.
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Arguments of `amend`.
#[derive(Args, Debug)]
pub(crate) struct Amend {
    /// The record.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Reference,
    /// The field and what it shall say; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE", required = true)]
    pub(crate) set: Vec<String>,
    /// Why it is changed.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// Arguments of `supplement`.
#[derive(Args, Debug)]
pub(crate) struct Supplement {
    /// The record.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Reference,
    /// What came to mind; - reads it from standard input.
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) text: String,
}

/// Arguments of `strike`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).args(["text", "range"]))]
pub(crate) struct Strike {
    /// The record.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Reference,
    /// The words to strike, as they stand; they must stand there once.
    #[arg(long, value_name = "WORDS")]
    pub(crate) text: Option<String>,
    /// The characters to strike: from the first, counted from 0, to before the last.
    #[arg(long, value_name = "A..B", value_parser = range)]
    pub(crate) range: Option<(u32, u32)>,
    /// The text field; the body if left out.
    #[arg(long, value_name = "FIELD", default_value = "body")]
    pub(crate) field: String,
    /// Why they are struck.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Your initials.
    #[arg(long, value_name = "INITIALS")]
    pub(crate) initials: String,
}

/// Arguments of `sign`.
#[derive(Args, Debug)]
pub(crate) struct Sign {
    /// The records.
    #[arg(value_name = "RECORD", required = true)]
    pub(crate) records: Vec<Reference>,
}

/// Arguments of `void`.
#[derive(Args, Debug)]
pub(crate) struct Void {
    /// The draft.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Reference,
    /// Why it is abandoned.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// Arguments of `resolve`.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("how").required(true).multiple(true).args(["keep", "set"]))]
pub(crate) struct Resolve {
    /// The record.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Reference,
    /// Keep version N, as `beatbook show` numbers them; other fields can be set beside it.
    #[arg(long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Say what a field shall hold instead; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    pub(crate) set: Vec<String>,
    /// Why this is right.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// Reads `A..B`.
pub(crate) fn range(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "is not a range: write it as 17..26".to_owned();
    let (start, end) = text.split_once("..").ok_or_else(wrong)?;
    let start: u32 = start.trim().parse().map_err(|_| wrong())?;
    let end: u32 = end.trim().parse().map_err(|_| wrong())?;
    if end <= start {
        return Err("is empty: the second number must be the larger".to_owned());
    }
    Ok((start, end))
}
