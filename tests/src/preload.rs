//! Libraries that are loaded before a program and stand between it and the system: compiled from `tests/preload` by the
//! C compiler with which Rust links, once for a profile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::programs::profile_folder;

/// The library made of `tests/preload/NAME.c`, compiled if that has not been done since it was changed.
pub fn preload(name: &str) -> PathBuf {
    // Suites run side by side; so do the tests of one.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("preload")
        .join(name)
        .with_extension("c");
    let library = profile_folder().join(format!("libbeatbook_{name}.so"));
    let changed = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
    if let (Ok(made), Ok(written)) = (changed(&library), changed(&source))
        && made > written
    {
        return library;
    }
    let fresh = library.with_extension(format!("so.{}", std::process::id()));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .arg(&fresh)
        .arg(&source)
        .arg("-ldl")
        .output()
        .expect("there is a C compiler: Rust links with it");
    assert!(
        compiled.status.success(),
        "{} does not compile: {}",
        source.display(),
        String::from_utf8_lossy(&compiled.stderr)
    );
    fs::rename(&fresh, &library).expect("the folder of the profile takes a file");
    library
}

/// Variables that load a library before a program.
pub fn preloaded(name: &str) -> (String, String) {
    ("LD_PRELOAD".to_owned(), preload(name).display().to_string())
}
