//! The way to a notebook: through the process that holds it, or by opening it here.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use beatbook_field::control::{self, CallError, Control, Reply, Request};
use beatbook_field::{Notebook, OpenError, Options, StoreOpenError, SyncAgent, Unlock, is_notebook};
use clap::Parser as _;
use tokio::runtime::Handle;

use crate::args::{Cli, Command, Pin};
use crate::desk::{self, Desk};
use crate::error::{Exit, Failure};
use crate::output::{Output, Terminal};
use crate::pin;
use crate::sync::watch;

/// A command on a notebook, as it was typed.
pub(crate) struct Call<'a> {
    /// The command, read.
    pub(crate) cli: &'a Cli,
    /// Its arguments, with what was read from standard input in the place of `-`.
    pub(crate) arguments: Vec<String>,
    /// What is at the other end of the streams.
    pub(crate) terminal: Terminal,
}

/// How a call came to its end.
pub(crate) enum Ended {
    /// The holder ran it, with this exit code.
    Elsewhere(u8),
    /// It ran here.
    Here(Exit),
}

/// Runs a command on the notebook that the call names.
pub(crate) fn run(
    call: &Call<'_>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<Ended, Failure> {
    let path = store(call.cli)?;
    let mut pins = Pins::new(call.cli)?;
    let deadline = Instant::now() + HELD_MAX;
    loop {
        match control::call(&path, &request(call, &mut pins)?) {
            Ok(response) => return Ok(Ended::Elsewhere(response.relay(out, err)?)),
            Err(CallError::NobodyHolds) => {}
            Err(error) => return Err(error.into()),
        }
        check_is_notebook(&path)?;
        match Notebook::open(&path, pins.present()?, Options::default()) {
            Ok(book) => return here(call, book, pins, out, err).map(Ended::Here),
            // Another short command has it: it is free, or can be called, in a moment.
            Err(OpenError::Open(StoreOpenError::Locked { .. })) if Instant::now() < deadline => {
                std::thread::sleep(LOOK_AGAIN);
            }
            Err(source) => {
                return Err(Failure::Open {
                    path,
                    source: Box::new(source),
                });
            }
        }
    }
}

/// Lets other commands on an open notebook through, until the control is dropped.
pub(crate) fn hold(
    book: &Notebook,
    agent: Option<Arc<SyncAgent>>,
    runtime: &Handle,
) -> Result<Control, Failure> {
    let (held, runtime) = (book.clone(), runtime.clone());
    let handler =
        move |request: &Request, reply: &Reply| answer(&held, agent.as_deref(), &runtime, request, reply);
    book.serve_control(handler).map_err(|error| Failure::File {
        path: error.path,
        source: error.source,
    })
}

/// Where the notebook is.
pub(crate) fn store(cli: &Cli) -> Result<PathBuf, Failure> {
    cli.global.store.clone().ok_or_else(|| {
        Failure::Usage(
            "say where the notebook is: --store DIR, or BEATBOOK_STORE in the environment".to_owned(),
        )
    })
}

/// Refuses a folder without a notebook.
pub(crate) fn check_is_notebook(path: &Path) -> Result<(), Failure> {
    if is_notebook(path) {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "there is no notebook in {}: enrol this device first with beatbook enrol --store {} --token TOKEN",
        path.display(),
        path.display()
    )))
}

fn here(
    call: &Call<'_>,
    book: Notebook,
    mut pins: Pins<'_>,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut output = Output::new(out, err, call.cli.global.json, call.terminal);
    if let Command::Sync(arguments) = &call.cli.command
        && arguments.watch
    {
        return runtime.block_on(watch(book, &mut output));
    }
    if let Some(why) = book.status()?.new_book {
        output.remark(&format!("NOTE: {}", why.sentence()));
    }
    // What waits for the network keeps the notebook for a while: others go through here meanwhile.
    let control = match call.cli.command {
        Command::Sync(_) | Command::Pull(_) => Some(hold(&book, None, runtime.handle())?),
        _ => None,
    };
    let folder = std::env::current_dir()?;
    let desk = Desk {
        book: &book,
        agent: None,
        runtime: runtime.handle(),
        folder: &folder,
        wanted: &|| true,
        pins: pins.both()?,
    };
    let exit = desk::run(&desk, &call.cli.command, &mut output);
    drop(control);
    let closed = book.close();
    let exit = exit?;
    output.flush()?;
    closed.map_err(|error| Failure::Read(error.into()))?;
    Ok(exit)
}

