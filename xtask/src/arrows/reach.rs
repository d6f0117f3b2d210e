//! What the pure crates reach: packages through their dependencies, modules through their sources.

use crate::run;
use crate::tree::Tree;

use super::Error;
use super::house::{IMPURE, IMPURE_MODULES, Pure};

/// The packages that are linked into a crate, with the features that it asks for when built alone.
pub(super) fn reached(tree: &Tree, package: &'static str) -> Result<Vec<String>, Error> {
    let args = [
        "tree",
        "--package",
        package,
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output = run::cargo(tree, &args).output().map_err(Error::Cargo)?;
    if !output.status.success() {
        return Err(Error::Resolve {
            package,
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        });
    }
    let mut packages: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// The reached packages that bring a clock, a random source, a file or a socket.
pub(super) fn faults(package: &str, reached: &[String]) -> Vec<String> {
    reached
        .iter()
        .filter(|name| IMPURE.contains(&name.as_str()))
        .map(|name| {
            format!("{package} reaches {name}: it reads no clock, no random source, no file and no socket; `cargo tree -p {package} -i {name} -e normal` shows the way")
        })
        .collect()
}

/// Lines of a pure crate's sources, tests left out, that name an impure module of std.
pub(super) fn source_faults(tree: &Tree, pure: &Pure) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    for path in tree.paths()? {
        let own = path.starts_with(pure.sources) && path.ends_with(".rs");
        if !own || path.split('/').any(|part| part == "tests" || part == "tests.rs") {
            continue;
        }
        let Some(text) = tree.text(&path)? else { continue };
        for (index, line) in text.lines().enumerate() {
            if let Some(module) = impure_module(line) {
                faults.push(format!(
                    "{path}:{}: names std::{module}: take it as an input, {} decides and never acts",
                    index + 1,
                    pure.package
                ));
            }
        }
    }
    Ok(faults)
}

/// The impure module of std that a line of code names, if any.
pub(super) fn impure_module(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or("");
    IMPURE_MODULES.iter().copied().find(|module| {
        let path = format!("std::{module}");
        code.match_indices(&path).any(|(at, _)| {
            let after = code[at + path.len()..].chars().next();
            !after.is_some_and(|character| character.is_ascii_alphanumeric() || character == '_')
        })
    })
}
