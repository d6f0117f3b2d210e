//! The commands, against an open store.

use std::io;
use std::path::{Path, PathBuf};

use beatbook_core::store::StoreError;
use beatbook_server::{
    AdminError, BackupFailed, BeatFileError, CheckFailed, ConfigError, InitError, InitOptions, NewOfficer,
    OpenError, RepairFailed, RestoreFailed, ServerStore, StartError, StopError, read_beats,
    repair as repair_folder, restore as restore_backup,
};
use beatbook_store_sled::control::{CallError, ServeError};
use serde_json::json;

use crate::args::{
    BackupArgs, BeatCommand, Command, DeviceCommand, InitArgs, OfficerCommand, QuarantineCommand, RepairArgs,
    RestoreArgs,
};
use crate::output::Io;
use crate::when::show;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Failed {
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(transparent)]
    Backup(#[from] BackupFailed),
    #[error(transparent)]
    Beats(#[from] BeatFileError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Check(#[from] CheckFailed),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(
        "the store does not hold what it promises: {0} faults; keep the folder as it is and restore a backup"
    )]
    Faults(usize),
    #[error("the current folder cannot be found: {0}")]
    Folder(io::Error),
    #[error(transparent)]
    Init(#[from] InitError),
    #[error("no data folder was named; give --data DIR or set BEATBOOK_DATA")]
    NoData,
    #[error("this command runs by itself; run it without a server")]
    NotHere,
    #[error("{} is a name that is not text; choose another", .0.display())]
    NotText(PathBuf),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the results could not be written: {0}")]
    Output(io::Error),
    #[error("the token is too long for a QR code; type it, or leave out --qr")]
    Qr,
    #[error(transparent)]
    Repair(#[from] RepairFailed),
    #[error(transparent)]
    Restore(#[from] RestoreFailed),
    #[error("the runtime could not be started: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Stop(#[from] StopError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("exit status {0}")]
    Told(u8),
}

impl Failed {
    /// True where the command was typed wrongly.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::NoData | Self::NotText(_))
    }

    /// What helps, where a command does.
    pub(crate) fn remedy(&self) -> Option<&'static str> {
        let damaged = match self {
            Self::Open(OpenError::Store(error)) => error.is_damage(),
            Self::Check(CheckFailed::Damaged(error)) => error.is_damage(),
            _ => false,
        };
        damaged.then_some("stop the server if it runs, then: beatbookd repair")
    }
}

/// Makes a data folder.
pub(crate) fn init(data: &Path, args: InitArgs, json: bool, io: &mut Io) -> Result<(), Failed> {
    let mut options = InitOptions::new(data, &args.force, &args.name);
    options.config.listen = args.listen;
    options.config.address = args.address.map(|address| address.to_string());
    let store = ServerStore::init(&options)?;
    keep_recovery_key(&store, io);
    let force = store.config().force.clone();
    store.close()?;
    if json {
        return io.object(&json!({ "data": data, "force": force, "name": args.name }));
    }
    io.line(format!("{} is ready for force {force}", data.display()))?;
    io.say("next: `beatbookd beat import FILE.csv`, `beatbookd officer add`, `beatbookd serve`");
    Ok(())
}

/// Puts a copy of the recovery key beside the data folder, for the administrator to take away.
fn keep_recovery_key(store: &ServerStore, io: &mut Io) {
    let path = store.data().with_file_name(store.recovery_file());
    match store.write_recovery_key(&path) {
        Ok(()) => io.say(format!(
            "the recovery key is in {}: keep a copy away from this machine, no backup opens without it",
            path.display()
        )),
        Err(error) => io.say(format!(
            "the recovery key could not be written beside the folder ({error}); \
             copy keys/recovery.key from it to a place away from this machine, no backup opens without it"
        )),
    }
}

/// Makes a data folder from a backup.
pub(crate) fn restore(data: &Path, args: RestoreArgs, json: bool, io: &mut Io) -> Result<(), Failed> {
    let summary = restore_backup(&args.file, data, args.key.as_deref())?;
    if json {
        return io.object(&summary);
    }
    io.line(format!(
        "{} restored as of {}: {} entries in {} books, {} officers",
        data.display(),
        show(summary.taken_at_ms),
        summary.entries,
        summary.books,
        summary.officers
    ))?;
    io.say("devices send again what came after; look at beatbookd.toml before `beatbookd serve`");
    Ok(())
}