/// Runs a command that came by the control socket.
fn answer(
    book: &Notebook,
    agent: Option<&SyncAgent>,
    runtime: &Handle,
    request: &Request,
    reply: &Reply,
) -> u8 {
    let mut out = io::BufWriter::with_capacity(REPLY_BYTES, reply.stdout());
    let mut err = reply.stderr();
    let arguments = std::iter::once("beatbook").chain(request.arguments.iter().map(String::as_str));
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // The caller has read them already: the releases differ.
            let _ = write!(err, "{error}");
            return Exit::Usage.code();
        }
    };
    let terminal = Terminal {
        columns: request.variable(COLUMNS).and_then(|text| text.parse().ok()),
        progress: false,
    };
    let pins = request.variable(pin::PIN).zip(request.variable(pin::NEW_PIN));
    let wanted = {
        let reply = reply.clone();
        move || reply.is_wanted()
    };
    let desk = Desk {
        book,
        agent,
        runtime,
        folder: &request.folder,
        wanted: &wanted,
        pins: pins.map(|(old, new)| (Unlock::pin(old), Unlock::pin(new))),
    };
    let mut output = Output::new(&mut out, &mut err, cli.global.json, terminal);
    let ended = desk::run(&desk, &cli.command, &mut output).and_then(|exit| {
        output.flush()?;
        Ok(exit)
    });
    match ended {
        Ok(exit) => exit.code(),
        Err(failure) => {
            crate::complain(&failure, &mut output);
            failure.exit().code()
        }
    }
}

fn request(call: &Call<'_>, pins: &mut Pins<'_>) -> Result<Request, Failure> {
    let mut request = Request::new(call.arguments.iter().cloned())?;
    if let Some(columns) = call.terminal.columns {
        request = request.with(COLUMNS, columns.to_string());
    }
    if let Some((old, new)) = pins.texts()? {
        request = request.with(pin::PIN, old).with(pin::NEW_PIN, new);
    }
    Ok(request)
}

/// The PINs that a call needs, each asked for once and only when it is needed.
struct Pins<'a> {
    file: Option<&'a Path>,
    present: Option<String>,
    unlock: Option<Unlock>,
    next: Option<String>,
}

impl<'a> Pins<'a> {
    fn new(cli: &'a Cli) -> Result<Self, Failure> {
        let mut pins = Self {
            file: cli.global.pin_file.as_deref(),
            present: None,
            unlock: None,
            next: None,
        };
        if let Command::Pin(Pin::Change(arguments)) = &cli.command {
            pins.present = Some(pin::present(pins.file)?);
            pins.next = Some(pin::next(arguments.new_pin_file.as_deref())?);
        }
        Ok(pins)
    }

    fn present(&mut self) -> Result<&Unlock, Failure> {
        if self.unlock.is_none() {
            let pin = match self.present.take() {
                Some(pin) => pin,
                None => pin::present(self.file)?,
            };
            self.unlock = Some(Unlock::pin(pin.as_str()));
            self.present = Some(pin);
        }
        self.unlock
            .as_ref()
            .ok_or_else(|| Failure::Usage("no PIN was given: use --pin-file FILE".to_owned()))
    }

    fn texts(&mut self) -> Result<Option<(String, String)>, Failure> {
        Ok(self.present.clone().zip(self.next.clone()))
    }

    fn both(&mut self) -> Result<Option<(Unlock, Unlock)>, Failure> {
        let texts = self.texts()?;
        Ok(texts.map(|(old, new)| (Unlock::pin(old), Unlock::pin(new))))
    }
}

/// What is at the other end of this process's own streams.
pub(crate) fn terminal() -> Terminal {
    let given = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let columns = io::stdout().is_terminal().then(|| given.or_else(width)).flatten();
    Terminal {
        columns,
        progress: io::stderr().is_terminal(),
    }
}

fn width() -> Option<u16> {
    comfy_table::Table::new().width()
}

const COLUMNS: &str = "COLUMNS";
/// How long another short command may have the notebook before this one gives up.
const HELD_MAX: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const REPLY_BYTES: usize = 32 << 10;
