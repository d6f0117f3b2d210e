//! Links of Markdown pages to files of the repository resolve.

use super::text::{prose, without_code_spans};
use super::{Finding, Source};

/// Reports every relative link whose target is not in the tree.
pub(super) fn check(source: &Source<'_>, exists: &dyn Fn(&str) -> bool, found: &mut Vec<Finding>) {
    for (number, line) in prose(source.text) {
        for target in targets(&without_code_spans(line)) {
            match resolve(source.path, &target) {
                Resolved::Elsewhere => {}
                Resolved::Inside(path) if exists(&path) => {}
                Resolved::Inside(path) => {
                    found.push(source.error(
                        number,
                        format!("the link to `{path}` leads nowhere: correct it or take it out"),
                    ));
                }
                Resolved::Outside => {
                    found.push(source.error(
                        number,
                        format!("the link to `{target}` leaves the repository: link to what a clone has"),
                    ));
                }
            }
        }
    }
}

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resolved {
    /// Another site, or another heading of the same page.
    Elsewhere,
    /// A path relative to the root.
    Inside(String),
    /// Above the root.
    Outside,
}

/// Resolves the target of a link in the page at `page`.
pub(super) fn resolve(page: &str, target: &str) -> Resolved {
    let path = target.split(['#', '?']).next().unwrap_or("");
    if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
        return Resolved::Elsewhere;
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Resolved::Outside;
                }
            }
            part => parts.push(part),
        }
    }
    Resolved::Inside(parts.join("/"))
}

/// The targets of the inline links `[text](target)` and the references `[name]: target` of a line.
fn targets(line: &str) -> Vec<String> {
    let mut targets: Vec<String> = line
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(str::to_owned)
        .collect();
    if line.starts_with('[')
        && let Some((_, target)) = line.split_once("]: ")
    {
        targets.extend(target.split_whitespace().next().map(str::to_owned));
    }
    targets
}
