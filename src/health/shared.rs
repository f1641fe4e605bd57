//! A value that one task makes at a time for all who ask: nobody makes it twice, and nobody waits
//! for it longer than they say.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

/// The value.
pub(super) struct Shared<T> {
    latest: watch::Sender<Option<T>>,
    /// Held by the task that makes the next one.
    turn: Arc<Mutex<()>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { latest: watch::Sender::new(None), turn: Arc::default() }
    }
}

impl<T: Clone + Send + Sync + 'static> Shared<T> {
    /// The latest one, if there is one.
    pub(super) fn latest(&self) -> Option<T> {
        self.latest.borrow().clone()
    }

    /// The latest one while it is good; or else the next one or, where that takes too long, the
    /// latest all the same.
    pub(super) async fn get<F>(
        self: &Arc<Self>,
        is_good: impl FnOnce(&T) -> bool,
        wait_max: Duration,
        make: impl FnOnce() -> F,
    ) -> Option<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        if let Some(latest) = self.latest()
            && is_good(&latest)
        {
            return Some(latest);
        }
        let mut next = self.latest.subscribe();
        if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
            let (shared, making) = (Arc::clone(self), make());
            tokio::spawn(async move {
                let value = making.await;
                // Whoever is told may ask for the one after it.
                drop(turn);
                shared.latest.send_replace(Some(value));
            });
        }
        // The sender lives as long as `self`.
        let _ = timeout(wait_max, next.changed()).await;
        self.latest()
    }
}
