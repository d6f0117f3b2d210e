//! A force's data folder: keys, settings and the store, opened together.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use beatbook_core::ledger::LedgerError;
use beatbook_core::server;
use beatbook_core::store::{Durable, Read, StoreError, Transaction};
use beatbook_proto::{EpochId, PublicKey, Signer};
use beatbook_quic::Pin;
use beatbook_records::schema::Form;
use beatbook_store_sled::{AnchorPlace, Options, Store, Unlock};
use tokio::sync::watch;

use crate::config::{self, Config, ConfigError};
use crate::keys::{self, Keys, KeysError};
use crate::metrics::Metrics;

/// What `init` makes a data folder with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InitOptions {
    /// The folder; it must not exist.
    pub data: PathBuf,
    /// The settings that are written.
    pub config: Config,
}

impl InitOptions {
    /// The defaults for a force.
    pub fn new(data: impl Into<PathBuf>, force: &str, name: &str) -> Self {
        Self {
            data: data.into(),
            config: Config::new(force, name),
        }
    }
}

/// An open data folder. Clones are the same; one process has it open at a time.
///
/// Its calls block: on an async runtime they belong on a thread of their own.
#[derive(Clone)]
pub struct ServerStore {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    keys: Keys,
    config: Config,
    data: PathBuf,
    register: watch::Sender<u64>,
    metrics: Metrics,
}

impl ServerStore {
    /// Makes a data folder: keys, an empty store, settings. It is put in place whole or not at all.
    pub fn init(options: &InitOptions) -> Result<Self, InitError> {
        let InitOptions { data, config } = options;
        if data.exists() {
            return Err(InitError::Exists { path: data.clone() });
        }
        if Form::Force.check(&config.force).is_err() {
            return Err(InitError::Force {
                force: config.force.clone(),
            });
        }
        let keys = Keys::create(&config.force, now_s())?;
        let aside = aside(data, "making")?;
        let made = make(&aside, config, &keys).and_then(|()| {
            put_in_place(&aside, data).map_err(|error| InitError::Io {
                path: data.clone(),
                source: error,
            })
        });
        if let Err(error) = made {
            // What was not finished is of no use.
            let _ = fs::remove_dir_all(&aside);
            return Err(error);
        }
        Ok(Self::open(data)?)
    }

    /// Opens a data folder.
    pub fn open(data: impl AsRef<Path>) -> Result<Self, OpenError> {
        let data = data.as_ref();
        let config = Config::read(data)?;
        let keys = Keys::read(&data.join(KEYS))?;
        let unlock = Unlock::Keystore(keys.store.clone());
        let (store, report) = Store::open(Self::store_dir(data), &unlock, store_options())?;
        if let Some(rebuilt) = &report.rebuilt {
            tracing::warn!(why = %rebuilt.why, lost_before = ?rebuilt.lost_before, "the index was made anew");
        }
        tracing::info!(
            sequence = report.sequence,
            replayed = report.replayed,
            cut_bytes = report.cut_bytes,
            "store open"
        );
        for mended in &report.mended {
            tracing::warn!(file = %mended.file.display(), what = %mended.what, source = mended.source.as_str(), "mended");
        }
        if report.lost {
            begin_anew(&store)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                keys,
                config,
                data: data.to_owned(),
                register: watch::Sender::new(0),
                metrics: Metrics::default(),
            }),
        })
    }

    /// Where the store of a data folder is: the folder whose holder is asked over its control socket.
    pub fn store_dir(data: impl AsRef<Path>) -> PathBuf {
        data.as_ref().join(STORE)
    }

    /// Makes the store durable and closes it. Other clones get errors from here on.
    pub fn close(self) -> Result<(), StoreError> {
        self.inner.store.clone().close()
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.inner.data
    }

    /// The store itself.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The key that receipts are checked with.
    pub fn receipt_key(&self) -> PublicKey {
        self.inner.keys.receipts.public_key()
    }

    /// What tokens pin of the force's authority.
    pub fn pin(&self) -> Pin {
        self.inner.keys.authority.fingerprint().pin()
    }

    /// The name of the file with the recovery key, which opens this force's backups.
    pub fn recovery_file(&self) -> String {
        keys::recovery_name(&self.inner.keys.recovery)
    }

    /// Writes the recovery key to a file for keeping elsewhere. The file must not exist.
    pub fn write_recovery_key(&self, path: &Path) -> Result<(), KeysError> {
        keys::write_secret(path, keys::hex(self.inner.keys.recovery.as_slice()).as_bytes())?;
        sync_parent(path).map_err(|error| KeysError::io(path, error))
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Wakes whoever decides by the register: somebody's rights may have changed.
    pub(crate) fn register_changed(&self) {
        self.inner.register.send_modify(|generation| *generation += 1);
    }

    pub(crate) fn register_changes(&self) -> watch::Receiver<u64> {
        self.inner.register.subscribe()
    }

    pub(crate) fn read<T>(&self, f: impl FnOnce(&dyn Read) -> T) -> T {
        self.inner.store.read(f)
    }

    pub(crate) fn commit<T, E>(
        &self,
        job: impl FnOnce(&mut Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.inner.store.commit(job).map(Durable::into_inner)
    }
}

impl std::fmt::Debug for ServerStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerStore")
            .field("data", &self.inner.data)
            .finish_non_exhaustive()
    }
}

