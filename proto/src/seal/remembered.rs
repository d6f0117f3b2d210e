//! Signatures that this thread has verified before. A simulator, in which one thread is every machine, verifies each of
//! them once in earnest; the programs are built without this.

use std::cell::RefCell;
use std::collections::HashSet;
use std::marker::PhantomData;
use std::rc::Rc;

use super::{PublicKey, Signature};
use crate::merkle::Hash;

/// While it lives, this thread verifies the same signature by the same key over the same bytes once.
///
/// What did not verify is never remembered. One in a thread at a time: what a second one remembers is forgotten with the
/// first that ends.
///
/// ```
/// use beatbook_proto::{RememberVerified, Signer, SigningKey};
/// let _memory = RememberVerified::begin();
/// let key = SigningKey::ed25519_from_seed(&[9; 32]);
/// let signature = key.sign(b"seen").unwrap();
/// for _ in 0..2 {
///     assert!(key.public_key().verify(b"seen", &signature).is_ok());
///     assert!(key.public_key().verify(b"seem", &signature).is_err());
/// }
/// ```
#[derive(Debug)]
pub struct RememberVerified {
    /// Belongs to the thread that began it.
    _thread: PhantomData<Rc<()>>,
}

impl RememberVerified {
    /// Begins to remember, with nothing.
    pub fn begin() -> Self {
        VERIFIED.set(Some(HashSet::new()));
        Self { _thread: PhantomData }
    }
}

impl Drop for RememberVerified {
    fn drop(&mut self) {
        VERIFIED.set(None);
    }
}

/// Verifies in earnest by `verify` what is not remembered.
pub(super) fn once<E>(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
    verify: impl FnOnce() -> Result<(), E>,
) -> Result<(), E> {
    let named = VERIFIED.with_borrow(Option::is_some).then(|| {
        let schemes = [key.algorithm as u8, signature.algorithm as u8];
        Hash::of(DOMAIN, &[&schemes, &key.bytes, &signature.bytes, message])
    });
    let Some(named) = named else { return verify() };
    if VERIFIED.with_borrow(|known| known.as_ref().is_some_and(|known| known.contains(&named.0))) {
        return Ok(());
    }
    verify()?;
    VERIFIED.with_borrow_mut(|known| known.as_mut().map(|known| known.insert(named.0)));
    Ok(())
}

thread_local! {
    static VERIFIED: RefCell<Option<HashSet<[u8; 32]>>> = const { RefCell::new(None) };
}

const DOMAIN: &str = "beatbook 2026-11 remembered signature v1";
