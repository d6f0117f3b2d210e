//! `beatbookd serve`: the server, and the door for other commands, until a signal comes.

use std::path::Path;

use beatbook_server::{ServeOptions, Server, ServerStore};
use beatbook_store_sled::control::{self, Reply, Request};
use clap::Parser;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Args, ServeArgs};
use crate::commands::{self, Failed};
use crate::output::{self, Io};

/// Serves until SIGTERM or SIGINT, then goes in good order.
pub(crate) fn serve(data: &Path, args: &ServeArgs, json: bool, io: &mut Io) -> Result<(), Failed> {
    let store = ServerStore::open(data)?;
    let mut options = ServeOptions::new(args.listen.unwrap_or(store.config().listen));
    options.metrics = match &args.metrics {
        Some(address) => beatbook_server::Config::parse_metrics(address)?,
        None => store.config().metrics_address()?,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failed::Runtime)?;
    runtime.block_on(serve_until_signal(store, options, json, io))
}

async fn serve_until_signal(
    store: ServerStore,
    options: ServeOptions,
    json: bool,
    io: &mut Io,
) -> Result<(), Failed> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Failed::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failed::Runtime)?;
    let server = Server::start(store.clone(), options).await?;
    let held = store.clone();
    let door = control::serve(store.store(), move |request, reply| answer(&held, request, reply))?;
    let listen = server.local_addr();
    let metrics = server.metrics_addr();
    if json {
        io.object(&json!({ "listen": listen, "metrics": metrics }))?;
    } else {
        let metrics = metrics.map_or_else(String::new, |address| {
            format!(", metrics on http://{address}/metrics")
        });
        io.line(format!("listening on {listen}{metrics}"))?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    // Commands that come now open the store themselves once it is closed.
    tokio::task::spawn_blocking(move || drop(door))
        .await
        .map_err(|error| Failed::Runtime(error.into()))?;
    Ok(server.stop().await?)
}

/// Runs a command that came through the door.
fn answer(store: &ServerStore, request: &Request, reply: &Reply) -> u8 {
    let mut io = Io::of(request, reply);
    let typed = std::iter::once("beatbookd").chain(request.arguments.iter().map(String::as_str));
    match Args::try_parse_from(typed) {
        Ok(args) => match commands::run(store, args.command, args.json, &mut io) {
            Ok(()) => 0,
            Err(error) => output::fail(&mut io, &error),
        },
        Err(error) => {
            io.say(error.to_string());
            2
        }
    }
}
