//! Fuzz targets: each takes any bytes, drives the real code with them, and panics where a promise is broken.
//!
//! A target is a plain function, so that what was found once runs again in an ordinary `cargo test`, without the engine.
//! A target is named in `targets.txt`, which says what it is about; its seeds are inputs that get far.

pub mod disk;
pub mod heap;
pub mod input;
pub mod targets;

#[path = "../../proto/tests/samples/bombs.rs"]
#[expect(missing_docs, reason = "the fixtures of another crate's tests")]
pub mod bombs;
#[path = "../../crates/beatbook-core/tests/merge/model.rs"]
pub mod model;
#[path = "../../proto/tests/samples/samples.rs"]
#[expect(missing_docs, reason = "the fixtures of another crate's tests")]
pub mod samples;

mod world;

use std::path::Path;
use std::{env, fs, io, process};

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Runs one input; panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// The target of a name.
pub fn target(name: &str) -> Option<&'static Target> {
    targets::ALL.iter().find(|target| target.name == name)
}

/// Writes the seeds of a target into a folder, each under a number.
///
/// # Errors
/// What the system said.
pub fn write_seeds(target: &Target, folder: &Path) -> io::Result<usize> {
    fs::create_dir_all(folder)?;
    let seeds = (target.seeds)();
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:04}")), seed)?;
    }
    Ok(seeds.len())
}

/// Reads from the environment what this process is to run; writes its seeds where it is told to.
///
/// Ends the process where no target is named: there is nothing to fall back on.
pub fn begin() -> &'static Target {
    let named = env::var(TARGET).unwrap_or_default();
    let Some(target) = target(&named) else {
        eprintln!("{TARGET} names no target: start this by `cargo xtask fuzz`");
        process::exit(2);
    };
    if let Some(folder) = env::var_os(SEEDS)
        && let Err(error) = write_seeds(target, Path::new(&folder))
    {
        eprintln!("the seeds could not be written to {}: {error}", folder.display());
        process::exit(2);
    }
    target
}

/// The variable that names the target.
pub const TARGET: &str = "BEATBOOK_FUZZ_TARGET";
/// The variable that names a folder for the seeds.
pub const SEEDS: &str = "BEATBOOK_FUZZ_SEEDS";
