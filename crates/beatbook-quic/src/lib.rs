//! Carries frames over QUIC: endpoints, mutual TLS identity, enrolment.
//!
//! Knows nothing of records or sessions: it moves the bytes of whole frames between two parties that
//! have proved who they are. The only crate that names quinn, rustls and rcgen; none of their types
//! leaves it.
//!
//! A server has one UDP port and two protocols on it: `beatbook/1` for sessions, where both sides show
//! a certificate of the force's own authority, and `beatbook-enrol/1`, where a device that has no
//! certificate yet shows a one-time token and asks for one.
//!
//! ```
//! use beatbook_quic::{Authority, Dialer, Limits, Listener, Accepted, Validity};
//! use beatbook_quic::{ClientIdentity, DeviceKey, ServerAddress};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
//! let authority = Authority::create("52", Validity::authority(now_s))?;
//! let server = authority.issue_server(&["127.0.0.1"], Validity::server(now_s))?;
//! let mut listener = Listener::bind("127.0.0.1:0".parse()?, &server, Limits::default())?;
//!
//! let key = DeviceKey::generate()?;
//! let enrolment = uuid::Uuid::from_u128(7);
//! let certificate = authority.issue_device(&key.request()?, enrolment, Validity::device(now_s))?;
//! let identity = ClientIdentity::new(key, vec![certificate], authority.certificate().to_vec())?;
//! let dialer = Dialer::new(identity)?;
//!
//! let address = ServerAddress::from(listener.local_addr());
//! let device = dialer.dial(&address).await?;
//! let Some(Accepted::Session(session)) = listener.accept().await else { panic!("no session") };
//! assert_eq!(session.peer().enrolment, enrolment);
//!
//! let (mut to_server, _from_server) = device.open_frames().await?;
//! to_server.send(vec![0, 0, 0, 2, 1, 1, b'h', b'i']).await?;
//! let (_to_device, mut from_device) = session.accept_frames().await?;
//! let frame = from_device.recv().await?.expect("one frame");
//! assert_eq!(frame.payload(), b"hi");
//! # Ok(())
//! # }
//! ```

mod client;
mod close;
mod connection;
mod enrol;
#[cfg(test)]
mod fixtures;
mod frames;
mod identity;
mod limits;
mod reset;
mod server;
mod tls;
mod token;

pub use client::{DialError, DialOptions, Dialer, ServerAddress, ServerAddressError};
pub use close::{Closed, codes};
pub use connection::{Connection, Session, Traffic};
pub use enrol::{ENROL_BYTES_MAX, EnrolError, EnrolExchange, EnrolReplyError, Grant, Refusal, enrol};
pub use frames::{Assembly, FrameReceiver, FrameSender, RawFrame, RecvError, SendError};
pub use identity::{
    Authority, ClientIdentity, DeviceKey, DevicePublicKey, Fingerprint, IdentityError, PeerIdentity, Pin,
    ServerIdentity, Validity,
};
pub use limits::Limits;
pub use server::{Accepted, BindError, Listener, ListenerCounts};
pub use token::{Secret, Token, TokenError};
