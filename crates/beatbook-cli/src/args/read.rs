//! Arguments of the commands that read.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Family;
use crate::time::Moment;
use beatbook_field::Reference;

/// Which records are meant.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of this beat: C02, or with the force 52/C02; may be repeated.
    #[arg(long, value_name = "ID")]
    pub(crate) beat: Vec<String>,
    /// Begun at this time or later.
    #[arg(long, value_name = "T", value_parser = Moment::parse)]
    pub(crate) since: Option<Moment>,
    /// Begun before this time; a day alone means to its end.
    #[arg(long, value_name = "T", value_parser = Moment::parse_end)]
    pub(crate) until: Option<Moment>,
    /// Of this family.
    #[arg(long, value_name = "FAMILY", ignore_case = true)]
    pub(crate) family: Option<Family>,
    /// Show fields of sensitive processing too (ethnicity, health, vulnerability); they are masked otherwise.
    #[arg(long)]
    pub(crate) sensitive: bool,
}

/// Arguments of `show`.
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The record.
    #[arg(value_name = "RECORD")]
    pub(crate) record: Reference,
}

/// Arguments of `list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Which records.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Written by the officer with this collar number.
    #[arg(long, value_name = "COLLAR")]
    pub(crate) officer: Option<String>,
    /// Naming this person.
    #[arg(long, value_name = "NAME")]
    pub(crate) person: Option<String>,
    /// Only those of which two versions wait for a person.
    #[arg(long)]
    pub(crate) conflicts: bool,
    /// Only drafts: not signed yet.
    #[arg(long)]
    pub(crate) drafts: bool,
    /// At most so many, the newest; all if left out.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
}

/// Arguments of `search`.
#[derive(Args, Debug)]
pub(crate) struct Search {
    /// The words; all must stand in the record, each may be the beginning of a word.
    #[arg(value_name = "TEXT", required = true)]
    pub(crate) text: Vec<String>,
    /// Among which records.
    #[command(flatten)]
    pub(crate) filter: Filter,
}

/// Arguments of `conflicts`.
#[derive(Args, Debug)]
pub(crate) struct Conflicts {
    /// Among which records.
    #[command(flatten)]
    pub(crate) filter: Filter,
}

/// Arguments of `pull`.
#[derive(Args, Debug)]
pub(crate) struct Pull {
    /// Which records.
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// How to print them; --json means jsonl.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// File to write them to, whole or not at all; standard output if left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// How a merged log is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values, the fields of one family as columns.
    Csv,
    /// One JSON object per line.
    Jsonl,
    /// For people.
    #[default]
    Table,
}

/// Arguments of `fields`.
#[derive(Args, Debug)]
pub(crate) struct Fields {
    /// The family; all, in short, if left out.
    #[arg(value_name = "FAMILY", ignore_case = true)]
    pub(crate) family: Option<Family>,
}
