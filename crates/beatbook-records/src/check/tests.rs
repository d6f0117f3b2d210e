//! The law of the notebook and the rules of the fields, each with a case that passes and one that fails.
