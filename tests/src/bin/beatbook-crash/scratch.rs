//! Where images are built: in memory where the machine has a file system for that, else in the usual place.

use std::path::Path;

use tempfile::TempDir;

/// A folder that goes with its owner.
#[derive(Debug)]
pub struct Scratch(TempDir);

impl Scratch {
    /// Makes one.
    pub fn new() -> Result<Self, String> {
        let named = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix("beatbook-crash-");
            builder
        };
        named()
            .tempdir_in("/dev/shm")
            .or_else(|_| named().tempdir())
            .map(Self)
            .map_err(|error| format!("no scratch folder can be made: {error}"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}
