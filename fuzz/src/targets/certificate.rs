//! What stands in a handshake or an enrolment before anybody is trusted: certificates, certificate requests, and the
//! authority's own file.

use std::sync::OnceLock;

use beatbook_quic::{Authority, DeviceKey, PeerIdentity, Validity};
use uuid::Uuid;

/// The first byte chooses what the bytes are to be.
pub(super) fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else {
        return;
    };
    match choice % 3 {
        0 => {
            if let Ok(peer) = PeerIdentity::from_certificate(bytes) {
                assert_eq!(peer.public_key.as_sec1().len(), SEC1_BYTES);
            }
        }
        1 => {
            let (authority, _) = AUTHORITY.get_or_init(made);
            let issued = authority.issue_device(bytes, Uuid::from_u128(7), VALIDITY);
            if let Ok(certificate) = issued {
                let peer = PeerIdentity::from_certificate(&certificate);
                let peer = peer.expect("an issued certificate reads");
                assert_eq!(peer.enrolment, Uuid::from_u128(7));
            }
        }
        _ => {
            if let Ok(text) = str::from_utf8(bytes)
                && let Ok(authority) = Authority::from_pem(text)
            {
                assert!(!authority.certificate().is_empty());
            }
        }
    }
}

/// A certificate, a request, and an authority's file.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (authority, request) = AUTHORITY.get_or_init(made);
    let certificate = authority
        .issue_device(request, Uuid::from_u128(7), VALIDITY)
        .expect("the request is good");
    vec![
        [&[0], certificate.as_slice()].concat(),
        [&[0], authority.certificate()].concat(),
        [&[1], request.as_slice()].concat(),
        [&[2], authority.to_pem().as_bytes()].concat(),
        [&[2], authority.certificate_pem().as_bytes()].concat(),
    ]
}

fn made() -> (Authority, Vec<u8>) {
    let authority = Authority::create("52", VALIDITY).expect("an authority can be made");
    let key = DeviceKey::generate().expect("a key can be made");
    let request = key.request().expect("a request can be made");
    (authority, request)
}

static AUTHORITY: OnceLock<(Authority, Vec<u8>)> = OnceLock::new();
const VALIDITY: Validity = Validity {
    not_before_s: 1_700_000_000,
    not_after_s: 1_900_000_000,
};
/// The longer form of a point of P-256.
const SEC1_BYTES: usize = 65;
