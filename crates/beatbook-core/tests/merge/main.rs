//! The laws of merge, over random causal histories of one record, beside a model of their own.

mod model;
mod random_histories;
