//! Power cuts and failing calls: short runs of the crash program, and that it would notice a store that forgets a sync.

mod failing_calls;
mod power_cuts;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What a run of the crash program came to.
struct Run {
    passed: bool,
    figures: Value,
    /// All that it printed, with the seed and how to repeat it.
    told: String,
}

/// Runs the crash program; it leaves failing images in the folder of the build.
fn crash(args: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let figures = folder.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_beatbook-crash"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(args)
        .arg("--json")
        .arg(&figures)
        .output()
        .expect("the crash program starts");
    let told = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    let figures = std::fs::read(&figures).unwrap_or_else(|error| panic!("no figures ({error}): {told}"));
    Run {
        passed: output.status.success(),
        figures: serde_json::from_slice(&figures).expect("figures are JSON"),
        told,
    }
}

impl Run {
    /// A figure.
    fn count(&self, name: &str) -> u64 {
        self.figures["figures"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("no figure {name}: {}", self.told))
    }
}
