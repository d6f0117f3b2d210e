//! Wakes live sessions when feeds that they read have grown.
//!
//! A session has one mailbox with the names of its feeds that grew. Growth told twice before it looks is told once,
//! so nobody can lag behind and nothing is dropped.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// All mailboxes, by the name of the feed.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    readers: Mutex<HashMap<Vec<u8>, Readers>>,
}

/// The readers of one feed, by session.
type Readers = HashMap<u64, Arc<Mailbox>>;

impl Growth {
    /// Tells every reader of these feeds.
    pub(crate) fn tell(&self, feeds: &BTreeSet<Vec<u8>>) {
        let readers = self.readers.lock();
        for feed in feeds {
            for mailbox in readers.get(feed).into_iter().flat_map(HashMap::values) {
                mailbox.put(feed);
            }
        }
    }

    /// Enters a session as a reader of feeds, until the subscription is dropped.
    pub(crate) fn subscribe(self: &Arc<Self>, session: u64, feeds: Vec<Vec<u8>>) -> Subscription {
        let mailbox = Arc::new(Mailbox::default());
        let mut readers = self.readers.lock();
        for feed in &feeds {
            readers
                .entry(feed.clone())
                .or_default()
                .insert(session, mailbox.clone());
        }
        drop(readers);
        Subscription {
            growth: self.clone(),
            session,
            feeds,
            mailbox,
        }
    }

    #[cfg(test)]
    fn feeds(&self) -> usize {
        self.readers.lock().len()
    }
}

/// A session's place among the readers.
#[derive(Debug)]
pub(crate) struct Subscription {
    growth: Arc<Growth>,
    session: u64,
    feeds: Vec<Vec<u8>>,
    mailbox: Arc<Mailbox>,
}

impl Subscription {
    /// Waits until a feed has grown, and takes the names of all that have. Cancel-safe.
    pub(crate) async fn grown(&self) -> BTreeSet<Vec<u8>> {
        loop {
            let grown = std::mem::take(&mut *self.mailbox.feeds.lock());
            if !grown.is_empty() {
                return grown;
            }
            self.mailbox.wake.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut readers = self.growth.readers.lock();
        for feed in &self.feeds {
            if let Some(of_feed) = readers.get_mut(feed) {
                of_feed.remove(&self.session);
                if of_feed.is_empty() {
                    readers.remove(feed);
                }
            }
        }
    }
}

#[derive(Debug, Default)]
struct Mailbox {
    feeds: Mutex<BTreeSet<Vec<u8>>>,
    wake: Notify,
}

impl Mailbox {
    fn put(&self, feed: &[u8]) {
        self.feeds.lock().insert(feed.to_vec());
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests;
