//! The world of the demonstration: a force with its server, the network, and the devices of three officers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use beatbook_field::{Notebook, Options, SyncAgent, Token, Unlock};
use beatbook_server::{InitOptions, NewBeat, NewOfficer, ServeOptions, Server, ServerStore};

use super::relay::Relay;
use crate::error::Failure;

/// A device: its notebook, and the agent that syncs it by itself.
pub(crate) struct Device {
    /// What it is called in the story.
    pub(crate) name: &'static str,
    /// The notebook.
    pub(crate) book: Notebook,
    agent: SyncAgent,
}

/// Everything at once.
pub(crate) struct World {
    /// Where it all lies.
    pub(crate) folder: PathBuf,
    /// The server.
    pub(crate) server: Server,
    relay: Relay,
    /// The phone of PCSO 9123.
    pub(crate) phone: Device,
    /// The laptop of the same officer.
    pub(crate) laptop: Device,
    /// The phone of PCSO 9140.
    pub(crate) colleague: Device,
    /// The desk of Sergeant 214.
    pub(crate) desk: Device,
}

impl World {
    /// Builds a force of three officers, starts its server and enrols four devices with tokens that it issued.
    pub(crate) async fn build(folder: &Path) -> Result<Self, Failure> {
        let data = folder.join("force");
        let store = blocking(move || -> Result<ServerStore, Failure> {
            let store =
                ServerStore::init(&InitOptions::new(data, FORCE, "Avon and Somerset")).map_err(broke)?;
            store
                .import_beats(&[
                    NewBeat::new("WS01", "Dulverton", "West Somerset"),
                    NewBeat::new("WS02", "Minehead sea front", "West Somerset"),
                ])
                .map_err(broke)?;
            for (collar, name, role) in [
                ("9123", "Sam Pike", "PCSO"),
                ("9140", "Jo Ashby", "PCSO"),
                ("214", "Ros Hale", "SGT"),
            ] {
                store
                    .add_officer(&NewOfficer::new(collar, name, role).on_beats(["WS01", "WS02"]))
                    .map_err(broke)?;
            }
            Ok(store)
        })
        .await??;
        let server = Server::start(store, ServeOptions::loopback())
            .await
            .map_err(broke)?;
        let relay = Relay::start(server.local_addr()).await?;
        let enrol =
            async |name: &'static str, collar: &str| enrol(&server, &relay, folder, name, collar).await;
        Ok(Self {
            phone: enrol("phone", "9123").await?,
            laptop: enrol("laptop", "9123").await?,
            colleague: enrol("colleague", "9140").await?,
            desk: enrol("desk", "214").await?,
            folder: folder.to_owned(),
            server,
            relay,
        })
    }

    /// Every device.
    pub(crate) fn devices(&self) -> [&Device; 4] {
        [&self.phone, &self.laptop, &self.colleague, &self.desk]
    }

    /// Cuts the network for everybody, or restores it; devices are told as their system would tell them.
    pub(crate) fn coverage(&self, there: bool) {
        self.relay.cut(!there);
        for device in self.devices() {
            device.agent.network_available(there);
        }
    }

    /// Bytes that passed over the network, up and down.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        self.relay.bytes()
    }

    /// A token for one more device, which dials the server itself.
    pub(crate) async fn token(&self, collar: &'static str) -> Result<String, Failure> {
        let (store, address) = (self.server.store().clone(), self.server.local_addr().into());
        let issued = blocking(move || store.issue_device(collar, "demonstration", &address, None)).await?;
        Ok(issued.map_err(broke)?.token.to_string())
    }

    /// Ends the devices, and leaves the server and the network running.
    pub(crate) async fn put_devices_away(self) -> Result<Served, Failure> {
        for device in [self.phone, self.laptop, self.colleague, self.desk] {
            device.agent.stop().await;
            blocking(move || device.book.close()).await?.map_err(broke)?;
        }
        Ok(Served {
            server: self.server,
            _relay: self.relay,
        })
    }
}

/// What goes on without the devices of the story: they can still be opened, and dial the network they were enrolled by.
pub(crate) struct Served {
    /// The server.
    pub(crate) server: Server,
    _relay: Relay,
}

impl Device {
    /// Waits until `wanted` holds of the notebook.
    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&Notebook) -> bool + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let wanted = std::sync::Arc::new(wanted);
        let mut events = self.book.events();
        let waited = tokio::time::timeout(DEADLINE, async {
            loop {
                let wanted = wanted.clone();
                if self.book.off_thread(move |book| wanted(book)).await == Some(true) {
                    return;
                }
                // Whatever happens may be it; some of it happens without an event.
                let _ = tokio::time::timeout(LOOK_AGAIN, events.recv()).await;
            }
        });
        waited.await.map_err(|_| {
            let coverage = self.book.coverage().borrow().word();
            Failure::Demo(format!(
                "{}: {what} did not come true in {DEADLINE:?} ({coverage})",
                self.name
            ))
        })
    }

    /// Runs a blocking call on the notebook.
    pub(crate) async fn on<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Notebook) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let done = self.book.off_thread(call).await;
        done.unwrap_or_else(|| Err(Failure::Demo(format!("{}: a call was broken off", self.name))))
    }
}

/// Ends the server. Every device has gone by then; sessions that a cut left behind are not waited for.
pub(crate) async fn close(served: Served) -> Result<(), Failure> {
    let store = served.server.store().clone();
    drop(served);
    blocking(move || store.close()).await?.map_err(broke)
}

async fn enrol(
    server: &Server,
    relay: &Relay,
    folder: &Path,
    name: &'static str,
    collar: &str,
) -> Result<Device, Failure> {
    let (store, address, collar) = (server.store().clone(), relay.address().into(), collar.to_owned());
    let issued = blocking(move || store.issue_device(&collar, name, &address, None))
        .await?
        .map_err(broke)?;
    // As typed: the token goes from one program to the other as text.
    let token: Token = issued.token.to_string().parse().map_err(broke)?;
    let unlock = Unlock::pin(PIN);
    let book = Notebook::enrol(folder.join(name), &unlock, Options::default(), &token)
        .await
        .map_err(|error| Failure::Enrol(Box::new(error)))?;
    let agent = SyncAgent::spawn(book.clone());
    Ok(Device { name, book, agent })
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(call).await.map_err(broke)
}

/// Something that has no business to fail here.
pub(crate) fn broke(error: impl std::fmt::Display) -> Failure {
    Failure::Demo(error.to_string())
}

/// The force of the demonstration.
pub(crate) const FORCE: &str = "52";
/// The PIN of every device in it.
pub(crate) const PIN: &str = "271828";
const DEADLINE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
