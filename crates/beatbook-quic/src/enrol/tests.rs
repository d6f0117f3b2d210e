//! Tests of enrol.
