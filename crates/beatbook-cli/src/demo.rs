//! `demo`.
mod relay;
use crate::args::Demo;
use crate::error::{Exit, Failure};
use crate::output::Output;
pub(crate) fn run(_: &Demo, _: &mut Output<'_>) -> Result<Exit, Failure> {
    Err(Failure::Demo("the server is not linked yet".to_owned()))
}
