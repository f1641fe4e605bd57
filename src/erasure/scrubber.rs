//! Scrubs deleted content from the database file and its WAL: at once, and after a crash or a long
//! read as soon as that is possible.

use crate::error::Error;
use crate::logging::Trouble;
use crate::store::Store;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, timeout};

/// How long a response waits for scrubbing. What is not scrubbed by then is scrubbed without
/// anybody waiting.
const WAIT: Duration = Duration::from_secs(2);
/// How long to wait before a scrub that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Scrubs what was deleted; one scrub at a time.
#[derive(Default)]
pub(crate) struct Scrubber {
    turn: Mutex<()>,
    left: Notify,
}

impl Scrubber {
    /// Scrubs all that was deleted before. After [`WAIT`] it lets the caller go, and goes on alone.
    pub(crate) async fn scrub(&self, store: &Store) {
        let finished = timeout(WAIT, self.scrub_in_turn(store)).await;
        if !matches!(finished, Ok(Ok(()))) {
            log::warn!(
                "deleted content is still in the database file; it is scrubbed as soon as possible"
            );
            self.left.notify_one();
        }
    }

    /// Scrubs what the last run of the server left, and what nobody waits for any more. It never
    /// ends by itself.
    pub(crate) async fn run(&self, store: &Store) {
        let mut trouble = Trouble::default();
        loop {
            while let Err(error) = self.scrub_in_turn(store).await {
                let cause = error.store_cause();
                trouble.warn(&format!("deleted content cannot be scrubbed yet: {cause}"));
                sleep(PAUSE).await;
            }
            trouble.end("deleted content is scrubbed again");
            self.left.notified().await;
        }
    }

    async fn scrub_in_turn(&self, store: &Store) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        store.scrub().await
    }
}
