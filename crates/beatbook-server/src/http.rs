//! Health and metrics over HTTP, for the machine's own monitoring.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::store::ServerStore;

/// What the pages are made from.
#[derive(Clone, Debug)]
struct Pages {
    store: ServerStore,
    ready: Arc<AtomicBool>,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `stop` turns true.
pub(crate) async fn serve(
    address: SocketAddr,
    store: ServerStore,
    ready: Arc<AtomicBool>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(Pages { store, ready });
    let task = tokio::spawn(async move {
        let stopped = async move {
            // A sender that is gone means the same.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, router)
            .with_graceful_shutdown(stopped)
            .await
        {
            tracing::error!(%error, "health and metrics are no longer served");
        }
    });
    Ok((address, task))
}

/// The process runs and its runtime turns.
async fn health() -> &'static str {
    "ok\n"
}

/// The store is open and writable, the port bound, and the server is not about to stop.
async fn readiness(State(pages): State<Pages>) -> impl IntoResponse {
    if !pages.ready.load(Ordering::Acquire) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    let store = pages.store;
    // A read fails where the store has latched shut or was closed.
    let open = tokio::task::spawn_blocking(move || {
        store.read(|read| beatbook_core::server::epochs(read).map(|epochs| epochs.is_some()))
    });
    match open.await {
        Ok(Ok(true)) => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the store is not open\n"),
    }
}

async fn metrics(State(pages): State<Pages>) -> impl IntoResponse {
    let metrics = pages.store.metrics();
    let frames = i64::try_from(pages.store.store().sequence()).unwrap_or(i64::MAX);
    metrics.journal_frames.set(frames);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], metrics.render())
}
