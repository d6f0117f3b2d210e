//! `beatbook repair`: a store that rotted at rest, made whole from what is left of it.

use beatbook_field::{Notebook, Options};
use serde_json::json;

use crate::args::Cli;
use crate::door;
use crate::error::{Exit, Failure};
use crate::output::Output;
use crate::pin;

/// Repairs the notebook that nobody has open.
pub(crate) fn run(cli: &Cli, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let path = door::store(cli)?;
    door::check_is_notebook(&path)?;
    let pin = pin::present(cli.global.pin_file.as_deref())?;
    let unlock = beatbook_field::Unlock::pin(pin.as_str());
    let report = Notebook::repair(&path, &unlock, &Options::default()).map_err(|source| Failure::Repair {
        path,
        source: Box::new(source),
    })?;
    if output.json() {
        let mended: Vec<_> = report
            .mended
            .iter()
            .map(|mended| {
                json!({
                    "file": mended.file,
                    "what": mended.what,
                    "source": mended.source.as_str(),
                    "set_aside": mended.set_aside,
                })
            })
            .collect();
        let lost: Vec<_> = report
            .lost
            .iter()
            .map(|lost| json!({ "after": lost.after, "upto": lost.upto, "source": "server" }))
            .collect();
        output.object(&json!({
            "mended": mended,
            "lost": lost,
            "new_book": report.opened.lost,
            "values": report.values,
            "frames": report.frames,
        }))?;
        return Ok(Exit::Done);
    }
    for mended in &report.mended {
        let kept = mended
            .set_aside
            .as_ref()
            .map_or_else(String::new, |path| format!(", kept in {}", path.display()));
        output.text(&format!(
            "{}: {}; made again from the {}{kept}",
            mended.file.display(),
            mended.what,
            mended.source.as_str()
        ))?;
    }
    for lost in &report.lost {
        output.text(&format!(
            "journal frames {} to {} are lost on this device",
            lost.after + 1,
            lost.upto
        ))?;
    }
    let found = if report.mended.is_empty() {
        "nothing was damaged"
    } else {
        "repaired"
    };
    output.text(&format!(
        "{found}: {} values and {} journal frames checked",
        report.values, report.frames
    ))?;
    if report.opened.lost {
        output.remark("a new book is opened next; beatbook sync fetches what the server holds");
    }
    Ok(Exit::Done)
}
