//! Sees to it that what was removed leaves the files too: at once, and after a crash or a long read as soon as that is possible.

use crate::error::Error;
use crate::store::Store;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};

/// How long an answer waits for the files. What is not wiped by then is wiped without anybody waiting.
const WAIT: Duration = Duration::from_secs(2);
/// How long the next try waits after one that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Wipes what is left of what was removed; one at a time.
#[derive(Default)]
pub struct Scrubber {
    turn: Mutex<()>,
    left: Notify,
}

impl Scrubber {
    /// Wipes what is left of all that was removed before. After some seconds it lets the caller go, and goes on alone.
    pub async fn scrub(&self, store: &Store) {
        let finished = timeout(WAIT, self.scrub_in_turn(store)).await;
        if !matches!(finished, Ok(Ok(()))) {
            log::warn!("something of what was removed is still in the files; it goes as soon as it can");
            self.left.notify_one();
        }
    }

    /// Finishes what the last run of the server left, and what nobody waits for any more. It never ends by itself.
    pub async fn run(&self, store: &Store) {
        loop {
            while let Err(error) = self.scrub_in_turn(store).await {
                log::warn!(
                    "what was removed cannot be wiped yet: {}",
                    error.cause().unwrap_or("the disk is full or busy")
                );
                sleep(PAUSE).await;
            }
            self.left.notified().await;
        }
    }

    async fn scrub_in_turn(&self, store: &Store) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        store.scrub().await
    }
}
