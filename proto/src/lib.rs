//! The nouns and the bytes of Beatbook: identifiers, revisions, runs, seals, frames.
