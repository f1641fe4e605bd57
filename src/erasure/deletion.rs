//! Deletes users, transcripts and meetings, with the logs of their bots.

use crate::bots::Supervisor;
use crate::clock::Clock;
use crate::domain::{Actor, MeetingId, Time, UserId};
use crate::erasure::scrubber::Scrubber;
use crate::erasure::sweep_time::SweepTime;
use crate::error::{Error, Result};
use crate::logging::Trouble;
use crate::store::{
    BeginErasure, DeleteMeeting, DeleteUser, EraseSound, MeetingName, RedactMeeting, Store,
    TranscriptOf,
};
use crate::transcription::Transcription;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// How long to wait before an erasure that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Deletes, and scrubs what was deleted from the database file.
pub struct Erasure {
    pub(crate) store: Arc<Store>,
    pub(crate) bots: Arc<Supervisor>,
    transcription: Arc<Transcription>,
    pub(crate) clock: Clock,
    pub(crate) scrubber: Scrubber,
    sweep_time: SweepTime,
    /// Wakes [`Self::finish_forever`].
    unfinished: Notify,
}

impl Erasure {
    /// Deletes from this database, and the logs of these bots and this sound with their meetings.
    pub(crate) fn new(
        store: Arc<Store>,
        bots: Arc<Supervisor>,
        transcription: Arc<Transcription>,
        clock: Clock,
    ) -> Self {
        Self {
            store,
            bots,
            transcription,
            clock,
            scrubber: Scrubber::default(),
            sweep_time: SweepTime::default(),
            unfinished: Notify::new(),
        }
    }

    /// The time by which old data is deleted: the latest that is believed.
    pub async fn sweep_time(&self) -> Result<Time> {
        self.sweep_time.get(&self.store, &self.clock).await
    }

    /// Deletes a user with their tokens, meetings and transcripts:
    /// [`Error::BotInMeeting`] while a bot of theirs is in a meeting. Once it is decided nothing can
    /// stop it: what cannot be deleted now is deleted in the background, or by the next server.
    pub async fn delete_user(&self, actor: Actor, id: UserId) -> Result<()> {
        let now = self.clock.now();
        self.store.write_by(actor, BeginErasure { id, now }).await?;
        if let Err(error) = self.finish_user(id).await {
            let cause = error.store_cause();
            log::warn!("user {id} is deleted in the background: {cause}");
            self.unfinished.notify_one();
            return Ok(());
        }
        self.delete_sounds().await;
        self.scrubber.scrub(&self.store).await;
        Ok(())
    }

    /// Deletes what is left of a user whose erasure is decided: the logs of their bots, what was
    /// said, some in each transaction, and then all the rest.
    async fn finish_user(&self, id: UserId) -> Result<()> {
        for meeting in self.store.meeting_ids(id).await? {
            self.bots.delete_log(meeting).await;
        }
        let delete = async {
            self.store.delete_segments(TranscriptOf::User(id)).await?;
            self.store.write(DeleteUser { id }).await
        };
        match delete.await {
            // Somebody else has finished it meanwhile.
            Err(Error::UserNotFound) => Ok(()),
            deleted => deleted,
        }
    }

    /// Finishes the erasures that were decided: those of the last run of the server, and those that
    /// failed on the way. It never ends by itself.
    pub async fn finish_forever(self: Arc<Self>) {
        let mut trouble = Trouble::default();
        loop {
            while let Err(error) = self.finish_all().await {
                let cause = error.store_cause();
                trouble.warn(&format!(
                    "deleted users cannot be removed from the database yet: {cause}"
                ));
                sleep(PAUSE).await;
            }
            trouble.end("deleted users are removed from the database again");
            self.unfinished.notified().await;
        }
    }

    async fn finish_all(&self) -> Result<()> {
        let users = self.store.users_being_erased()?;
        for &id in &users {
            self.finish_user(id).await?;
        }
        if !users.is_empty() {
            log::info!("finished the deletion of {} users", users.len());
            self.scrubber.scrub(&self.store).await;
        }
        self.delete_sounds_left().await
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
        self.delete_sounds().await;
        Ok(())
    }

    /// Deletes a meeting whole, and leaves scrubbing to the caller.
    pub(crate) async fn delete_meeting(&self, name: MeetingName) -> Result<()> {
        self.store.delete_segments(TranscriptOf::Meeting(name.clone())).await?;
        let id = self.store.write(DeleteMeeting { name }).await?;
        self.bots.delete_log(id).await;
        self.delete_sounds().await;
        Ok(())
    }

    /// Deletes the sound of a meeting, and nothing else of it: words that were not made of it by now
    /// never are. Nothing is scrubbed, as no sound is in the database.
    pub(crate) async fn delete_sound(&self, meeting_id: MeetingId) -> Result<()> {
        self.store.write(EraseSound { meeting_id, given_up_since: None }).await?;
        self.delete_sounds().await;
        Ok(())
    }

    /// Deletes the files of sound that the database has decided to delete; what fails is tried again
    /// in the background, and by the next server.
    async fn delete_sounds(&self) {
        if let Err(error) = self.delete_sounds_left().await {
            let cause = error.store_cause();
            log::warn!("sound of deleted meetings is deleted in the background: {cause}");
            self.unfinished.notify_one();
        }
    }

    async fn delete_sounds_left(&self) -> Result<()> {
        let mut deleted = Ok(());
        for meeting in self.store.erased_sounds()? {
            // One that cannot be deleted does not keep the others from it.
            if let Err(error) = self.transcription.erase(meeting).await {
                deleted = Err(error);
            }
        }
        deleted
    }

    /// Scrubs what the last run of the server left, and what nobody waits for any more. It never
    /// ends by itself.
    pub async fn scrub_forever(self: Arc<Self>) {
        self.scrubber.run(&self.store).await;
    }
}
