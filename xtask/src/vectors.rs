//! `cargo xtask vectors`: the golden vectors and the generated pages say what the code does.

use std::{fs, io};

use crate::run;
use crate::tree::{self, Tree};

/// Checks vectors and pages, or rewrites them with `bless`; `true` when all agree.
pub(crate) fn command(tree: &Tree, bless: bool) -> Result<bool, Error> {
    let agreed = golden_vectors(tree, bless)?;
    let mut fresh = true;
    for page in PAGES {
        fresh &= generated_page(tree, page, bless)?;
    }
    Ok(agreed && fresh)
}

/// A page that a crate generates from its tables.
struct Page {
    /// Where it is kept.
    path: &'static str,
    /// The crate, and the example of it that prints the page.
    package: &'static str,
    example: &'static str,
}

fn golden_vectors(tree: &Tree, bless: bool) -> Result<bool, Error> {
    let mut command = run::cargo(
        tree,
        &[
            "test",
            "--quiet",
            "--package",
            "beatbook-proto",
            "--test",
            "vectors",
        ],
    );
    if bless {
        command.env("BEATBOOK_BLESS", "1");
    }
    let agreed = run::shown(command).map_err(Error::Cargo)?;
    if !agreed {
        println!(
            "vectors: the golden vectors do not pass; if the format was changed on purpose, `cargo xtask vectors --bless` and read the diff"
        );
    }
    Ok(agreed)
}

fn generated_page(tree: &Tree, page: &Page, bless: bool) -> Result<bool, Error> {
    let args = [
        "run",
        "--quiet",
        "--package",
        page.package,
        "--example",
        page.example,
    ];
    let output = run::cargo(tree, &args).output().map_err(Error::Cargo)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Generate {
            path: page.path,
            package: page.package,
            said,
        });
    }
    let generated = String::from_utf8(output.stdout).map_err(|_| Error::NotUtf8 { path: page.path })?;
    let kept = tree.text(page.path)?.unwrap_or_default();
    match first_difference(&kept, &generated) {
        None => Ok(true),
        Some(_) if bless => {
            fs::write(tree.root().join(page.path), &generated).map_err(|source| Error::Write {
                path: page.path,
                source,
            })?;
            println!("vectors: {} rewritten", page.path);
            Ok(true)
        }
        Some(line) => {
            println!(
                "{}:{line}: differs from what {} generates, run `cargo xtask vectors --bless`",
                page.path, page.package
            );
            Ok(false)
        }
    }
}

/// The number of the first line that differs, if any does.
fn first_difference(kept: &str, generated: &str) -> Option<usize> {
    if kept == generated {
        return None;
    }
    let same = kept
        .lines()
        .zip(generated.lines())
        .take_while(|(a, b)| a == b)
        .count();
    Some(same + 1)
}

const PAGES: &[Page] = &[Page {
    path: "docs/records.md",
    package: "beatbook-records",
    example: "records_md",
}];

/// Why vectors or pages could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// cargo could not be started.
    #[error("cargo could not be started ({0}): run this as `cargo xtask vectors`")]
    Cargo(#[source] io::Error),
    /// The crate did not print its page.
    #[error("{package} did not print {path}, correct its example: {said}")]
    Generate {
        /// The page.
        path: &'static str,
        /// The crate that prints it.
        package: &'static str,
        /// What cargo or the example said.
        said: String,
    },
    /// The printed page is not UTF-8.
    #[error("what is generated for {path} is not UTF-8: correct the tables that it comes from")]
    NotUtf8 {
        /// The page.
        path: &'static str,
    },
    /// The source tree could not be read.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// The page could not be written.
    #[error("{path} could not be written ({source}): check its permissions")]
    Write {
        /// The page.
        path: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