/// Repairs a store that rotted at rest.
pub(crate) fn repair(data: &Path, args: &RepairArgs, json: bool, io: &mut Io) -> Result<(), Failed> {
    let backup = args.backup.as_deref().map(|file| io.resolve(file));
    let summary = repair_folder(data, backup.as_deref())?;
    if json {
        return io.object(&summary);
    }
    for mended in &summary.mended {
        let kept = mended
            .set_aside
            .as_ref()
            .map_or_else(String::new, |path| format!(", kept in {}", path.display()));
        io.line(format!(
            "{}: {}; made again from the {}{kept}",
            mended.file.display(),
            mended.what,
            mended.source
        ))?;
    }
    for lost in &summary.lost {
        io.line(format!(
            "journal frames {} to {} are lost on this machine: devices are asked for what was in them",
            lost.after + 1,
            lost.upto
        ))?;
    }
    if let Some(epoch) = &summary.epoch {
        io.line(format!("epoch {epoch} begins: devices send again what they hold"))?;
    }
    let found = if summary.mended.is_empty() {
        "nothing was damaged"
    } else {
        "repaired"
    };
    io.line(format!(
        "{found}: {} values and {} journal frames checked",
        summary.values, summary.frames
    ))
}

/// Runs a command of administration.
pub(crate) fn run(store: &ServerStore, command: Command, json: bool, io: &mut Io) -> Result<(), Failed> {
    match command {
        Command::Beat(command) => beat(store, command, json, io),
        Command::Officer(command) => officer(store, command, json, io),
        Command::Device(command) => device(store, command, json, io),
        Command::Backup(args) => backup(store, &args, json, io),
        Command::Check => check(store, json, io),
        Command::Status => status(store, json, io),
        Command::Quarantine(QuarantineCommand::List) => quarantine(store, json, io),
        Command::Init(_) | Command::Repair(_) | Command::Restore(_) | Command::Serve(_) => {
            Err(Failed::NotHere)
        }
    }
}

fn beat(store: &ServerStore, command: BeatCommand, json: bool, io: &mut Io) -> Result<(), Failed> {
    match command {
        BeatCommand::Import { file } => {
            let report = store.import_beats(&read_beats(&io.resolve(&file))?)?;
            if json {
                return io.object(&report);
            }
            io.line(format!(
                "{} beats added, {} changed, {} unchanged",
                report.added, report.changed, report.unchanged
            ))
        }
        BeatCommand::List => {
            let beats = store.beats()?;
            if json {
                return beats.iter().try_for_each(|beat| {
                    io.object(&json!({
                        "id": beat.id.as_str(),
                        "name": beat.name,
                        "neighbourhood": beat.neighbourhood,
                        "boundary": !beat.boundary.is_empty(),
                    }))
                });
            }
            let rows: Vec<Vec<String>> = beats
                .into_iter()
                .map(|beat| vec![beat.id.as_str().to_owned(), beat.name, beat.neighbourhood])
                .collect();
            io.table(&["beat", "name", "neighbourhood"], &rows)
        }
    }
}

fn officer(store: &ServerStore, command: OfficerCommand, json: bool, io: &mut Io) -> Result<(), Failed> {
    match command {
        OfficerCommand::Add {
            collar,
            name,
            role,
            beats,
            from,
        } => {
            let mut new = NewOfficer::new(&collar, &name, &role).on_beats(beats);
            new.from_ms = from;
            let added = store.add_officer(&new)?;
            if json {
                let role = added.role.as_str();
                let officer = added.id.to_string();
                return io.object(
                    &json!({ "collar": added.collar, "name": added.name, "role": role, "officer": officer }),
                );
            }
            io.line(format!("officer {} added", added.collar))
        }
        OfficerCommand::Post {
            collar,
            beats,
            from,
            until,
        } => {
            let posted = store.post_officer(&collar, &beats, from, until)?;
            let beats: Vec<&str> = posted.beats.iter().map(|beat| beat.as_str()).collect();
            if json {
                return io.object(&json!({
                    "collar": collar, "beats": beats, "from_ms": posted.from_ms, "until_ms": posted.until_ms,
                }));
            }
            let until = posted
                .until_ms
                .map_or_else(String::new, |until| format!(" until {}", show(until)));
            let from = show(posted.from_ms);
            io.line(format!(
                "officer {collar} posted to {} from {from}{until}",
                beats.join(", ")
            ))
        }
        OfficerCommand::List => {
            let officers = store.officers()?;
            if json {
                return officers.iter().try_for_each(|row| io.object(row));
            }
            let rows: Vec<Vec<String>> = officers
                .into_iter()
                .map(|row| {
                    vec![
                        row.collar,
                        row.name,
                        row.role,
                        row.beats.join(","),
                        row.devices.to_string(),
                    ]
                })
                .collect();
            io.table(&["collar", "name", "role", "beats", "devices"], &rows)
        }
    }
}

