//! A device: the store of one enrolment, and the program on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::deadline::wait_for;
use crate::force::clean;
use crate::process::{Outcome, Running};
use crate::programs::programs;
use crate::stage::Variables;

/// The PIN of every device.
pub const PIN: &str = "271828";

/// A notebook on a device.
#[derive(Clone, Debug)]
pub struct Device {
    store: PathBuf,
    pin: String,
    log: Option<&'static str>,
    variables: Variables,
}

impl Device {
    /// The notebook in this folder, enrolled or not.
    pub fn at(store: PathBuf) -> Self {
        fs::create_dir_all(store.parent().expect("a store is in a folder")).expect("a folder can be made");
        Self {
            store,
            pin: PIN.to_owned(),
            log: None,
            variables: Variables::new(),
        }
    }

    /// The same with another PIN.
    pub fn with_pin(&self, pin: &str) -> Self {
        Self {
            pin: pin.to_owned(),
            ..self.clone()
        }
    }

    /// The same with its log at this level.
    pub fn logging(&self, level: &'static str) -> Self {
        Self {
            log: Some(level),
            ..self.clone()
        }
    }

    /// The same with these variables in the environment of every command.
    pub fn staged(&self, variables: Variables) -> Self {
        Self {
            variables,
            ..self.clone()
        }
    }

    /// The command on this notebook.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = clean(&programs().beatbook);
        command
            .current_dir(self.folder())
            .env("BEATBOOK_STORE", &self.store)
            .env("BEATBOOK_PIN", &self.pin)
            .args(args);
        if let Some(level) = self.log {
            command.env("BEATBOOK_LOG", level);
        }
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Outcome {
        Outcome::of(self.command(args))
    }

    /// Writes a note on beat C02 and returns its reference.
    pub fn note(&self, text: &str) -> String {
        self.run(&["note", text, "--beat", "C02"]).done().line()
    }

    /// Syncs once; it must succeed. Something may wait for a person afterwards.
    pub fn sync(&self) {
        let outcome = self.run(&["sync"]);
        assert!(
            matches!(outcome.code, Some(0 | 3)),
            "the sync failed: {outcome:?}"
        );
    }

    /// Starts `sync --watch`.
    pub fn watch(&self) -> Running {
        let mut watching = Running::start(self.command(&["sync", "--watch"]));
        // Said once other commands get through.
        watching.wait_said("watching");
        watching
    }

    /// The status as scripts get it.
    pub fn status(&self) -> Value {
        let outcome = self.run(&["status", "--json"]);
        assert!(matches!(outcome.code, Some(0 | 3)), "no status: {outcome:?}");
        outcome.object()
    }

    /// A number of the status.
    pub fn count(&self, name: &str) -> u64 {
        let status = self.status();
        let count = status.get(name).and_then(Value::as_u64);
        count.unwrap_or_else(|| panic!("the status has no number {name}: {status}"))
    }

    /// Waits until the device holds a receipt for everything it has written.
    pub fn wait_safe(&self) {
        wait_for("a receipt for every entry", || {
            let status = self.status();
            if status.get("pending").and_then(Value::as_u64) == Some(0) {
                Ok(())
            } else {
                Err(status.to_string())
            }
        });
    }

    /// Every record on this device, as scripts get it.
    pub fn list(&self) -> Vec<Value> {
        self.run(&["list", "--json"]).objects_of_listing()
    }

    /// Syncs once, and returns the merged log of the beats.
    pub fn pull(&self) -> Vec<Value> {
        self.run(&["pull", "--format", "jsonl"]).objects_of_listing()
    }

    /// One record with all that was ever said of it.
    pub fn show(&self, reference: &str) -> String {
        let outcome = self.run(&["show", reference, "--json"]);
        assert!(
            matches!(outcome.code, Some(0 | 3)),
            "it is not shown: {outcome:?}"
        );
        outcome.stdout
    }

    /// The records of which two versions wait for a person.
    pub fn conflicts(&self) -> Vec<Value> {
        self.run(&["conflicts", "--json"]).objects_of_listing()
    }

    /// The reference of the only record on this device that holds `word`.
    pub fn reference(&self, word: &str) -> String {
        let listing = self.list();
        let found = records_with(&listing, word);
        assert_eq!(found.len(), 1, "not one record with \"{word}\": {found:?}");
        let reference = found[0].get("record").and_then(Value::as_str);
        reference
            .unwrap_or_else(|| panic!("no reference in {}", found[0]))
            .to_owned()
    }

    /// The store's folder.
    pub fn store(&self) -> &Path {
        &self.store
    }

    /// What is around the store: anchor, secret.
    pub fn folder(&self) -> &Path {
        self.store.parent().expect("a store is in a folder")
    }
}

impl Outcome {
    /// The objects of a listing that was made whole; something in it may wait for a person.
    #[track_caller]
    pub fn objects_of_listing(self) -> Vec<Value> {
        assert!(matches!(self.code, Some(0 | 3)), "no listing: {self:?}");
        self.objects()
    }
}

/// The records of a listing that hold a word.
pub fn records_with<'a>(listing: &'a [Value], word: &str) -> Vec<&'a Value> {
    listing
        .iter()
        .filter(|record| record.to_string().contains(word))
        .collect()
}

/// Requires that each word is in exactly one record of a listing.
#[track_caller]
pub fn assert_each_once<'w>(listing: &[Value], words: impl IntoIterator<Item = &'w String>) {
    let lines: Vec<String> = listing.iter().map(Value::to_string).collect();
    for word in words {
        let count = lines.iter().filter(|line| line.contains(word.as_str())).count();
        assert_eq!(count, 1, "\"{word}\" is in {count} records of {}", lines.len());
    }
}

/// Requires that no record of a listing holds any of the words.
#[track_caller]
pub fn assert_none<'w>(listing: &[Value], words: impl IntoIterator<Item = &'w String>) {
    for word in words {
        let found = records_with(listing, word);
        assert!(found.is_empty(), "\"{word}\" is where it must not be: {found:?}");
    }
}
