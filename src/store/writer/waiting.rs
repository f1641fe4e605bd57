//! The writer's end of its queue, whose places are free again as messages are taken.

use crate::store::writer::job::Message;
use std::sync::mpsc::{Receiver, RecvError, RecvTimeoutError, TryRecvError};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// A message with its place in the queue; the last of all needs none.
pub(crate) type Queued = (Message, Option<OwnedSemaphorePermit>);

/// The messages that wait.
pub(crate) struct Waiting(pub(crate) Receiver<Queued>);

impl Waiting {
    /// The next message; waits for it.
    pub(crate) fn recv(&self) -> Result<Message, RecvError> {
        self.0.recv().map(|(message, _place)| message)
    }

    /// The same, for so long.
    pub(crate) fn recv_timeout(&self, time_max: Duration) -> Result<Message, RecvTimeoutError> {
        self.0.recv_timeout(time_max).map(|(message, _place)| message)
    }

    /// The next message, if there is one.
    pub(crate) fn try_recv(&self) -> Result<Message, TryRecvError> {
        self.0.try_recv().map(|(message, _place)| message)
    }
}
