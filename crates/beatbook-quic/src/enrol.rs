//! Enrolment: a device without a certificate shows a one-time token and asks for one.
//!
//! One stream, one request, one reply, each at most [`ENROL_BYTES_MAX`]. The device knows the server by
//! the pin in the token before it shows the secret; the server knows by the request's signature that
//! the device holds the key. Whether the token is good is for the server shell to decide.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use beatbook_proto::codec::{self, CodecError};
use beatbook_proto::{Bytes, List};
use quinn::{ReadToEndError, VarInt};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use zeroize::{Zeroize, Zeroizing};

use crate::client::{DialError, DialOptions, dial};
use crate::close::{Closed, codes};
use crate::identity::{DevicePublicKey, IdentityError, PeerIdentity, requested_key};
use crate::tls::{self, PinVerifier};
use crate::token::{Secret, Token};

/// Asks the server that the token names for a certificate for the key of `request` (see
/// [`crate::DeviceKey::request`]).
///
/// On any error the token may be tried again, unless the server said that it is used.
pub async fn enrol(token: &Token, request: &[u8], limit: Duration) -> Result<Grant, EnrolError> {
    timeout(limit, exchange(token, request, limit))
        .await
        .unwrap_or(Err(EnrolError::Dial(DialError::TimedOut)))
}

async fn exchange(token: &Token, request: &[u8], limit: Duration) -> Result<Grant, EnrolError> {
    let key = requested_key(request)?;
    let verifier = Arc::new(PinVerifier::new(token.pin()));
    let crypto = Arc::new(tls::enrolling(verifier.clone(), &tls::system_clock())?);
    let options = DialOptions {
        timeout: limit,
        ..DialOptions::default()
    };
    let (quinn, endpoint) = dial(crypto, token.address(), options).await?;
    let asked = Request {
        secret: *token.secret().as_bytes(),
        request: Bytes(request.to_vec()),
    };
    let reply = ask(&quinn, &asked).await;
    quinn.close(VarInt::from_u32(codes::ENROLMENT_DONE), b"done");
    let checked = reply.and_then(|reply| match reply {
        Reply::Granted(granted) => granted.into_grant(&verifier, &key),
        Reply::Refused(refusal) => Err(EnrolError::Refused(refusal)),
    });
    // The server waits for the close to know that its reply has come; nothing more is at stake.
    let _ = timeout(FAREWELL_TIMEOUT, endpoint.wait_idle()).await;
    checked
}

async fn ask(quinn: &quinn::Connection, asked: &Request) -> Result<Reply, EnrolError> {
    let bytes = Zeroizing::new(encode(asked).map_err(|_| EnrolError::RequestTooLarge)?);
    let (mut send, mut recv) = quinn.open_bi().await.map_err(Closed::from)?;
    send.write_all(&bytes).await.map_err(|_| closed(quinn))?;
    // A stream that was just opened can be finished.
    let _ = send.finish();
    match recv.read_to_end(ENROL_BYTES_MAX).await {
        Ok(bytes) => codec::decode(&bytes).map_err(|_| EnrolError::ReplyMalformed),
        Err(ReadToEndError::TooLong) => Err(EnrolError::ReplyMalformed),
        Err(ReadToEndError::Read(_)) => Err(closed(quinn).into()),
    }
}

/// Why the connection ended; a stream that ended before it is the server's doing too.
fn closed(quinn: &quinn::Connection) -> Closed {
    quinn.close_reason().map_or(Closed::Lost, Closed::from)
}

/// What a device receives when it is enrolled.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// The device's certificate first, DER, then any that lead to the authority's.
    pub chain: Vec<Vec<u8>>,
    /// The authority's certificate, DER.
    pub authority: Vec<u8>,
    /// What the server shell sends along: opaque here.
    pub extra: Vec<u8>,
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("certificates", &self.chain.len())
            .field("extra_bytes", &self.extra.len())
            .finish_non_exhaustive()
    }
}

/// Why a server does not enrol. On the wire the order counts: it only grows at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The server knows no such token.
    #[error("the server does not know this token; check it, or ask for a new one")]
    WrongToken,
    /// The token's time is over.
    #[error("the token has expired; ask for a new one")]
    Expired,
    /// The token has enrolled a device already.
    #[error(
        "the token has been used already; ask for a new one, and tell whoever issued it if it was not you"
    )]
    Used,
    /// Too many wrong tokens came from there.
    #[error("too many wrong tokens were tried; wait, then ask for a new one")]
    TooManyTries,
    /// The server could not do it.
    #[error("the server could not enrol this device for a reason of its own; try again later")]
    Internal,
    /// The certificate request is damaged or not signed by its own key.
    #[error("the server could not read the certificate request; update the app and try again")]
    BadRequest,
}

/// Why a device was not enrolled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolError {
    /// The connection ended before the reply.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The server was not reached, or is not the one that the token pins.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// Our key or certificate request does not work.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The server refused.
    #[error(transparent)]
    Refused(Refusal),
    /// The server's reply cannot be read. Update the app.
    #[error("the server's reply cannot be read; update the app and try again")]
    ReplyMalformed,
    /// The certificate in the reply is for another key or of another authority. Do not use this server.
    #[error("the server sent a certificate that is not for this device; tell the force's administrator")]
    ReplyUntrusted,
    /// The certificate request is too long to send.
    #[error("the certificate request is too long to send")]
    RequestTooLarge,
}

/// A device that asks to be enrolled, at the server. Answer it with [`EnrolExchange::grant`] or
/// [`EnrolExchange::refuse`]; dropping it leaves the device without an answer.
pub struct EnrolExchange {
    quinn: quinn::Connection,
    send: quinn::SendStream,
    secret: Secret,
    request: Vec<u8>,
    key: DevicePublicKey,
}

