//! The words for kinds of revisions and books, for people and scripts.

use beatbook_proto::{ReplicaKind, RevisionKind};

/// The word for what a revision does.
pub(crate) fn revision(kind: RevisionKind) -> &'static str {
    match kind {
        RevisionKind::OPEN => "open",
        RevisionKind::CREATE => "create",
        RevisionKind::AMEND => "amend",
        RevisionKind::SUPPLEMENT => "supplement",
        RevisionKind::STRIKE => "strike",
        RevisionKind::SIGN => "sign",
        RevisionKind::STATE => "state",
        RevisionKind::ANNOTATE => "annotate",
        RevisionKind::RESOLVE => "resolve",
        RevisionKind::VOID => "void",
        RevisionKind::REISSUE => "reissue",
        _ => "other",
    }
}

/// The word for one of an enrolment's two logs.
pub(crate) fn replica(kind: ReplicaKind) -> &'static str {
    match kind {
        ReplicaKind::Book => "book",
        ReplicaKind::Trace => "trace",
    }
}

/// A number with its noun: `1 record`, `2 entries`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests;
