//! Deletes users, transcripts and meetings, with the logs of their bots.

use crate::bots::Supervisor;
use crate::clock::Clock;
use crate::domain::{Actor, UserId};
use crate::erasure::scrubber::Scrubber;
use crate::error::Result;
use crate::store::{DeleteMeeting, DeleteUser, MeetingName, RedactMeeting, Store, TranscriptOf};
use std::sync::Arc;

/// Deletes, and scrubs what was deleted from the database file.
pub struct Erasure {
    pub(crate) store: Arc<Store>,
    pub(crate) bots: Arc<Supervisor>,
    pub(crate) clock: Clock,
    pub(crate) scrubber: Scrubber,
}

impl Erasure {
    /// Deletes from this database, and the logs of these bots with their meetings.
    pub fn new(store: Arc<Store>, bots: Arc<Supervisor>, clock: Clock) -> Self {
        Self { store, bots, clock, scrubber: Scrubber::default() }
    }

    /// Deletes a user with their tokens, meetings and transcripts:
    /// [`crate::error::Error::BotInMeeting`] while a bot of theirs is in a meeting.
    pub async fn delete_user(&self, actor: Actor, id: UserId) -> Result<()> {
        self.store.delete_segments(TranscriptOf::User(id)).await?;
        let meetings = self.store.meeting_ids(id).await?;
        self.store.write_by(actor, DeleteUser { id }).await?;
        for meeting in meetings {
            self.bots.delete_log(meeting).await;
        }
        self.scrubber.scrub(&self.store).await;
        Ok(())
    }

    /// Deletes the transcript of a meeting that is over and all that is personal about it; the row
    /// stays.
    pub async fn delete_transcript(&self, name: MeetingName) -> Result<()> {
        self.redact(name).await?;
        self.scrubber.scrub(&self.store).await;
        Ok(())
    }

    /// Deletes the transcript of a meeting, and leaves scrubbing to the caller.
    pub(crate) async fn redact(&self, name: MeetingName) -> Result<()> {
        self.store.delete_segments(TranscriptOf::Meeting(name.clone())).await?;
        let id = self.store.write(RedactMeeting { name, now: self.clock.now() }).await?;
        self.bots.delete_log(id).await;
        Ok(())
    }

    /// Deletes a meeting whole, and leaves scrubbing to the caller.
    pub(crate) async fn delete_meeting(&self, name: MeetingName) -> Result<()> {
        self.store.delete_segments(TranscriptOf::Meeting(name.clone())).await?;
        let id = self.store.write(DeleteMeeting { name }).await?;
        self.bots.delete_log(id).await;
        Ok(())
    }

    /// Scrubs what the last run of the server left, and what nobody waits for any more. It never
    /// ends by itself.
    pub async fn scrub_forever(self: Arc<Self>) {
        self.scrubber.run(&self.store).await;
    }
}
