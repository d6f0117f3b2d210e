//! Executes the core's store operations: a journal and a sled index, sealed at rest.
