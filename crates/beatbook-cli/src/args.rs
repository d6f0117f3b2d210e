//! The arguments of `beatbook`: what may be typed, and the help that teaches it. Does nothing itself.

mod patrol;
mod read;
mod write;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use patrol::{End, Fix, Patrol, Segment, Start, State, Stop};
pub(crate) use read::{Conflicts, Fields, Filter, Format, List, Pull, Search, Show};
pub(crate) use write::{Amend, Contact, Note, Resolve, Sign, Strike, Supplement, Void};

/// A police community support officer's notebook that works the same with no signal.
///
/// What is written is on the disk of this device, sealed, before the command returns; the network is never waited
/// for. `beatbook sync --watch` carries it to the server whenever there is coverage.
#[derive(Debug, Parser)]
#[command(name = "beatbook", version, after_help = AFTER_HELP, max_term_width = 110)]
pub(crate) struct Cli {
    /// Where the notebook is, and how to answer.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Folder of the notebook on this device.
    #[arg(long, global = true, value_name = "DIR", env = "BEATBOOK_STORE", hide_env_values = true, help_heading = EVERYWHERE)]
    pub(crate) store: Option<PathBuf>,
    /// File whose first line is the PIN; otherwise BEATBOOK_PIN, otherwise a prompt.
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    pub(crate) pin_file: Option<PathBuf>,
    /// Answer for scripts: one JSON object per line on stdout.
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
}

/// The commands, in the order of a first day.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make this device a notebook of one officer, with the token that the administrator issued.
    #[command(after_help = "Example: beatbook enrol --store phone --token \"$(cat phone.token)\"")]
    Enrol(Enrol),
    /// Write a notebook entry.
    #[command(
        after_help = "Example: beatbook note \"Shutter forced at number 14, owner told\" --beat C02 --kind OBSERVATION"
    )]
    Note(Note),
    /// Write down an engagement with people.
    #[command(
        after_help = "Example: beatbook contact --strand CONSULT --method DOORSTEP --beat C02 --set summary=\"Worried about parking\""
    )]
    Contact(Contact),
    /// Log a patrol: shift, duty states, stretches, positions, stops.
    #[command(subcommand)]
    Patrol(Patrol),
    /// Correct an entry: a new revision beside the old one, with the reason.
    #[command(
        after_help = "Example: beatbook amend B07/118 --set body=\"Shutter forced at number 16\" --reason \"wrong house number\""
    )]
    Amend(Amend),
    /// Add what came to mind later; the entry itself stays as it is.
    #[command(after_help = "Example: beatbook supplement B07/118 \"The owner rang back: nothing was taken\"")]
    Supplement(Supplement),
    /// Strike words through; they stay readable.
    #[command(
        after_help = "Example: beatbook strike B07/118 --text \"number 14\" --reason \"wrong house\" --initials SP"
    )]
    Strike(Strike),
    /// Sign entries as you have read them.
    #[command(after_help = "Example: beatbook sign B07/118 B07/119")]
    Sign(Sign),
    /// Abandon a draft; its number stays taken, as a void entry.
    #[command(after_help = "Example: beatbook void B07/120 --reason \"begun twice\"")]
    Void(Void),
    /// Show one record with its whole history; both versions where two wait to be resolved.
    #[command(after_help = "Example: beatbook show B07/118")]
    Show(Show),
    /// List records on this device.
    #[command(after_help = "Example: beatbook list --beat C02 --since 2026-11-07 --family NOTE")]
    List(List),
    /// Find records by the words in them.
    #[command(after_help = "Example: beatbook search \"shutter forced\"")]
    Search(Search),
    /// Say what is safe on the server, what is not yet, and what waits for a person.
    #[command(after_help = "Example: beatbook status")]
    Status,
    /// Sync once; with --watch stay, and sync whenever there is coverage.
    #[command(after_help = "Example: beatbook sync --watch")]
    Sync(Sync),
    /// Sync once, then print the merged log of your beats.
    #[command(after_help = "Example: beatbook pull --beat C02 --since 2026-11-07 --format csv --out log.csv")]
    Pull(Pull),
    /// List the records of which two versions wait for a person.
    #[command(after_help = "Example: beatbook conflicts")]
    Conflicts(Conflicts),
    /// Settle two versions of a record; what is settled stays readable.
    #[command(
        after_help = "Example: beatbook resolve B07/118 --keep 2 --reason \"checked at the door: number 16\""
    )]
    Resolve(Resolve),
    /// Change how this notebook is unlocked.
    #[command(subcommand)]
    Pin(Pin),
    /// Read the whole store and say whether every byte of it is as it was written.
    #[command(after_help = "Example: beatbook check")]
    Check,
    /// Make a damaged store whole again from what is left of it, and say from what.
    ///
    /// What is written is kept twice on this device: what is damaged in one copy is made again from the other, and the
    /// damaged files are kept beside it. If neither holds something, a new book is opened, and the next sync fetches
    /// what the server holds. Stop `beatbook sync --watch` first.
    #[command(after_help = "Example: beatbook repair --store phone")]
    Repair,
    /// Explain the fields and words that --set and the other options take.
    #[command(after_help = "Example: beatbook fields CONTACT")]
    Fields(Fields),
    /// Print the completions for a shell.
    #[command(
        after_help = "Example: beatbook completions bash > ~/.local/share/bash-completion/completions/beatbook"
    )]
    Completions(Completions),
    /// See the whole story on this machine, with a real server on loopback.
    #[command(after_help = "Example: beatbook demo")]
    Demo(Demo),
}

