//! Names of a simulated disk: a tree of folders, changed by operations that can be done again on an older tree.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A file or folder, whatever its name.
pub(super) type NodeId = u64;

/// A change of names.
#[derive(Clone, Debug)]
pub(super) enum NameOp {
    /// A name for a new file or folder.
    Link {
        /// The folder that it is in.
        dir: NodeId,
        /// The name.
        name: String,
        /// What it names.
        node: NodeId,
        /// True for a folder.
        folder: bool,
    },
    /// Another name for what has one; what had the new name has none.
    Rename {
        /// The folder that it was in.
        from_dir: NodeId,
        /// The old name.
        from_name: String,
        /// The folder that it is in from here on.
        to_dir: NodeId,
        /// The new name.
        to_name: String,
    },
    /// A name is gone.
    Unlink {
        /// The folder that it was in.
        dir: NodeId,
        /// The name.
        name: String,
    },
}

impl NameOp {
    /// True if syncing the folder makes the change durable.
    pub(super) fn concerns(&self, folder: NodeId) -> bool {
        match self {
            Self::Link { dir, .. } | Self::Unlink { dir, .. } => *dir == folder,
            Self::Rename { from_dir, to_dir, .. } => *from_dir == folder || *to_dir == folder,
        }
    }
}

/// A tree of names.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    entries: BTreeMap<(NodeId, String), Named>,
    last: NodeId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Named {
    node: NodeId,
    folder: bool,
}

impl Names {
    /// A node that has no name yet.
    pub(super) fn fresh(&mut self) -> NodeId {
        self.last += 1;
        self.last
    }

    pub(super) fn apply(&mut self, op: &NameOp) {
        match op {
            NameOp::Link {
                dir,
                name,
                node,
                folder,
            } => {
                let named = Named {
                    node: *node,
                    folder: *folder,
                };
                self.entries.insert((*dir, name.clone()), named);
                self.last = self.last.max(*node);
            }
            NameOp::Rename {
                from_dir,
                from_name,
                to_dir,
                to_name,
            } => {
                if let Some(named) = self.entries.remove(&(*from_dir, from_name.clone())) {
                    self.entries.insert((*to_dir, to_name.clone()), named);
                }
            }
            NameOp::Unlink { dir, name } => {
                self.entries.remove(&(*dir, name.clone()));
            }
        }
    }

    pub(super) fn remove(&mut self, path: &Path) -> bool {
        self.parent(path)
            .is_some_and(|key| self.entries.remove(&key).is_some())
    }

    pub(super) fn remove_tree(&mut self, path: &Path) {
        for op in self.tree(path).unwrap_or_default() {
            self.apply(&op);
        }
    }

    /// Names a new file, and the folders above it.
    pub(super) fn place_file(&mut self, path: &Path) -> NodeId {
        if let Some(above) = path.parent() {
            self.place_folder(above);
        }
        let node = self.fresh();
        if let Some(key) = self.parent(path) {
            self.entries.insert(key, Named { node, folder: false });
        }
        node
    }

    /// Names a folder, and those above it.
    pub(super) fn place_folder(&mut self, path: &Path) {
        let mut whole = PathBuf::new();
        for part in path.components() {
            whole.push(part);
            if !self.exists(&whole) {
                let node = self.fresh();
                if let Some(key) = self.parent(&whole) {
                    self.entries.insert(key, Named { node, folder: true });
                }
            }
        }
    }

    pub(super) fn exists(&self, path: &Path) -> bool {
        self.lookup(path).is_some()
    }

    pub(super) fn file(&self, path: &Path) -> Option<NodeId> {
        let named = self.lookup(path)?;
        (!named.folder).then_some(named.node)
    }

    pub(super) fn folder(&self, path: &Path) -> Option<NodeId> {
        let named = self.lookup(path)?;
        named.folder.then_some(named.node)
    }

    /// The folder that a path is in, and its last part.
    pub(super) fn parent(&self, path: &Path) -> Option<(NodeId, String)> {
        let name = path.file_name()?.to_str()?.to_owned();
        Some((self.folder(path.parent()?)?, name))
    }

    pub(super) fn holds_any(&self, dir: NodeId) -> bool {
        self.children(dir).next().is_some()
    }

    pub(super) fn list(&self, dir: NodeId) -> Vec<String> {
        self.children(dir).map(|(name, _)| name.to_owned()).collect()
    }

    /// What removes a path with all that is under it, deepest first.
    pub(super) fn tree(&self, path: &Path) -> Option<Vec<NameOp>> {
        let (dir, name) = self.parent(path)?;
        let named = self.entries.get(&(dir, name.clone()))?;
        let mut ops = Vec::new();
        if named.folder {
            self.tree_under(named.node, &mut ops);
        }
        ops.push(NameOp::Unlink { dir, name });
        Some(ops)
    }

    /// Every file by its path.
    pub(super) fn files(&self) -> Vec<(PathBuf, NodeId)> {
        let mut found = Vec::new();
        self.walk(ROOT, Path::new("/"), &mut |path, named| {
            if !named.folder {
                found.push((path.to_owned(), named.node));
            }
        });
        found
    }

    /// Every folder.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        self.walk(ROOT, Path::new("/"), &mut |path, named| {
            if named.folder {
                found.push(path.to_owned());
            }
        });
        found
    }

    /// Everything that has a name.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.entries.values().map(|named| named.node)
    }

    fn lookup(&self, path: &Path) -> Option<Named> {
        let mut at = Named {
            node: ROOT,
            folder: true,
        };
        for part in path.components() {
            if let Component::Normal(name) = part {
                at = *self.entries.get(&(at.node, name.to_str()?.to_owned()))?;
            }
        }
        Some(at)
    }

    fn children(&self, dir: NodeId) -> impl Iterator<Item = (&str, Named)> {
        let from = (dir, String::new())..(dir + 1, String::new());
        self.entries
            .range(from)
            .map(|((_, name), named)| (name.as_str(), *named))
    }

    fn tree_under(&self, dir: NodeId, ops: &mut Vec<NameOp>) {
        for (name, named) in self.children(dir) {
            if named.folder {
                self.tree_under(named.node, ops);
            }
            let name = name.to_owned();
            ops.push(NameOp::Unlink { dir, name });
        }
    }

    fn walk(&self, dir: NodeId, at: &Path, visit: &mut dyn FnMut(&Path, Named)) {
        for (name, named) in self.children(dir) {
            let path = at.join(name);
            visit(&path, named);
            if named.folder {
                self.walk(named.node, &path, visit);
            }
        }
    }
}

const ROOT: NodeId = 0;
