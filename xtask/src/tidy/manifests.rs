//! Rules about the manifests of the crates: one table of dependencies, one table of lints.

use super::{Finding, Source};

/// A crate takes its dependencies and its lints from the tables of the workspace.
pub(super) fn check(source: &Source<'_>, found: &mut Vec<Finding>) {
    // Only a manifest of a crate; the fuzz crate stands outside the workspace and cannot inherit.
    let is_crate = source.path.ends_with("/Cargo.toml") && !source.path.starts_with("fuzz/");
    if !is_crate {
        return;
    }
    let mut section = "";
    let mut inherits_lints = false;
    for (index, line) in source.text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
        } else if section == "lints" && line.replace(' ', "") == "workspace=true" {
            inherits_lints = true;
        } else if section.ends_with("dependencies") && names_dependency(line) && !inherits(line) {
            let what = "a dependency with a version of its own: put it in the root table, and name it with workspace = true";
            found.push(source.error(index + 1, what));
        }
    }
    if !inherits_lints {
        found.push(source.error(
            1,
            "the crate has lints of its own: write [lints] with workspace = true",
        ));
    }
}

fn names_dependency(line: &str) -> bool {
    line.contains('=') && !line.starts_with('#')
}

fn inherits(line: &str) -> bool {
    let line = line.replace(' ', "");
    line.contains(".workspace=true") || line.contains("{workspace=true") || line.contains(",workspace=true")
}
