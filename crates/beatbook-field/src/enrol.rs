//! Enrolment: a token becomes a notebook. Killed at any point, the same command can be given again.
//!
//! The store is made aside, with the key that is asked for, before the token is used. So a token whose answer was lost
//! is tried again with the same key, and the notebook gets its name only when it is whole.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use beatbook_core::register::EnrolledAs;
use beatbook_core::store::StoreError;
use beatbook_proto::{Hash, codec};
use beatbook_quic::{DeviceKey, Grant, IdentityError, Token};
use beatbook_store_sled::{AnchorPlace, OpenReport, Options, Store, Unlock};

use crate::identity::{Credentials, Enrolled, Pending};
use crate::notebook::{Notebook, OpenError};

/// Why a device was not enrolled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// There is a notebook already: open it, or choose another folder.
    #[error("{} holds a notebook already; open it, or choose another folder", path.display())]
    AlreadyEnrolled {
        /// The folder.
        path: PathBuf,
    },
    /// The key could not be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The server enrolled the device, and what it sent could not be kept.
    #[error(
        "the server enrolled this device, but it could not be kept here ({source}); mend that and give the same token again, and if it is refused as used ask for another"
    )]
    NotKept {
        /// What went wrong.
        source: Box<OpenError>,
    },
    /// The store could not be made. The token was not used.
    #[error("{0}; the token was not used")]
    Open(#[from] OpenError),
    /// What the server sent along cannot be read. Update the app, and ask for another token.
    #[error("the server's answer cannot be read by this app; update it and ask for another token")]
    Payload,
    /// The server was not reached, or refused.
    #[error(transparent)]
    Refused(#[from] beatbook_quic::EnrolError),
    /// The task was broken off by the runtime.
    #[error("the enrolment was broken off; give the same token again")]
    Stopped,
}

impl Notebook {
    /// Enrols this device with a one-time token, and makes its notebook at `path`.
    ///
    /// Dropping the future, or a kill, leaves nothing half done: give the same token again.
    pub async fn enrol(
        path: impl AsRef<Path>,
        unlock: &Unlock,
        options: Options,
        token: &Token,
    ) -> Result<Self, EnrolError> {
        let making = Making {
            path: path.as_ref().to_path_buf(),
            unlock: unlock.clone(),
            options,
            token: Hash::of(TOKEN_DOMAIN, &[&token.secret().digest()]),
        };
        let (making, made) = blocking(move || {
            let made = making.begin();
            (making, made)
        })
        .await?;
        let made = match made? {
            Begun::Whole(book) => return Ok(*book),
            Begun::Asking(made) => *made,
        };
        let grant = beatbook_quic::enrol(token, &made.key.request()?, ENROL_TIMEOUT).await?;
        let told: EnrolledAs = codec::decode(&grant.extra).map_err(|_| EnrolError::Payload)?;
        let server = token.address().clone();
        blocking(move || making.end(made, grant, told, server)).await?
    }
}

/// The enrolment of one notebook.
struct Making {
    path: PathBuf,
    unlock: Unlock,
    options: Options,
    token: Hash,
}

/// A store made aside, and the key to ask for.
struct Made {
    store: Store,
    report: OpenReport,
    key: DeviceKey,
}

enum Begun {
    Asking(Box<Made>),
    /// An earlier try with the same token got as far as everything but the name.
    Whole(Box<Notebook>),
}

impl Making {
    fn begin(&self) -> Result<Begun, EnrolError> {
        if Store::exists(&self.path) {
            return Err(EnrolError::AlreadyEnrolled {
                path: self.path.clone(),
            });
        }
        // Found out before the token is used, not when the notebook is to get its name.
        if fs::read_dir(&self.path).is_ok_and(|mut inside| inside.next().is_some()) {
            let path = self.path.clone();
            return Err(OpenError::Open(beatbook_store_sled::OpenError::AlreadyExists { path }).into());
        }
        if let Some(begun) = self.go_on()? {
            return Ok(begun);
        }
        let aside = aside(&self.path);
        let options = options_aside(&self.path, &self.options);
        let (store, report) = Store::create(&aside, &self.unlock, options).map_err(OpenError::from)?;
        let key = DeviceKey::generate()?;
        let pending = Pending::new(self.token, &key);
        store
            .commit(move |tx| pending.save(tx))
            .map_err(OpenError::from)?;
        Ok(Begun::Asking(Box::new(Made { store, report, key })))
    }

    /// Takes up what an earlier try with the same token left; clears away what another one left.
    fn go_on(&self) -> Result<Option<Begun>, EnrolError> {
        let aside = aside(&self.path);
        let opened = match Store::exists(&aside) {
            true => Store::open(&aside, &self.unlock, options_aside(&self.path, &self.options)),
            false => return Ok(clear(&aside).map(|()| None)?),
        };
        let (store, report) = match opened {
            Ok(opened) => opened,
            Err(error @ beatbook_store_sled::OpenError::Locked { .. }) => {
                return Err(OpenError::from(error).into());
            }
            // Nobody has written in it: a store that was never whole is made again.
            Err(_) => return Ok(clear(&aside).map(|()| None)?),
        };
        let pending = store.read(Pending::load).map_err(OpenError::from)?;
        let enrolled = store.read(Enrolled::load).map_err(OpenError::from)?;
        match pending {
            None if enrolled.is_some() => {
                put_in_place(&self.path, store)?;
                let book = Notebook::open(&self.path, &self.unlock, self.options.clone())?;
                Ok(Some(Begun::Whole(Box::new(book))))
            }
            Some(pending) if pending.token == self.token => {
                let key = pending.key()?;
                Ok(Some(Begun::Asking(Box::new(Made { store, report, key }))))
            }
            _ => {
                drop(store);
                Ok(clear(&aside).map(|()| None)?)
            }
        }
    }

    fn end(
        self,
        made: Made,
        grant: Grant,
        told: EnrolledAs,
        server: beatbook_quic::ServerAddress,
    ) -> Result<Notebook, EnrolError> {
        let not_kept = |source: OpenError| EnrolError::NotKept {
            source: Box::new(source),
        };
        let enrolled = Enrolled::new(&Credentials {
            told,
            key: made.key,
            chain: grant.chain,
            authority: grant.authority,
            server,
        })?;
        crate::notebook::found(&made.store, &made.report, enrolled).map_err(not_kept)?;
        put_in_place(&self.path, made.store).map_err(not_kept)?;
        Notebook::open(&self.path, &self.unlock, self.options).map_err(not_kept)
    }
}

/// Gives a whole notebook that was made aside its name, if there is one.
pub(crate) fn finish(path: &Path, unlock: &Unlock, options: &Options) -> Result<(), OpenError> {
    let aside = aside(path);
    if Store::exists(path) || !Store::exists(&aside) {
        return Ok(());
    }
    let (store, _) = Store::open(&aside, unlock, options_aside(path, options))?;
    if store.read(Enrolled::load)?.is_none() {
        return Err(OpenError::NotEnrolled);
    }
    put_in_place(path, store)
}

/// Where a notebook is made.
pub(crate) fn aside(path: &Path) -> PathBuf {
    beside(path, ".enrolling")
}

fn put_in_place(path: &Path, store: Store) -> Result<(), OpenError> {
    store.close()?;
    let failed = |source| {
        OpenError::Open(beatbook_store_sled::OpenError::Io {
            path: path.to_path_buf(),
            source,
        })
    };
    fs::rename(aside(path), path).map_err(failed)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = fs::File::open(parent.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(failed)
}

/// The device's secret and the anchor are those of the notebook to be, so that a rename is all there is left to do.
fn options_aside(path: &Path, options: &Options) -> Options {
    let mut options = options.clone();
    options
        .device_secret
        .get_or_insert_with(|| beside(path, ".secret"));
    if options.anchor == AnchorPlace::Beside {
        options.anchor = AnchorPlace::At(beside(path, ".anchor"));
    }
    options
}

fn clear(aside: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(aside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(OpenError::Open(beatbook_store_sled::OpenError::Io {
                path: aside.to_path_buf(),
                source: error,
            }))
        }
        _ => Ok(()),
    }
}

/// The file beside a folder that takes `suffix`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.components().as_path().as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Result<T, EnrolError> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(|_| EnrolError::Stopped)
}

impl From<StoreError> for EnrolError {
    fn from(error: StoreError) -> Self {
        Self::Open(error.into())
    }
}

/// Time for the whole exchange with the server.
const ENROL_TIMEOUT: Duration = Duration::from_secs(30);
const TOKEN_DOMAIN: &str = "beatbook 2026-11 enrolment under way v1";

#[cfg(test)]
mod tests;
