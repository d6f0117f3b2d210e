//! `enrol`: a token becomes a notebook on this device.

use std::io::Read as _;

use beatbook_field::{Notebook, Options, Token};
use serde_json::json;

use crate::args::{Cli, Enrol};
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::{door, pin};

/// Runs the command.
pub(crate) fn run(cli: &Cli, arguments: &Enrol, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let path = door::store(cli)?;
    let text = match arguments.token.as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin().take(TOKEN_BYTES_MAX).read_to_string(&mut text)?;
            text
        }
        given => given.to_owned(),
    };
    let token: Token = text
        .trim()
        .parse()
        .map_err(|error: beatbook_field::TokenError| Failure::Usage(format!("--token: {error}")))?;
    let unlock = pin::first(cli.global.pin_file.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let book = runtime
        .block_on(Notebook::enrol(&path, &unlock, Options::default(), &token))
        .map_err(|error| Failure::Enrol(Box::new(error)))?;
    let officer = book.officer().clone();
    let beats: Vec<&str> = officer.beats.iter().map(beatbook_proto::Code::as_str).collect();
    if output.json() {
        output.object(&json!({
            "store": path.display().to_string(),
            "enrolment": officer.enrolment.to_string(),
            "force": officer.force.as_str(),
            "collar": officer.collar,
            "name": officer.name,
            "role": officer.role.as_str(),
            "beats": beats,
            "server": book.server().to_string(),
        }))?;
    } else {
        output.text(&format!(
            "enrolled {} {} {} of {} in {}",
            officer.role,
            officer.collar,
            officer.name,
            officer.force_name,
            path.display()
        ))?;
        let beats = match beats.is_empty() {
            true => "no beat yet: an administrator posts you".to_owned(),
            false => beats.join(", "),
        };
        output.hint(&format!(
            "beats: {beats}\nnext: beatbook sync --watch --store {}",
            path.display()
        ));
    }
    book.close().map_err(|error| Failure::Read(error.into()))?;
    Ok(Exit::Done)
}

/// No token is as long as this.
const TOKEN_BYTES_MAX: u64 = 16 << 10;
