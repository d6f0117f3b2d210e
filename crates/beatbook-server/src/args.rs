//! The table of arguments.

use std::net::SocketAddr;
use std::path::PathBuf;

use beatbook_server::ServerAddress;
use clap::{Parser, Subcommand};

use crate::when::{parse_duration, parse_time};

/// The server of a force, and its administration.
///
/// `init` makes a data folder once; `serve` runs the server on it. Every other command works beside a running server,
/// by asking it, and without one, by opening the folder itself.
#[derive(Debug, Parser)]
#[command(name = "beatbookd", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The data folder: keys, settings and store.
    #[arg(long, global = true, env = "BEATBOOK_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print results as one JSON object a line, with field names that stay.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the data folder of a force: keys, authority, empty store, beatbookd.toml.
    Init(InitArgs),
    /// Run the server until it is told to stop (SIGTERM or Ctrl-C).
    Serve(ServeArgs),
    /// Import and list beats.
    #[command(subcommand)]
    Beat(BeatCommand),
    /// Enter, post and list officers.
    #[command(subcommand)]
    Officer(OfficerCommand),
    /// Issue tokens for devices, list and revoke devices.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Write a sealed backup beside the running server, and prove that it restores.
    Backup(BackupArgs),
    /// Make a new data folder from a backup. Devices send again what came after it.
    Restore(RestoreArgs),
    /// Repair a store that rotted on its disk, from what is whole, and say from what. No server may be running on it.
    #[command(after_help = REPAIR)]
    Repair(RepairArgs),
    /// Check the whole store: every seal, every chain, every merged record.
    Check,
    /// Say what the server holds.
    Status,
    /// Look at entries that the server holds apart.
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
}

/// `init`
#[derive(Debug, clap::Args)]
pub(crate) struct InitArgs {
    /// The force's two-digit code.
    #[arg(long, value_name = "CODE")]
    pub(crate) force: String,
    /// The force's name.
    #[arg(long)]
    pub(crate) name: String,
    /// Where devices are heard (UDP).
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:4433")]
    pub(crate) listen: SocketAddr,
    /// What devices dial, if it is not the address listened on.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) address: Option<ServerAddress>,
}

/// `serve`
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Where devices are heard (UDP), instead of what beatbookd.toml says.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where /healthz, /readyz and /metrics are served, or `off`.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) metrics: Option<String>,
}

/// `beat`
#[derive(Debug, Subcommand)]
pub(crate) enum BeatCommand {
    /// Import beats from CSV with the columns id,name,neighbourhood and, if wanted, geojson_file.
    Import {
        /// The file. A mistake is told with its line, and nothing is imported.
        file: PathBuf,
    },
    /// List the beats.
    List,
}

/// `officer`
#[derive(Debug, Subcommand)]
pub(crate) enum OfficerCommand {
    /// Enter an officer.
    Add {
        /// The collar number.
        #[arg(long)]
        collar: String,
        /// The name.
        #[arg(long)]
        name: String,
        /// PCSO, PC, SPECIAL, SGT, INSP, CINSP, STAFF or VOLUNTEER; `sergeant` and the like are understood.
        #[arg(long)]
        role: String,
        /// Beats to post to, with commas between.
        #[arg(long, value_delimiter = ',', value_name = "BEAT,BEAT")]
        beats: Vec<String>,
        /// From when on: RFC 3339, or YYYY-MM-DD or "YYYY-MM-DD HH:MM" in local time; at once if left out.
        #[arg(long, value_name = "T", value_parser = parse_time)]
        from: Option<i64>,
    },
    /// Post an officer to beats for a time. What may be read follows at once.
    Post {
        /// The collar number.
        collar: String,
        /// The beats, with commas between.
        #[arg(long, value_delimiter = ',', required = true, value_name = "BEAT,BEAT")]
        beats: Vec<String>,
        /// From when on: RFC 3339, or YYYY-MM-DD or "YYYY-MM-DD HH:MM" in local time; at once if left out.
        #[arg(long, value_name = "T", value_parser = parse_time)]
        from: Option<i64>,
        /// Until when; without an end if left out.
        #[arg(long, value_name = "T", value_parser = parse_time)]
        until: Option<i64>,
    },
    /// List the officers with the beats they are posted to now.
    List,
}

/// `device`
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Issue a token with which one device enrols, once. The token alone is printed.
    Issue {
        /// The collar number of the officer.
        #[arg(long, value_name = "COLLAR")]
        officer: String,
        /// What people call the device.
        #[arg(long, default_value = "")]
        label: String,
        /// What the device dials, if it is not what beatbookd.toml says.
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<ServerAddress>,
        /// How long the token may be used, such as 15m, 2h or 1d.
        #[arg(long, value_name = "TIME", value_parser = parse_duration)]
        valid_for: Option<i64>,
        /// Show the token as a QR code too, on the standard error output (as on a terminal).
        #[arg(long)]
        qr: bool,
    },
    /// List the devices, newest first.
    List,
    /// Revoke a device: from now on nothing of it is taken in and nothing is served to it.
    Revoke {
        /// Its id from `device list`, or the beginning of it.
        id: String,
    },
}

/// `backup`
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist.
    pub(crate) file: PathBuf,
}

/// `restore`
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The backup.
    pub(crate) file: PathBuf,
    /// The file with the recovery key, if it is neither beside the backup nor beside the new folder.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

/// `repair`
#[derive(Debug, clap::Args)]
pub(crate) struct RepairArgs {
    /// The last backup, for an index that is lost behind a shortened journal.
    #[arg(long, value_name = "FILE")]
    pub(crate) backup: Option<PathBuf>,
}

/// `quarantine`
#[derive(Debug, Subcommand)]
pub(crate) enum QuarantineCommand {
    /// List them. Their words stay in the store.
    List,
}

const REPAIR: &str = "\
The journal and the index are copies of each other: what is damaged in one is made again from the other, and the
damaged files are kept in store/aside. Where neither holds something, it is told, a new epoch begins, and devices send
again what they hold. Stop the server first; copy the folder before you repair it, if the disk is failing.

Examples:
  beatbookd repair
  beatbookd repair --backup /mnt/backup/monday.beatbook";

const EXAMPLES: &str = "\
Examples:
  export BEATBOOK_DATA=/var/lib/beatbook
  beatbookd init --force 52 --name \"Avon and Somerset\"
  beatbookd beat import beats.csv
  beatbookd officer add --collar 9123 --name \"Sam Pike\" --role PCSO --beats C02,C03
  beatbookd serve --listen 0.0.0.0:4433
  beatbookd device issue --officer 9123 --label \"Sam's phone\" --address sync.force.example:4433
  beatbookd backup /mnt/backup/monday.beatbook

Exit status: 0 done, 1 failed, 2 wrong usage. BEATBOOK_LOG sets what is logged (error, warn, info, debug).";
