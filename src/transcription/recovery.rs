//! What a start finds in the spool: sounds that the last run did not end, files that nobody owns.
//! And the deletion of sound.

use crate::domain::{MeetingId, SoundId};
use crate::error::Result;
use crate::store::{EndSound, ForgetSound, OpenSound};
use crate::transcription::packet::{millis, samples};
use crate::transcription::parts::Transcription;
use crate::transcription::spool::Spool;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Transcription {
    /// Looks once at what the last run of the server left; whoever comes meanwhile waits. What fails
    /// is tried again by the next one.
    pub(crate) async fn recovered(self: &Arc<Self>) -> Result<()> {
        self.recovery.get_or_try_init(|| self.recover()).await?;
        Ok(())
    }

    async fn recover(self: &Arc<Self>) -> Result<()> {
        self.delete_orphans().await?;
        self.end_open_sounds().await
    }

    /// Deletes sound of meetings that are not in the database: a backup may have taken its place.
    async fn delete_orphans(self: &Arc<Self>) -> Result<()> {
        self.blocking(|all| {
            all.spool.delete_unfinished()?;
            let mut deleted = 0;
            for meeting in all.spool.look()? {
                let (is_there, has_sound) = all.store.has_sound(meeting)?;
                let done = match (is_there, has_sound) {
                    (false, _) => all.spool.forget(meeting),
                    (true, false) if all.spool.has_sound(meeting) => {
                        all.spool.forget_sound(meeting)
                    }
                    _ => continue,
                };
                match done {
                    Ok(()) => deleted += 1,
                    Err(error) => {
                        let cause = error.cause().unwrap_or("the disk is full or busy");
                        log::warn!("sound of meeting {meeting} cannot be deleted yet: {cause}");
                    }
                }
            }
            // Also where the server is told to stop meanwhile.
            if deleted > 0 {
                log::info!(
                    "deleted the sound of {deleted} meetings that the database does not have"
                );
            }
            Ok(())
        })
        .await
    }

    /// Ends the sounds that are open and that nobody brings, by what the spool holds of them: those
    /// that were open when the last run ended, and those whose end could not be written. Where the
    /// file of a meeting cannot be read they stay open until it is tried again; the others go on.
    pub(crate) async fn end_open_sounds(self: &Arc<Self>) -> Result<()> {
        let mut meetings: BTreeMap<MeetingId, Vec<OpenSound>> = BTreeMap::new();
        for sound in self.store.open_sounds().await? {
            if !self.open.is_claimed(sound.meeting_id, &sound.uid) {
                meetings.entry(sound.meeting_id).or_default().push(sound);
            }
        }
        for (meeting, sounds) in meetings {
            let read = sounds.clone();
            match self.blocking(move |all| heard_of(&all.spool, meeting, &read)).await {
                Ok(heard) => self.end_by(&heard, sounds).await?,
                Err(error) => {
                    let cause = error.cause().unwrap_or("the disk is full or busy");
                    log::warn!("the sounds of meeting {meeting} cannot be ended yet: {cause}");
                }
            }
        }
        Ok(())
    }

    /// Ends these sounds by what the spool holds of them, where nobody goes on with them meanwhile.
    async fn end_by(&self, heard: &BTreeMap<SoundId, Heard>, sounds: Vec<OpenSound>) -> Result<()> {
        for sound in sounds {
            let Some(Heard { end_ms, more_ms }) = heard.get(&sound.id) else { continue };
            // Whoever goes on with it does so before this end, or after it.
            let _turn = self.turn(sound.meeting_id, &sound.uid).await;
            let is_claimed = self.open.is_claimed(sound.meeting_id, &sound.uid);
            if is_claimed || !self.store.is_open_with(sound.id, sound.heard_ms)? {
                continue;
            }
            let (heard_ms, more_ms, now) = (*end_ms, *more_ms, self.clock.now());
            self.store.write(EndSound { sound_id: sound.id, heard_ms, more_ms, now }).await?;
        }
        Ok(())
    }

    /// Up to where the spool holds a sound that is open, or did, in milliseconds of its clock.
    pub(super) async fn heard_in_spool(
        self: &Arc<Self>,
        meeting_id: MeetingId,
        id: SoundId,
    ) -> Result<i64> {
        let open = self.store.open_sounds().await?;
        let Some(found) = open.into_iter().find(|sound| sound.id == id) else { return Ok(0) };
        // What is noted of it may be lost.
        let sound = OpenSound { heard_ms: 0, ..found };
        let heard = self.blocking(move |all| heard_of(&all.spool, meeting_id, &[sound])).await?;
        Ok(heard.get(&id).map_or(0, |heard| heard.end_ms))
    }

    /// Deletes the sound of a meeting, which the database has decided: whoever still brings some gets
    /// an error. Where it fails, the database remembers it.
    pub(crate) async fn erase(self: &Arc<Self>, meeting_id: MeetingId) -> Result<()> {
        self.open.end_meeting(meeting_id);
        self.blocking(move |all| all.spool.forget(meeting_id)).await?;
        self.store.write(ForgetSound { meeting_id }).await
    }
}

/// What the spool holds of a sound.
struct Heard {
    end_ms: i64,
    /// What of it is not noted.
    more_ms: i64,
}

/// What the spool holds of these sounds of a meeting; of one that it has nothing of, what is noted or
/// cut.
fn heard_of(
    spool: &Spool,
    meeting: MeetingId,
    sounds: &[OpenSound],
) -> Result<BTreeMap<SoundId, Heard>> {
    // In samples: the end, and what is not noted.
    let mut found: BTreeMap<SoundId, (u64, u64)> = BTreeMap::new();
    let by_id: BTreeMap<SoundId, &OpenSound> =
        sounds.iter().map(|sound| (sound.id, sound)).collect();
    let mut reader = spool.read(meeting, 0)?;
    while let Some(record) = reader.next()? {
        let Some(sound) = by_id.get(&record.sound) else { continue };
        let length = samples(sound.format, &record.payload);
        let (end, more) = found.entry(record.sound).or_default();
        *end = (*end).max(record.at.saturating_add(length));
        if millis(sound.format, record.at).cast_signed() >= sound.heard_ms {
            *more += length;
        }
    }
    let mut heard = BTreeMap::new();
    for sound in sounds {
        let of_sound = match found.get(&sound.id) {
            None => Heard { end_ms: sound.heard_ms.max(sound.cut_ms), more_ms: 0 },
            Some((end, more)) => Heard {
                end_ms: millis(sound.format, *end).cast_signed(),
                more_ms: millis(sound.format, *more).cast_signed(),
            },
        };
        heard.insert(sound.id, of_sound);
    }
    Ok(heard)
}
