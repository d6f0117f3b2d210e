//! The key of stateless resets: what lets a server that restarted tell devices at once that it knows
//! nothing of their connections. Not a key of any session: who has it can end connections, and no more.

use std::sync::Arc;

use beatbook_proto::Hash;
use quinn::crypto::{CryptoError, HmacKey};
use quinn::{ConnectionIdGenerator, EndpointConfig};
use quinn_proto::HashedConnectionIdGenerator;

use crate::identity::ServerIdentity;

/// Settings of a server's port. Both keys follow from the server's own key, so a server that was killed
/// answers packets of its former connections with the reset that it had promised their devices
/// (RFC 9000 10.3); with fresh ones the devices would wait for the idle time-out.
pub(crate) fn endpoint_config(identity: &ServerIdentity) -> EndpointConfig {
    let key = ResetKey(Hash::of(RESET_LABEL, &[identity.key()]));
    let Hash(bytes) = Hash::of(CONNECTION_LABEL, &[identity.key()]);
    let ids = bytes
        .iter()
        .take(8)
        .fold(0, |key: u64, byte| key << 8 | u64::from(*byte));
    let mut config = EndpointConfig::new(Arc::new(key));
    // A port answers only ids that it can have given itself, in this life or an earlier one.
    config.cid_generator(move || -> Box<dyn ConnectionIdGenerator> {
        Box::new(HashedConnectionIdGenerator::from_key(ids))
    });
    config
}

/// Makes the reset tokens of connection ids: a keyed hash, of which the transport takes 16 bytes.
struct ResetKey(Hash);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let Hash(signature) = Hash::of(TOKEN_LABEL, &[&self.0.0, data]);
        for (out, byte) in signature_out.iter_mut().zip(signature) {
            *out = byte;
        }
    }

    fn signature_len(&self) -> usize {
        size_of::<Hash>()
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mut expected = vec![0; self.signature_len()];
        self.sign(data, &mut expected);
        let same = expected.len() == signature.len();
        // Looks at every byte, whichever differs.
        let differs = expected
            .iter()
            .zip(signature)
            .fold(0, |differs, (left, right)| differs | (left ^ right));
        if same && differs == 0 {
            Ok(())
        } else {
            Err(CryptoError)
        }
    }
}

const RESET_LABEL: &str = "beatbook 2026-11 stateless reset key v1";
const CONNECTION_LABEL: &str = "beatbook 2026-11 connection id key v1";
const TOKEN_LABEL: &str = "beatbook 2026-11 stateless reset token v1";
