//! What a token allows: once, in time, for one key.

use beatbook_core::register::Row as _;
use beatbook_proto::{Algorithm, Bytes};

use super::*;
use crate::tests::force;

fn key(number: u8) -> PublicKey {
    PublicKey {
        algorithm: Algorithm::P256,
        bytes: Bytes(vec![number; 33]),
    }
}

struct Fixture {
    _folder: tempfile::TempDir,
    store: ServerStore,
    secret: Hash,
    enrolment: EnrolmentId,
    expires_at_ms: i64,
}

fn issued() -> Fixture {
    let (folder, store) = force();
    let address = "127.0.0.1:4433".parse().unwrap();
    let issued = store.issue_device("9123", "phone", &address, None).unwrap();
    Fixture {
        _folder: folder,
        secret: hash_of(&issued.token.secret().digest()),
        enrolment: issued.enrolment,
        expires_at_ms: issued.expires_at_ms,
        store,
    }
}

impl Fixture {
    fn redeem(&self, key: PublicKey, at_ms: i64) -> Result<Enrolment, Refusal> {
        let secret = self.secret;
        self.store
            .commit(move |tx| redeem(tx, &secret, &key, at_ms))
            .unwrap()
    }

    fn in_time(&self) -> i64 {
        self.expires_at_ms - 1
    }
}

/// Invariant: a token enrols once, however many show it at once.
#[test]
fn of_a_hundred_that_race_exactly_one_enrols() {
    let fixture = issued();
    let results: Vec<_> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..100)
            .map(|number| {
                scope.spawn({
                    let fixture = &fixture;
                    move || fixture.redeem(key(number), fixture.in_time())
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let won: Vec<_> = results.iter().flatten().collect();
    assert_eq!(won.len(), 1);
    let lost = results.iter().filter_map(|result| result.as_ref().err());
    assert!(
        lost.clone()
            .all(|refusal| matches!(refusal, Refusal::Used | Refusal::TooManyTries))
    );
    assert_eq!(lost.count(), 99);
    let kept: Enrolment = fixture
        .store
        .read(|read| register::get(read, fixture.enrolment.as_bytes()))
        .unwrap()
        .unwrap();
    assert_eq!(kept.key, won[0].key);
}

#[test]
fn a_token_ends_with_its_time_after_five_tries_and_with_its_device() {
    let late = issued();
    assert_eq!(
        late.redeem(key(1), late.expires_at_ms + 1).unwrap_err(),
        Refusal::Expired
    );
    assert!(late.redeem(key(1), late.expires_at_ms).is_ok());

    let tried = issued();
    for _ in 0..TRIES_MAX {
        assert_eq!(
            tried.redeem(key(1), tried.expires_at_ms + 1).unwrap_err(),
            Refusal::Expired
        );
    }
    assert_eq!(
        tried.redeem(key(1), tried.in_time()).unwrap_err(),
        Refusal::TooManyTries
    );

    let revoked = issued();
    revoked
        .store
        .revoke_device(&revoked.enrolment.to_string())
        .unwrap();
    assert_eq!(
        revoked.redeem(key(1), revoked.in_time()).unwrap_err(),
        Refusal::WrongToken
    );
}

#[test]
fn the_same_key_may_ask_again_and_is_the_same_enrolment() {
    let fixture = issued();
    let first = fixture.redeem(key(1), fixture.in_time()).unwrap();
    let again = fixture.redeem(key(1), fixture.in_time()).unwrap();
    assert_eq!(first, again);
    assert_eq!(
        fixture.redeem(key(2), fixture.in_time()).unwrap_err(),
        Refusal::Used
    );
}

#[test]
fn nothing_of_a_token_but_its_hash_is_kept() {
    let fixture = issued();
    let token: Token = fixture
        .store
        .read(|read| register::get(read, fixture.enrolment.as_bytes()))
        .unwrap()
        .unwrap();
    assert_eq!(token.hash, fixture.secret);
    let name = TokenName {
        hash: token.hash,
        enrolment: token.enrolment,
    };
    assert_eq!(name.key(), token.hash.0);
}

#[test]
fn wrong_tokens_are_counted_by_where_they_come_from() {
    let tries = Tries::default();
    let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
    let now = Instant::now();
    for _ in 0..TRIES_MAX {
        assert!(!tries.too_many(one, now));
        tries.wrong(one, now);
    }
    assert!(tries.too_many(one, now));
    assert!(!tries.too_many(other, now));
    assert!(!tries.too_many(one, now + TRIES_WINDOW));
}
