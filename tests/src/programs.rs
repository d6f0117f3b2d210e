//! The two programs under test, built once for the suite with the profile that the suite has.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    /// The command of officers and supervisors.
    pub beatbook: PathBuf,
    /// The server and its administration.
    pub beatbookd: PathBuf,
}

impl Programs {
    fn of(folder: &Path) -> Self {
        Self {
            beatbook: folder.join("beatbook"),
            beatbookd: folder.join("beatbookd"),
        }
    }
}

/// Builds the programs on first use: they are no dependencies of this package, so cargo does not.
/// `BEATBOOK_TEST_PROGRAMS` names a folder with programs that are built already.
pub fn programs() -> &'static Programs {
    static BUILT: OnceLock<Programs> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> Programs {
    if let Some(folder) = std::env::var_os("BEATBOOK_TEST_PROGRAMS") {
        return Programs::of(Path::new(&folder));
    }
    let folder = profile_folder();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args([
            "build",
            "--quiet",
            "--bins",
            "-p",
            "beatbook-cli",
            "-p",
            "beatbook-server",
        ]);
    if let Some(target) = folder.parent() {
        command.arg("--target-dir").arg(target);
    }
    let profile = folder.file_name().and_then(|name| name.to_str());
    if let Some(profile) = profile.filter(|profile| *profile != "debug") {
        command.args(["--profile", profile]);
    }
    let built = command.status().expect("cargo runs");
    assert!(built.success(), "the programs do not build");
    Programs::of(&folder)
}

/// `target/debug`, or the folder of another profile: a suite itself is in `deps` below it.
pub(crate) fn profile_folder() -> PathBuf {
    let suite = std::env::current_exe().expect("a test knows where it is");
    let folder = suite.parent().expect("a file is in a folder");
    let folder = if folder.ends_with("deps") {
        folder.parent()
    } else {
        Some(folder)
    };
    folder.expect("deps is in the folder of a profile").to_owned()
}
