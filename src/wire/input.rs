//! What a client has sent and is not run yet, within what all clients may send together.

use crate::budget::{BODY_BYTES_FREE, Bodies, Held, Holder, SHORT_BODY_BYTES_MAX};
use crate::error::Result;
use crate::wire::parser::{Malformed, Parsed, parse};
use crate::wire::xadd::QUEUE_TIME_MAX;
use std::time::Instant;

/// How many bytes are read at once, where no longer command is known to come.
const READ_BYTES: usize = 2 * 1024;

/// The bytes that were read and not run.
#[derive(Default)]
pub(crate) struct Input {
    /// They begin with a command, or with the beginning of one.
    pub bytes: Vec<u8>,
    /// When the first of them came.
    pub since: Option<Instant>,
    /// What is counted of a long command.
    held: Option<Held>,
    counted: usize,
}

impl Input {
    /// What the bytes begin with.
    pub(crate) fn parse(&self, bytes_max: usize) -> std::result::Result<Parsed, Malformed> {
        parse(&self.bytes, bytes_max)
    }

    /// Makes room for a command that is at least so long, in bytes. Waits until all commands and
    /// bodies together leave it; [`crate::error::Error::Busy`] where they do not. What is held is
    /// given back before: whoever held some and waited for more could keep others from their end.
    pub(crate) async fn make_room(
        &mut self,
        length: usize,
        bodies: &Bodies,
        holder: Holder,
    ) -> Result<()> {
        let counted = length.saturating_sub(BODY_BYTES_FREE);
        if counted > self.counted {
            self.give_back();
            let room = bodies.of(holder);
            let budget = if length > SHORT_BODY_BYTES_MAX { &room.long } else { &room.short };
            self.held = Some(budget.wait_within(holder, counted, QUEUE_TIME_MAX).await?);
            self.counted = counted;
        }
        let missing = length.saturating_sub(self.bytes.len());
        self.bytes.reserve_exact(missing.max(READ_BYTES));
        Ok(())
    }

    /// Takes away a command that was run. What is left began to come now at the latest.
    pub(crate) fn consume(&mut self, length: usize, now: Instant) {
        self.bytes.drain(..length);
        self.bytes.shrink_to(READ_BYTES);
        self.since = if self.bytes.is_empty() { None } else { Some(now) };
        self.give_back();
    }

    fn give_back(&mut self) {
        self.held = None;
        self.counted = 0;
    }
}
