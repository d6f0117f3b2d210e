//! A force's data folder through the server's own library: made, written to, backed up, restored.

use std::fs;
use std::path::PathBuf;

use beatbook_core::ledger::LedgerError;
use beatbook_server::{
    AdminError, BackupFailed, InitError, InitOptions, NewOfficer, OpenError, ServerStore,
    restore as restore_force,
};
use beatbook_store_sled::OpenReport;

use super::{Name, Refused, Side, Site, Step, full_or, not_opened, refused};

struct Force {
    store: ServerStore,
    root: PathBuf,
}

/// Makes the data folder.
pub(super) fn make(site: &Site) -> Result<Box<dyn Side>, Refused> {
    let options = InitOptions::new(site.root.join("store"), "52", "Avon and Somerset");
    let store = ServerStore::init(&options).map_err(|error| init_refused(&error))?;
    let force = Force {
        store,
        root: site.root.clone(),
    };
    force
        .store
        .write_recovery_key(&site.root.join(force.store.recovery_file()))
        .map_err(|error| full_or(&error))?;
    Ok(Box::new(force))
}

/// Opens the data folder.
pub(super) fn open(site: &Site) -> Result<Box<dyn Side>, Refused> {
    // What was made before the recording of a restore is the force that was backed up.
    let data = match site.name {
        Name::ForceRestore if !site.store().exists() && !site.checks => site.root.join("store"),
        _ => site.store(),
    };
    let store = ServerStore::open(data).map_err(|error| open_refused(&error))?;
    Ok(Box::new(Force {
        store,
        root: site.root.clone(),
    }))
}

/// Makes a data folder of the last backup.
pub(super) fn restore(site: &Site) -> Result<(), Refused> {
    let backups = backups(&site.root);
    let last = backups
        .last()
        .ok_or_else(|| Refused::Unknown("there is no backup".to_owned()))?;
    restore_force(last, &site.store(), None)
        .map(|_| ())
        .map_err(|error| full_or(&error))
}

/// The backups of a force, by age.
pub(super) fn backups(root: &std::path::Path) -> Vec<PathBuf> {
    let names = fs::read_dir(root).into_iter().flatten().flatten();
    let mut backups: Vec<_> = names
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("backup-"))
        })
        .collect();
    backups.sort();
    backups
}

/// The tokens in a backup of a force.
pub(super) fn read_backup(file: &std::path::Path, site: &Site) -> Result<Vec<String>, String> {
    let data = site.root.join("proved");
    restore_force(file, &data, None).map_err(|error| error.to_string())?;
    let store = ServerStore::open(&data).map_err(|error| error.to_string())?;
    let found = officers(&store);
    store.close().map_err(|error| error.to_string())?;
    fs::remove_dir_all(data).map_err(|error| error.to_string())?;
    found
}

impl Side for Force {
    fn write(&mut self, token: &str) -> Result<(), Refused> {
        let officer = NewOfficer::new(token, "Sam Pike", "PCSO");
        match self.store.add_officer(&officer) {
            Ok(_) => Ok(()),
            Err(error) => Err(admin_refused(&error)),
        }
    }

    fn act(&mut self, step: Step, number: usize) -> Result<(), Refused> {
        match step {
            Step::Backup => {
                let file = self.root.join(format!("backup-{number}"));
                match self.store.backup(&file, &mut |_| {}) {
                    Ok(_) => Ok(()),
                    Err(BackupFailed::Store(error)) => Err(refused(&error)),
                    Err(error) => Err(full_or(&error)),
                }
            }
            Step::Checkpoint => self.store.store().checkpoint().map_err(|error| refused(&error)),
            other => Err(Refused::Unknown(format!(
                "a force does not know the step {other:?}"
            ))),
        }
    }

    fn tokens(&self) -> Result<Vec<String>, String> {
        officers(&self.store)
    }

    fn verify(&self, made: bool) -> Result<(), String> {
        // Whoever was told that the force is made was told that this is there to be taken away.
        let recovery = self.root.join(self.store.recovery_file());
        if made && fs::read(&recovery).map_or(0, |key| key.len()) < 64 {
            return Err(format!("{} is not there or not whole", recovery.display()));
        }
        let store = self.store.store();
        store.verify().map(|_| ()).map_err(|error| error.to_string())
    }

    fn report(&self) -> Option<OpenReport> {
        None
    }

    fn close(self: Box<Self>) -> Result<(), Refused> {
        self.store.close().map_err(|error| refused(&error))
    }
}

fn officers(store: &ServerStore) -> Result<Vec<String>, String> {
    let rows = store.officers().map_err(|error| error.to_string())?;
    rows.into_iter()
        .map(|row| {
            if row.name == "Sam Pike" && row.role == "PCSO" {
                Ok(row.collar)
            } else {
                Err(format!("the officer {} has another name or role", row.collar))
            }
        })
        .collect()
}

fn init_refused(error: &InitError) -> Refused {
    full_or(error)
}

fn open_refused(error: &OpenError) -> Refused {
    match error {
        OpenError::Store(error) => not_opened(error),
        other => full_or(other),
    }
}

fn admin_refused(error: &AdminError) -> Refused {
    match error {
        AdminError::Ledger(LedgerError::Store(error)) => refused(error),
        other => Refused::Unknown(other.to_string()),
    }
}