fn device(store: &ServerStore, command: DeviceCommand, json: bool, io: &mut Io) -> Result<(), Failed> {
    match command {
        DeviceCommand::Issue {
            officer,
            label,
            address,
            valid_for,
            qr,
        } => {
            let address = match address {
                Some(address) => address,
                None => store.config().dial_address()?,
            };
            let issued = store.issue_device(&officer, &label, &address, valid_for)?;
            let token = issued.token.to_string();
            if qr || io.terminal {
                io.say(qr_code(&token)?);
            }
            io.say(format!(
                "device {} for officer {officer}: the token enrols once, until {}",
                issued.enrolment,
                show(issued.expires_at_ms)
            ));
            if json {
                return io.object(&json!({
                    "token": token,
                    "id": issued.enrolment.to_string(),
                    "collar": officer,
                    "expires_at_ms": issued.expires_at_ms,
                }));
            }
            io.line(token)
        }
        DeviceCommand::List => {
            let devices = store.devices()?;
            if json {
                return devices.iter().try_for_each(|row| io.object(row));
            }
            let rows: Vec<Vec<String>> = devices
                .into_iter()
                .map(|row| {
                    let contact = row.last_contact_ms.map_or_else(|| "never".to_owned(), show);
                    vec![row.id, row.collar, row.label, row.state.to_owned(), contact]
                })
                .collect();
            io.table(&["id", "officer", "label", "state", "last contact"], &rows)
        }
        DeviceCommand::Revoke { id } => {
            let row = store.revoke_device(&id)?;
            if json {
                return io.object(&row);
            }
            io.line(format!("device {} of officer {} revoked", row.id, row.collar))
        }
    }
}

fn backup(store: &ServerStore, args: &BackupArgs, json: bool, io: &mut Io) -> Result<(), Failed> {
    let file = io.resolve(&args.file);
    let mut told = 0;
    let summary = store.backup(&file, &mut |progress| {
        let tenths = progress
            .rows
            .saturating_mul(10)
            .checked_div(progress.rows_total.max(1))
            .unwrap_or(0);
        if io.terminal && tenths > told {
            told = tenths;
            io.say(format!(
                "{} of {} rows copied",
                progress.rows, progress.rows_total
            ));
        }
    })?;
    if json {
        return io.object(&summary);
    }
    io.line(format!(
        "{}: {} bytes, restored once to prove it; {} entries in {} books are secured",
        file.display(),
        summary.bytes,
        summary.entries,
        summary.books
    ))
}

fn check(store: &ServerStore, json: bool, io: &mut Io) -> Result<(), Failed> {
    let report = store.check()?;
    if json {
        io.object(&report)?;
    } else {
        io.line(format!(
            "{} values, {} journal frames, {} books with {} entries under {} seals, {} records: checked",
            report.values, report.frames, report.books, report.entries, report.seals, report.records
        ))?;
        for fault in &report.faults {
            io.line(format!("{}: {}", fault.entry, fault.what))?;
        }
    }
    match report.faults.len() {
        0 => Ok(()),
        faults => Err(Failed::Faults(faults)),
    }
}

fn status(store: &ServerStore, json: bool, io: &mut Io) -> Result<(), Failed> {
    let report = store.status()?;
    if json {
        return io.object(&report);
    }
    let contact = report.last_contact_ms.map_or_else(|| "never".to_owned(), show);
    for line in [
        format!("force {} {}", report.force, report.name),
        format!("{} officers, {} beats", report.officers, report.beats),
        format!(
            "{} devices, {} tokens not used yet, {} revoked; last contact {contact}",
            report.devices, report.tokens, report.revoked
        ),
        format!(
            "{} entries in {} books; {} secured by a backup, {} in quarantine, {} waiting",
            report.entries, report.books, report.secured, report.quarantined, report.waiting
        ),
        format!(
            "{} bytes of journal, {} of index",
            report.journal_bytes, report.index_bytes
        ),
    ] {
        io.line(line)?;
    }
    Ok(())
}

fn quarantine(store: &ServerStore, json: bool, io: &mut Io) -> Result<(), Failed> {
    let held = store.quarantine()?;
    if json {
        return held.iter().try_for_each(|row| io.object(row));
    }
    let rows: Vec<Vec<String>> = held
        .into_iter()
        .map(|row| {
            let family = row.family.unwrap_or_else(|| "-".to_owned());
            vec![row.entry, row.reason.to_owned(), family, show(row.received_at_ms)]
        })
        .collect();
    io.table(&["entry", "reason", "family", "received"], &rows)
}

fn qr_code(token: &str) -> Result<String, Failed> {
    let code = qrcode::QrCode::new(token.as_bytes()).map_err(|_| Failed::Qr)?;
    let colours = qrcode::render::unicode::Dense1x2::Light;
    let dark = qrcode::render::unicode::Dense1x2::Dark;
    Ok(code
        .render::<qrcode::render::unicode::Dense1x2>()
        .dark_color(colours)
        .light_color(dark)
        .build())
}