/// Why a data folder was not made. Nothing was left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is something already.
    #[error("{} exists already; nothing was changed, choose another folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The force code is none.
    #[error("{force} is not a force code; give the two digits, such as 52")]
    Force {
        /// What was given.
        force: String,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The keys could not be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The first epoch could not be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was made does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Why a data folder does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// What a repair lost could not be dealt with.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] beatbook_store_sled::OpenError),
}

/// Begins a new life of the log after a repair that lost something, so that devices send again what they hold.
fn begin_anew(store: &Store) -> Result<(), OpenError> {
    let epoch = fresh_epoch()?;
    tracing::warn!(%epoch, "a repair lost something: a new epoch begins, devices send again what they hold");
    store.commit(move |tx| server::mint_epoch(tx, epoch))?;
    // Only then: a crash in between begins anew once more.
    store.adopt_anchor().map_err(LedgerError::from)?;
    Ok(())
}

fn make(dir: &Path, config: &Config, keys: &Keys) -> Result<(), InitError> {
    keys.write(&dir.join(KEYS))?;
    let unlock = Unlock::Keystore(keys.store.clone());
    let (store, _) =
        Store::create(ServerStore::store_dir(dir), &unlock, store_options()).map_err(OpenError::from)?;
    let epoch = fresh_epoch()?;
    store.commit(move |tx| server::mint_epoch(tx, epoch))?;
    store.close().map_err(LedgerError::from)?;
    write_config(dir, config)
}

/// Writes the settings: last, because a folder with them counts as made.
pub(crate) fn write_config(dir: &Path, config: &Config) -> Result<(), InitError> {
    let path = dir.join(config::FILE);
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(config.render().as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| InitError::Io { path, source })
}

/// Gives a data folder that was made aside its name, durably: whoever is told of it may rely on it.
pub(crate) fn put_in_place(aside: &Path, data: &Path) -> io::Result<()> {
    File::open(aside)?.sync_all()?;
    fs::rename(aside, data)?;
    sync_parent(data)
}

/// Makes the name of a file or folder durable.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// An empty folder beside `data` that only the owner may enter.
pub(crate) fn aside(data: &Path, word: &str) -> Result<PathBuf, InitError> {
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{word}"));
    let aside = data.with_file_name(name);
    let io = |source| InitError::Io {
        path: aside.clone(),
        source,
    };
    match fs::remove_dir_all(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(&aside).map_err(io)?;
    Ok(aside)
}

pub(crate) fn store_options() -> Options {
    Options {
        // A server has no second place that a copy of its disk would not take along; its backups have epochs instead.
        anchor: AnchorPlace::Nowhere,
        cache_bytes: 128 << 20,
        checkpoint_bytes: 16 << 20,
        ..Options::default()
    }
}

/// A name for a new life of the log.
pub(crate) fn fresh_epoch() -> Result<EpochId, KeysError> {
    Ok(EpochId::from(fresh_id()?))
}

/// A random UUID.
pub(crate) fn fresh_id() -> Result<uuid::Uuid, KeysError> {
    Ok(uuid::Builder::from_random_bytes(*keys::random::<16>()?).into_uuid())
}

/// The server's clock, milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The server's clock, seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

pub(crate) const KEYS: &str = "keys";
pub(crate) const STORE: &str = "store";
