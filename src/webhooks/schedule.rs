//! The attempts in flight, and whose events they deliver.

use crate::store::{Capacity, InFlight};
use std::collections::HashMap;
use tokio::task::{Id, JoinError, JoinSet};

/// Most attempts at once.
const ATTEMPTS_MAX: usize = 16;
/// Most attempts at once for one user, so that a dead receiver does not hold up the others.
const ATTEMPTS_OF_USER_MAX: usize = 4;

/// How an attempt's task ended.
type TaskEnd = Result<(Id, ()), JoinError>;

/// The attempts in flight; dropping it cancels them.
#[derive(Default)]
pub(super) struct Schedule {
    attempts: JoinSet<()>,
    in_flight: HashMap<Id, InFlight>,
}

impl Schedule {
    /// Whether no attempt may begin now.
    pub(super) fn is_full(&self) -> bool {
        self.in_flight.len() >= ATTEMPTS_MAX
    }

    /// What the store must know to choose the events that may be tried now.
    pub(super) fn capacity(&self) -> Capacity {
        let in_flight = self.in_flight.values().copied().collect();
        Capacity { in_flight, all_max: ATTEMPTS_MAX, user_max: ATTEMPTS_OF_USER_MAX }
    }

    /// Begins an attempt.
    pub(super) fn begin(
        &mut self,
        in_flight: InFlight,
        attempt: impl Future<Output = ()> + Send + 'static,
    ) {
        let task = self.attempts.spawn(attempt);
        self.in_flight.insert(task.id(), in_flight);
        debug_assert!(self.in_flight.len() <= ATTEMPTS_MAX, "the store keeps to the capacity");
    }

    /// Waits until an attempt ends, and makes room for another; `None` where none is in flight. May
    /// be cancelled.
    pub(super) async fn next_end(&mut self) -> Option<()> {
        let ended = self.attempts.join_next_with_id().await?;
        self.free(ended);
        while let Some(ended) = self.attempts.try_join_next_with_id() {
            self.free(ended);
        }
        Some(())
    }

    /// Waits until no attempt is in flight.
    pub(super) async fn all_ended(&mut self) {
        while self.next_end().await.is_some() {}
    }

    /// Cancels the attempts that are in flight, and waits until they are gone.
    pub(super) async fn cancel(&mut self) {
        self.attempts.shutdown().await;
    }

    /// An attempt that panicked keeps its place, so that its event is not tried again and again.
    fn free(&mut self, ended: TaskEnd) {
        match ended {
            Ok((id, ())) => {
                self.in_flight.remove(&id);
            }
            Err(error) => log::error!("the task of a webhook delivery failed: {error}"),
        }
    }
}
