//! `cargo xtask tidy`: the house rules that neither the compiler nor clippy checks.
//!
//! Each rule is a function from a [`Source`] to [`Finding`]s: [`code`] reads Rust tokens, [`text`]
//! reads lines, [`links`] follows the links of Markdown pages, [`manifests`] reads those of the crates, [`hazards`] looks for
//! what the page of hazards promises.

mod code;
mod hazards;
mod links;
mod manifests;
mod text;

use std::fmt;

use crate::tree::{self, Tree};

/// Checks the files whose path begins with one of `prefixes` (all when there are none).
pub(crate) fn command(tree: &Tree, prefixes: &[String]) -> Result<bool, tree::Error> {
    let mut errors = 0_usize;
    let mut files = 0_usize;
    for path in tree.paths()? {
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| path.starts_with(prefix.as_str())) {
            continue;
        }
        let Some(text) = tree.text(&path)? else { continue };
        files += 1;
        let source = Source {
            path: &path,
            text: &text,
        };
        let mut found = findings(&source, &|target| tree.has(target));
        if path == hazards::PAGE {
            let read = |guard: &str| tree.text(guard).ok().flatten();
            hazards::check(&source, &read, &mut found);
        }
        for finding in found {
            println!("{finding}");
            errors += usize::from(finding.weight == Weight::Error);
        }
    }
    println!("tidy: {files} files, {errors} errors");
    Ok(errors == 0)
}

/// One file as the rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    /// The path relative to the root, with `/` between folders.
    pub(crate) path: &'a str,
    /// The whole text.
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// The part of the file name after the last dot, or nothing.
    fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(self.path);
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    fn error(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding {
            path: self.path.to_owned(),
            line,
            what: what.into(),
            weight: Weight::Error,
        }
    }

    fn warning(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding {
            weight: Weight::Warning,
            ..self.error(line, what)
        }
    }
}

/// Something that a rule found, at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
    weight: Weight,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = if self.weight == Weight::Warning {
            "warning: "
        } else {
            ""
        };
        write!(f, "{}:{}: {weight}{}", self.path, self.line, self.what)
    }
}

/// Whether a finding fails the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// It does.
    Error,
    /// It is only printed.
    Warning,
}

/// Applies every rule that concerns the file; `exists` answers for paths relative to the root.
fn findings(source: &Source<'_>, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut found = Vec::new();
    match source.extension() {
        "rs" => {
            text::opens_with_doc(source, &mut found);
            text::file_length(source, &mut found);
            text::file_name(source, &mut found);
            text::ascii(source, &mut found);
            text::spelling_in_comments(source, &mut found);
            code::check(source, &mut found);
        }
        "md" => {
            text::spelling_in_prose(source, &mut found);
            links::check(source, exists, &mut found);
        }
        "toml" => {
            text::ascii(source, &mut found);
            manifests::check(source, &mut found);
        }
        "sh" | "" => text::ascii(source, &mut found),
        _ => {}
    }
    if !UNCHECKED.contains(&source.path) {
        text::unfinished(source, &mut found);
        text::machine_paths(source, &mut found);
        text::registry_hosts(source, &mut found);
    }
    found.sort_by_key(|finding| finding.line);
    found
}

/// Files whose words are not ours: the lock file names registries, the licence is quoted whole.
const UNCHECKED: &[&str] = &["Cargo.lock", "LICENSE", "deny.toml"];

#[cfg(test)]
mod tests;
