//! The command line is well formed.

use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_well_formed() {
    Args::command().debug_assert();
}
