//! Who is woken by which feed, and that nothing told is lost.

use super::*;

fn feeds(names: &[&str]) -> BTreeSet<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

fn subscribe(growth: &Arc<Growth>, session: u64, names: &[&str]) -> Subscription {
    growth.subscribe(session, feeds(names).into_iter().collect())
}

#[tokio::test]
async fn growth_reaches_the_readers_of_its_feed_once_and_nobody_else() {
    let growth = Arc::new(Growth::default());
    let both = subscribe(&growth, 1, &["a", "b"]);
    let other = subscribe(&growth, 2, &["c"]);
    // Told before anybody waits, and more than once.
    growth.tell(&feeds(&["a"]));
    growth.tell(&feeds(&["a", "b", "d"]));
    assert_eq!(both.grown().await, feeds(&["a", "b"]));
    growth.tell(&feeds(&["b", "c"]));
    assert_eq!(both.grown().await, feeds(&["b"]));
    assert_eq!(other.grown().await, feeds(&["c"]));
    drop(both);
    assert_eq!(growth.feeds(), 1);
    drop(other);
    assert_eq!(growth.feeds(), 0);
}
