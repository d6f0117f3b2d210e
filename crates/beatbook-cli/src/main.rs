//! The program `beatbook`.
fn main() {}