impl EnrolExchange {
    /// Reads the request. A request that is not signed by its own key is answered here.
    pub(crate) async fn receive(quinn: quinn::Connection) -> Result<Self, Closed> {
        let (send, mut recv) = quinn.accept_bi().await?;
        let bytes = recv
            .read_to_end(ENROL_BYTES_MAX)
            .await
            .map_err(|_| closed(&quinn))?;
        let misbehaved = Closed::PeerMisbehaved {
            code: u64::from(codes::ENROLMENT_REQUEST),
        };
        let asked: Request = codec::decode(&bytes).map_err(|_| misbehaved.clone())?;
        let secret = Secret::from_bytes(asked.secret);
        let request = asked.request.0.clone();
        match requested_key(&request) {
            Ok(key) => Ok(Self {
                quinn,
                send,
                secret,
                request,
                key,
            }),
            Err(_) => {
                // If the answer does not arrive, the close code says as much.
                let _ = answer(&quinn, send, &Reply::Refused(Refusal::BadRequest)).await;
                Err(misbehaved)
            }
        }
    }

    /// The secret of the token that the device shows. Compare its [`Secret::digest`].
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The device's certificate request, DER, its signature checked. For
    /// [`crate::Authority::issue_device`].
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The key in the request: the device has shown that it holds it.
    pub fn public_key(&self) -> DevicePublicKey {
        self.key
    }

    /// Where the device is, for counting tries.
    pub fn remote_address(&self) -> SocketAddr {
        self.quinn.remote_address()
    }

    /// Enrols the device. Store the enrolment and the use of the token durably **before** this. An error
    /// says that the device may not have heard: it may come again with the same token and key.
    pub async fn grant(self, grant: Grant) -> Result<(), EnrolReplyError> {
        let chain = grant.chain.into_iter().map(Bytes).collect::<Vec<_>>();
        if chain.is_empty() || chain.len() > CHAIN_MAX {
            return Err(EnrolReplyError::TooLarge);
        }
        let granted = Granted {
            chain: List(chain),
            authority: Bytes(grant.authority),
            extra: Bytes(grant.extra),
        };
        answer(&self.quinn, self.send, &Reply::Granted(granted)).await
    }

    /// Refuses the device.
    pub async fn refuse(self, refusal: Refusal) -> Result<(), EnrolReplyError> {
        answer(&self.quinn, self.send, &Reply::Refused(refusal)).await
    }
}

impl fmt::Debug for EnrolExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolExchange")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Why a reply to an enrolling device may not have arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnrolReplyError {
    /// The connection ended before the device said that it has the reply.
    #[error("the device may not have received the reply: {0}")]
    Closed(#[from] Closed),
    /// The reply is over the limit, or has no certificate. Our mistake.
    #[error("the reply is over {ENROL_BYTES_MAX} bytes or has no certificate; it was not sent")]
    TooLarge,
}

async fn answer(
    quinn: &quinn::Connection,
    mut send: quinn::SendStream,
    reply: &Reply,
) -> Result<(), EnrolReplyError> {
    let bytes = encode(reply).map_err(|_| EnrolReplyError::TooLarge)?;
    send.write_all(&bytes).await.map_err(|_| closed(quinn))?;
    // A stream that was just written to can be finished.
    let _ = send.finish();
    // The device closes when it has read the reply; one that does not is not waited for.
    let closed = match timeout(FAREWELL_TIMEOUT, quinn.closed()).await {
        Ok(closed) => Closed::from(closed),
        Err(_) => {
            quinn.close(VarInt::from_u32(codes::ENROLMENT_DONE), b"done");
            Closed::TimedOut
        }
    };
    match closed {
        Closed::ByPeer {
            code: codes::ENROLMENT_DONE,
        } => Ok(()),
        other => Err(other.into()),
    }
}

fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let bytes = codec::encode(message)?;
    (bytes.len() <= ENROL_BYTES_MAX)
        .then_some(bytes)
        .ok_or(CodecError::TooLarge)
}

/// What a device asks.
#[derive(Serialize, Deserialize)]
struct Request {
    secret: [u8; Secret::BYTES],
    request: Bytes,
}

impl Drop for Request {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// What a server answers. Encoded by order: append only.
#[derive(Serialize, Deserialize)]
enum Reply {
    Granted(Granted),
    Refused(Refusal),
}

#[derive(Serialize, Deserialize)]
struct Granted {
    chain: List<Bytes, CHAIN_MAX>,
    authority: Bytes,
    extra: Bytes,
}

impl Granted {
    /// Believes a grant only if it is for our key, and of the authority that the token led to.
    fn into_grant(self, verifier: &PinVerifier, key: &DevicePublicKey) -> Result<Grant, EnrolError> {
        let chain: Vec<Vec<u8>> = self
            .chain
            .0
            .into_iter()
            .map(|certificate| certificate.0)
            .collect();
        let own = chain.first().ok_or(EnrolError::ReplyMalformed)?;
        let peer = PeerIdentity::from_certificate(own).map_err(|_| EnrolError::ReplyUntrusted)?;
        if peer.public_key != *key || verifier.found().as_deref() != Some(&*self.authority) {
            return Err(EnrolError::ReplyUntrusted);
        }
        Ok(Grant {
            chain,
            authority: self.authority.0,
            extra: self.extra.0,
        })
    }
}

/// Largest enrolment message, in bytes.
pub const ENROL_BYTES_MAX: usize = 16 << 10;
/// Most certificates in a device's chain.
const CHAIN_MAX: usize = 4;
/// How long one side waits for the other to have read the reply.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
