//! Ends sounds that nobody brings any more, gives up what could not be cut for a day, and deletes
//! sound once it is needed no more.

use crate::clock::later;
use crate::domain::{MeetingId, Time};
use crate::error::Result;
use crate::logging::Trouble;
use crate::store::{EraseSound, GiveUpSound, SoundState};
use crate::transcription::hearing::{Hearing, from_whole};
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(30);
/// How long sound is kept that was given up, in seconds.
const GIVEN_UP_KEPT_SECONDS: i64 = 7 * 86_400;
/// How long the last sound of a meeting may come after its end, in seconds.
const LAST_SOUND_SECONDS: i64 = 180;
const DAY_SECONDS: i64 = 86_400;
/// How long the sound of a meeting is tried to be cut.
const CUT_TRIED: Duration = Duration::from_hours(24);
/// Why the rest of a sound is given up.
const UNREADABLE: &str = "It could not be read for a day.";

/// Deletes and gives up by age; it never ends by itself.
pub(crate) async fn keep_sweeping(hearing: Arc<Hearing>) {
    let mut trouble = Trouble::default();
    loop {
        match sweep(&hearing).await {
            Ok(()) => trouble.end("sound is deleted again"),
            Err(error) => {
                let cause = error.store_cause();
                trouble.warn(&format!("sound that is needed no more cannot be deleted: {cause}"));
            }
        }
        hearing.clock.sleep_until(later(hearing.now(), LOOK_PERIOD)).await;
    }
}

async fn sweep(hearing: &Arc<Hearing>) -> Result<()> {
    hearing.transcription.end_open_sounds().await?;
    let now = hearing.now();
    // Nothing is given up or deleted by an age that may not be.
    if hearing.store.doubts(now)? {
        return Ok(());
    }
    give_up(hearing, now).await?;
    for meeting_id in hearing.transcription.meetings_in_spool().await? {
        let since = now.plus_seconds(-GIVEN_UP_KEPT_SECONDS);
        let state = hearing.store.sound_state(meeting_id, since).await?;
        let Some(state) = state else { continue };
        if is_done(&state, hearing.keep_days, now) {
            forget(hearing, meeting_id, since).await?;
        } else if hearing.keep_days == 0 {
            give_back(hearing, meeting_id).await?;
        }
    }
    Ok(())
}

/// Whether the sound of a meeting is kept no longer.
fn is_done(state: &SoundState, keep_days: u32, now: Time) -> bool {
    let kept_seconds = i64::from(keep_days) * DAY_SECONDS + LAST_SOUND_SECONDS;
    let ended_at = state.ended_at.unwrap_or(now);
    state.is_heard && ended_at.plus_seconds(kept_seconds) <= now
}

/// Gives up the rest of ended sounds that could not be cut for a day, however often that was tried.
async fn give_up(hearing: &Hearing, now: Time) -> Result<()> {
    let before = now.plus_seconds(-DAY_SECONDS);
    for meeting_id in hearing.uncut_for(CUT_TRIED) {
        for sound_id in hearing.store.uncut_sounds(meeting_id, before)? {
            log::warn!("the rest of sound {sound_id} is given up");
            let error = UNREADABLE.to_owned();
            hearing.store.write(GiveUpSound { sound_id, error, now }).await?;
            hearing.counters().note_given_up();
        }
    }
    Ok(())
}

/// Gives back to the disk what of a meeting's sound has its words, while the rest still comes.
async fn give_back(hearing: &Arc<Hearing>, meeting_id: MeetingId) -> Result<()> {
    let Some(from) = hearing.store.sound_needed_from(meeting_id).await? else { return Ok(()) };
    let given = hearing.transcription.blocking(move |all| match all.spool.has_sound(meeting_id) {
        true => all.spool.give_back(meeting_id, from_whole(from)),
        false => Ok(()),
    });
    if let Err(error) = given.await {
        // It goes with its meeting: not every disk can give back a part of a file.
        let cause = error.cause().unwrap_or_default();
        log::debug!("sound of meeting {meeting_id} is not given back yet: {cause}");
    }
    Ok(())
}

/// Deletes the sound of a meeting.
async fn forget(hearing: &Arc<Hearing>, meeting_id: MeetingId, since: Time) -> Result<()> {
    if !hearing.store.write(EraseSound { meeting_id, given_up_since: Some(since) }).await? {
        return Ok(());
    }
    log::debug!("the sound of meeting {meeting_id} is needed no more, and is deleted");
    hearing.transcription.erase(meeting_id).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_kept_for_the_days_of_the_settings() {
        let day = DAY_SECONDS * 1000;
        let at = |millis| Time::from_millis(1_760_097_600_000 + millis);
        let last = LAST_SOUND_SECONDS * 1000;
        for (is_heard, keep_days, now, expected) in [
            (true, 0, last - 1, false),
            (true, 0, last, true),
            (false, 0, 30 * day, false),
            (true, 2, 2 * day + last - 1, false),
            (true, 2, 2 * day + last, true),
        ] {
            let state = SoundState { is_heard, ended_at: Some(at(0)) };
            assert_eq!(is_done(&state, keep_days, at(now)), expected, "{keep_days} {now}");
        }
    }
}
