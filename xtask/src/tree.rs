//! Where the repository is and which files it holds, as git sees them.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process, string};

/// The root of the repository.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Finds the root from where cargo says that this package is.
    pub(crate) fn locate() -> Result<Self, Error> {
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().ok_or(Error::NoRoot)?.to_path_buf();
        Ok(Self { root })
    }

    /// The root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether a path, relative to the root, names a file or a folder.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// The paths of all files that are tracked, or would be at the next `git add`, sorted.
    pub(crate) fn paths(&self) -> Result<Vec<String>, Error> {
        let output = process::Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .map_err(Error::Git)?;
        if !output.status.success() {
            return Err(Error::NotAClone);
        }
        let listing = String::from_utf8(output.stdout)?;
        let mut paths: Vec<String> = listing
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect();
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    /// The text of a file, or `None` when it is not UTF-8 or was deleted but not yet committed.
    pub(crate) fn text(&self, path: &str) -> Result<Option<String>, Error> {
        match fs::read(self.root.join(path)) {
            Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }
}

/// Why the files of the repository could not be listed or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// git is not installed or could not be started.
    #[error("git could not be started ({0}): install git, it lists the files to check")]
    Git(#[source] io::Error),
    /// This package has no parent folder.
    #[error("the root of the repository was not found: run this as `cargo xtask` inside the clone")]
    NoRoot,
    /// The folder is not a git clone.
    #[error("git does not list this folder: run this inside a clone of the repository")]
    NotAClone,
    /// A path is not UTF-8.
    #[error("a file name is not UTF-8 ({0}): rename it")]
    PathNotUtf8(#[from] string::FromUtf8Error),
    /// A file could not be read.
    #[error("{path} could not be read ({source}): check its permissions")]
    Read {
        /// The path, relative to the root.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}