/// Arguments of `enrol`.
#[derive(Args, Debug)]
pub(crate) struct Enrol {
    /// The token that `beatbookd device issue` printed; - reads it from standard input.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: String,
}

/// Arguments of `sync`.
#[derive(Args, Debug)]
pub(crate) struct Sync {
    /// Stay, sync whenever there is coverage, and let other commands on this notebook through.
    #[arg(long)]
    pub(crate) watch: bool,
}

/// What can be done with the PIN.
#[derive(Debug, Subcommand)]
pub(crate) enum Pin {
    /// Take another PIN from now on.
    #[command(after_help = "Example: beatbook pin change --new-pin-file new.pin")]
    Change(PinChange),
}

/// Arguments of `pin change`.
#[derive(Args, Debug)]
pub(crate) struct PinChange {
    /// File whose first line is the new PIN; otherwise BEATBOOK_NEW_PIN, otherwise a prompt.
    #[arg(long, value_name = "FILE")]
    pub(crate) new_pin_file: Option<PathBuf>,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `demo`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Leave the server running at the end, and say how to reach it.
    #[arg(long)]
    pub(crate) serve: bool,
    /// Folder for server and devices, kept at the end; otherwise a temporary one, removed.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// A family of records, by the word that officers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Family {
    /// Recorded positions.
    Breadcrumb,
    /// Engagements with people.
    Contact,
    /// Notebook entries.
    Note,
    /// Stretches of patrol.
    #[value(alias = "PATROL", alias = "SEGMENT")]
    PatrolSegment,
    /// Tours of duty.
    Shift,
    /// Stops and visits.
    Stop,
}

impl Family {
    /// The word of the schema table.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Breadcrumb => "BREADCRUMB",
            Self::Contact => "CONTACT",
            Self::Note => "NOTE",
            Self::PatrolSegment => "PATROL_SEGMENT",
            Self::Shift => "SHIFT",
            Self::Stop => "STOP",
        }
    }
}

const EVERYWHERE: &str = "Everywhere";

const AFTER_HELP: &str = "\
A record is named as its book names it: B07/118, before the first contact with the server new-3f2a/118, \
another officer's 52/9123/B07/118. A time is RFC 3339, or 2026-11-07 or \"2026-11-07 14:05\" by the clock of the \
United Kingdom. A beat is its id, C02, or with the force, 52/C02.

Exit codes: 0 done; 1 failed or server not reached, nothing lost; 2 wrong usage; 3 done, but something waits for \
a person.

Begin with: beatbook demo";

#[cfg(test)]
mod tests;
