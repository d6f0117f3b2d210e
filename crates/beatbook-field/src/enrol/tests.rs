//! Enrolment against a small server: once, whole, and again after it was broken off.

use beatbook_quic::Refusal;
use beatbook_store_sled::{Options, PinCost};
use tempfile::TempDir;

use super::aside;
use crate::fixtures::{Server, unlock, within};
use crate::{EnrolError, Notebook, OpenError, StoreOpenError, SyncOptions, Unlock, is_notebook, sync_once};

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_a_notebook_that_syncs() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let path = folder.path().join("store");
    let token = server.token("9123");
    assert!(!is_notebook(&path));
    let pin = Unlock::pin("2580");
    let options = Options {
        pin_cost: PinCost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        },
        ..Options::default()
    };
    let book = within(Notebook::enrol(&path, &pin, options.clone(), &token))
        .await
        .unwrap();
    assert_eq!(book.officer().collar, "9123");
    within(sync_once(&book, &SyncOptions::default(), |_| {}))
        .await
        .unwrap();
    assert_eq!(book.status().unwrap().books[0].name, "B01");
    book.close().unwrap();

    let wrong = Notebook::open(&path, &Unlock::pin("0000"), options.clone()).unwrap_err();
    assert!(
        matches!(wrong, OpenError::Open(StoreOpenError::WrongPin)),
        "{wrong}"
    );
    let book = Notebook::open(&path, &pin, options.clone()).unwrap();
    let again = within(Notebook::enrol(&path, &pin, options, &token))
        .await
        .unwrap_err();
    assert!(matches!(again, EnrolError::AlreadyEnrolled { .. }), "{again}");
    assert_eq!(book.status().unwrap().new_book, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_token_and_an_unknown_one_are_refused_and_leave_nothing_in_the_way() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let token = server.token("9123");
    within(Notebook::enrol(
        folder.path().join("one"),
        &unlock(),
        Options::default(),
        &token,
    ))
    .await
    .unwrap();
    let path = folder.path().join("two");
    let used = within(Notebook::enrol(&path, &unlock(), Options::default(), &token))
        .await
        .unwrap_err();
    let refused = beatbook_quic::EnrolError::Refused(Refusal::Used);
    assert!(
        matches!(&used, EnrolError::Refused(why) if *why == refused),
        "{used}"
    );
    assert!(matches!(
        Notebook::open(&path, &unlock(), Options::default()),
        Err(OpenError::NotEnrolled)
    ));
    let fresh = server.token("9123");
    within(Notebook::enrol(&path, &unlock(), Options::default(), &fresh))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_again_with_the_same_key() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let (path, token) = (folder.path().join("store"), server.token("9123"));
    server.lose_next_grant();
    let lost = within(Notebook::enrol(&path, &unlock(), Options::default(), &token))
        .await
        .unwrap_err();
    assert!(matches!(lost, EnrolError::Refused(_)), "{lost}");
    assert!(aside(&path).exists());
    let book = within(Notebook::enrol(&path, &unlock(), Options::default(), &token))
        .await
        .unwrap();
    within(sync_once(&book, &SyncOptions::default(), |_| {}))
        .await
        .unwrap();
    assert!(!aside(&path).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notebook_that_only_lacks_its_name_gets_it() {
    let (server, folder) = (Server::start().await, TempDir::new().unwrap());
    let (path, token) = (folder.path().join("store"), server.token("9123"));
    let book = within(Notebook::enrol(&path, &unlock(), Options::default(), &token))
        .await
        .unwrap();
    book.close().unwrap();
    // As a kill just before the rename leaves it.
    std::fs::rename(&path, aside(&path)).unwrap();
    assert!(is_notebook(&path));
    let book = Notebook::open(&path, &unlock(), Options::default()).unwrap();
    assert_eq!(
        book.status().unwrap().new_book,
        None,
        "its anchor is still its own"
    );
    book.close().unwrap();
    std::fs::rename(&path, aside(&path)).unwrap();
    let book = within(Notebook::enrol(&path, &unlock(), Options::default(), &token))
        .await
        .unwrap();
    assert_eq!(book.officer().collar, "9123");
}
