//! `cargo xtask arrows`: the crate graph is the one that was designed.
//!
//! [`house`] is the table of crates and fences, [`graph`] checks the declared dependencies against
//! it, [`reach`] checks what the pure crates reach through others, and what their sources name.

mod graph;
mod house;
mod reach;

use std::io;

use crate::tree::{self, Tree};

/// Checks the graph and prints what is wrong; `true` when nothing is.
pub(crate) fn command(tree: &Tree) -> Result<bool, Error> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .current_dir(tree.root())
        .no_deps()
        .exec()?;
    let members = graph::members(&metadata);
    let mut faults = graph::faults(&members);
    for pure in house::PURE {
        let reached = reach::reached(tree, pure.package)?;
        faults.extend(reach::faults(pure.package, &reached));
        faults.extend(reach::source_faults(tree, pure)?);
    }
    for fault in &faults {
        println!("{fault}");
    }
    println!("arrows: {} crates, {} faults", members.len(), faults.len());
    Ok(faults.is_empty())
}

/// Why the crate graph could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// cargo could not be started.
    #[error("cargo could not be started ({0}): run this as `cargo xtask arrows`")]
    Cargo(#[source] io::Error),
    /// The manifests could not be read.
    #[error("the manifests could not be read: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// The dependency tree of a crate could not be resolved.
    #[error("the dependencies of {package} could not be resolved, correct its manifest: {said}")]
    Resolve {
        /// The crate.
        package: &'static str,
        /// What cargo said.
        said: String,
    },
    /// The source tree could not be read.
    #[error(transparent)]
    Tree(#[from] tree::Error),
}

#[cfg(test)]
mod tests;
