//! A backup that is being made when the server is killed: it is whole and restores, or there is none.

use std::fs;
use std::path::PathBuf;

use beatbook_tests::{Force, Running};

/// A backup under way.
pub(super) struct Backup {
    file: PathBuf,
    making: Running,
}

impl Backup {
    /// Asks the server for a backup.
    pub(super) fn begin(force: &Force, number: u64) -> Self {
        let file = force.path(&format!("backup {number}"));
        let mut command = force.command(force.data());
        command.arg("backup").arg(&file);
        Self {
            file,
            making: Running::start(command),
        }
    }

    /// The server is dead. True if there is a backup, which restores; false if there is none.
    pub(super) fn judge(mut self, force: &Force) -> bool {
        let status = self.making.ended();
        self.making.kill();
        let said = self.making.stderr();
        assert!(!said.contains("panicked at"), "a panic: {said}");
        let there = self.file.exists();
        if status.is_some_and(|status| status.success()) {
            assert!(there, "a backup was told of, and is not there: {:?}", self.making);
        }
        if there {
            let target = self.file.with_extension("restored");
            force.restore(&self.file, &target).done();
            fs::remove_dir_all(&target).expect("what was restored can be removed");
            fs::remove_file(&self.file).expect("a backup can be removed");
        }
        there
    }
}
