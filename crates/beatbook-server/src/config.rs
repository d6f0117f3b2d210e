//! The file `beatbookd.toml`: who the force is and where the server listens.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use beatbook_quic::ServerAddress;
use serde::Deserialize;

/// What `beatbookd.toml` says. Every value but force and name may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The force's two-digit code.
    pub force: String,
    /// The force's name.
    pub name: String,
    /// Where devices are heard.
    #[serde(default = "listen_default")]
    pub listen: SocketAddr,
    /// What devices dial, if it is not `listen`.
    #[serde(default)]
    pub address: Option<String>,
    /// Where health and metrics are served, or `off`.
    #[serde(default = "metrics_default")]
    pub metrics: String,
    /// How long a device's certificate holds. The register decides on every session besides.
    #[serde(default = "certificate_days_default")]
    pub certificate_days: u64,
    /// How long a new token may be used.
    #[serde(default = "token_minutes_default")]
    pub token_minutes: u32,
}

impl Config {
    /// The defaults for a force.
    pub fn new(force: &str, name: &str) -> Self {
        Self {
            force: force.to_owned(),
            name: name.to_owned(),
            listen: listen_default(),
            address: None,
            metrics: metrics_default(),
            certificate_days: certificate_days_default(),
            token_minutes: token_minutes_default(),
        }
    }

    /// Reads the file of a data folder.
    pub fn read(data: &Path) -> Result<Self, ConfigError> {
        let path = data.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
            path: path.clone(),
            source,
        })?;
        Self::parse(&text).map_err(|error| ConfigError::Malformed {
            path,
            what: error.message().to_owned(),
            line: error.span().map_or(0, |span| line_of(&text, span.start)),
        })
    }

    /// Where devices dial: the configured address, else the address listened on.
    pub fn dial_address(&self) -> Result<ServerAddress, ConfigError> {
        match &self.address {
            Some(address) => address.parse().map_err(|_| ConfigError::Address {
                address: address.clone(),
            }),
            None if self.listen.ip().is_unspecified() || self.listen.port() == 0 => {
                Err(ConfigError::NoAddress)
            }
            None => Ok(self.listen.into()),
        }
    }

    /// Where health and metrics are served, if they are.
    pub fn metrics_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        Self::parse_metrics(&self.metrics)
    }

    /// Reads an address for metrics, or `off`.
    pub fn parse_metrics(text: &str) -> Result<Option<SocketAddr>, ConfigError> {
        if text == "off" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| ConfigError::Metrics {
            address: text.to_owned(),
        })
    }

    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The file with a comment for every value.
    pub(crate) fn render(&self) -> String {
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let address = match &self.address {
            Some(address) => format!("address = {}", quoted(address)),
            None => "# address = \"sync.force.example:4433\"".to_owned(),
        };
        format!(
            "# Settings of beatbookd. Change them here and restart `beatbookd serve`.\n\
             \n\
             # The force's two-digit code and its name, as devices show them.\n\
             force = {force}\n\
             name = {name}\n\
             \n\
             # Where devices are heard: QUIC, over UDP.\n\
             listen = {listen}\n\
             \n\
             # What devices dial; it goes into enrolment tokens. Needed where it is not `listen`.\n\
             {address}\n\
             \n\
             # Where /healthz, /readyz and /metrics are served, or \"off\". Keep it on the loopback.\n\
             metrics = {metrics}\n\
             \n\
             # How long a device's certificate holds. A device that is revoked is refused at once all the same.\n\
             certificate_days = {days}\n\
             \n\
             # How long a new enrolment token may be used.\n\
             token_minutes = {minutes}\n",
            force = quoted(&self.force),
            name = quoted(&self.name),
            listen = quoted(&self.listen.to_string()),
            metrics = quoted(&self.metrics),
            days = self.certificate_days,
            minutes = self.token_minutes,
        )
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The address for devices is none.
    #[error("{address} is not an address that a device can dial; write it as HOST:PORT")]
    Address {
        /// What was given.
        address: String,
    },
    /// The file does not read.
    #[error("{} line {line}: {what}; correct the file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// In which line.
        line: usize,
    },
    /// The metrics address is none.
    #[error("{address} is not an address for metrics; write it as 127.0.0.1:9464, or off")]
    Metrics {
        /// What was given.
        address: String,
    },
    /// The server listens on every address, so nobody knows which of them devices dial.
    #[error("what devices dial is not known: set `address` in beatbookd.toml, or give --address HOST:PORT")]
    NoAddress,
    /// The file cannot be read.
    #[error("{}: {source}; run `beatbookd init` first, or name another folder", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn listen_default() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 4433))
}

fn metrics_default() -> String {
    "127.0.0.1:9464".to_owned()
}

fn certificate_days_default() -> u64 {
    730
}

fn token_minutes_default() -> u32 {
    15
}

pub(crate) const FILE: &str = "beatbookd.toml";
