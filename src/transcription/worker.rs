//! Makes words of windows: those of live sound first, each kind by age. An attempt that fails is
//! followed by another after a growing wait; after a day a window is given up.

use crate::clock::later;
use crate::domain::sound::SoundSource;
use crate::domain::{UserId, WindowId};
use crate::error::Result;
use crate::logging::Trouble;
use crate::store::{GiveUpWindow, PutOffWindow, StoreWindow, WaitingWindow, WindowDone};
use crate::transcription::SoundNews;
use crate::transcription::engines::NotHeard;
use crate::transcription::hear::{Sampled, Stretch, Words, ask, judged, sampled};
use crate::transcription::heard::{Urgency, WINDOWS_MAX};
use crate::transcription::hearing::{Hearing, from_whole};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;

/// How many windows of recordings are heard at once.
const RECORDED_MAX: usize = 4;
/// How many windows of one user, whose own engine may be slow.
const OF_USER_MAX: usize = 4;
/// How many of them may be of recordings.
const RECORDED_OF_USER_MAX: usize = 3;
/// How often it is looked which windows are due.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// The wait after the first attempt that failed; each one is twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_mins(5);
/// How long a window is tried, in seconds.
const TRIED_SECONDS: i64 = 86_400;
/// How long the server has run before it gives anything up.
const RAN_MIN: Duration = Duration::from_hours(1);

/// The windows that are heard now, each by its task.
type AtWork = HashMap<Id, Working>;

/// A window that is heard now.
#[derive(Debug, Clone, Copy)]
struct Working {
    id: WindowId,
    user_id: UserId,
    is_live: bool,
}

/// Makes words of windows; it never ends by itself.
pub(crate) async fn keep_working(hearing: Arc<Hearing>) {
    let mut trouble = Trouble::default();
    let mut at_work = AtWork::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        if hearing.takes_now() {
            match due(&hearing, &at_work).await {
                Ok(windows) => {
                    trouble.end("windows of sound are read again");
                    for window in windows {
                        let working = Working::of(&window);
                        let task = tasks.spawn(work_on(Arc::clone(&hearing), window));
                        at_work.insert(task.id(), working);
                    }
                }
                Err(error) => {
                    let cause = error.store_cause();
                    trouble.warn(&format!("windows of sound that are due cannot be read: {cause}"));
                }
            }
        }
        tokio::select! {
            Some(ended) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                at_work.remove(&id);
            }
            () = hearing.window_cut.notified() => {}
            () = sleep(LOOK_PERIOD) => {}
        }
    }
}

fn is_live(window: &WaitingWindow) -> bool {
    window.sound.source != SoundSource::Upload
}

impl Working {
    fn of(window: &WaitingWindow) -> Self {
        Self { id: window.id, user_id: window.sound.user_id, is_live: is_live(window) }
    }
}

/// The windows that are due and for which there is a place.
async fn due(hearing: &Hearing, at_work: &AtWork) -> Result<Vec<WaitingWindow>> {
    if at_work.len() >= WINDOWS_MAX {
        return Ok(Vec::new());
    }
    let now = hearing.now();
    let latest = later(now, WAIT_MAX);
    // What was put off while no engine took work is due once one does.
    let until = if hearing.is_back.swap(false, Ordering::AcqRel) { latest } else { now };
    // Those at work are among them.
    let (of_user, all) = (2 * OF_USER_MAX, at_work.len() + WINDOWS_MAX);
    let due = hearing.store.due_windows(until, latest, of_user, all).await?;
    let mut working: Vec<Working> = at_work.values().copied().collect();
    let mut begun = Vec::new();
    for window in due {
        let one = Working::of(&window);
        if has_place(&working, one) {
            working.push(one);
            begun.push(window);
        }
    }
    Ok(begun)
}

/// Whether there is a place for a window beside those that are heard.
fn has_place(working: &[Working], window: Working) -> bool {
    if working.len() >= WINDOWS_MAX || working.iter().any(|one| one.id == window.id) {
        return false;
    }
    let of_user = working.iter().filter(|one| one.user_id == window.user_id);
    if of_user.clone().count() >= OF_USER_MAX {
        return false;
    }
    let recorded = working.iter().filter(|one| !one.is_live).count();
    let recorded_of_user = of_user.filter(|one| !one.is_live).count();
    window.is_live || (recorded < RECORDED_MAX && recorded_of_user < RECORDED_OF_USER_MAX)
}

/// One attempt to make words of a window; its end is written.
async fn work_on(hearing: Arc<Hearing>, window: WaitingWindow) {
    let id = window.id;
    if let Err(error) = attempt(&hearing, &window).await {
        let cause = error.store_cause();
        log::warn!("what was heard in window {id} of a sound cannot be written: {cause}");
        // It waits as before.
        sleep(LOOK_PERIOD).await;
    }
}

async fn attempt(hearing: &Arc<Hearing>, window: &WaitingWindow) -> Result<()> {
    let (start_ms, end_ms) = (from_whole(window.start_ms), from_whole(window.end_ms));
    let stretch = Stretch { start_ms, end_ms, offset: from_whole(window.spool_offset) };
    let Sampled { samples, voice } = match sampled(hearing, &window.sound, stretch).await {
        Ok(sampled) => sampled,
        Err(error) => {
            let cause = error.store_cause();
            log::warn!("the sound of window {} cannot be read: {cause}", window.id);
            return put_off(hearing, window, "Its sound cannot be read.".to_owned()).await;
        }
    };
    if samples.is_empty() {
        return give_up(hearing, window, Some("Its sound is gone.".to_owned())).await;
    }
    // Also where no voice is found in it now: whoever cut it has heard more of the sound.
    let urgency = if is_live(window) { Urgency::Live } else { Urgency::Recording };
    match ask(hearing, &window.sound, samples, urgency).await {
        Ok(heard_by) => {
            let words = judged(heard_by.heard, voice, start_ms, hearing.has_gate).await?;
            hearing.note_answer();
            store(hearing, window, words, Some(heard_by.engine)).await
        }
        Err(NotHeard::Refused(why)) => give_up(hearing, window, Some(why)).await,
        Err(NotHeard::NotTaken(why)) => put_off(hearing, window, why).await,
        Err(NotHeard::Away(why)) => {
            hearing.note_away();
            put_off(hearing, window, why).await
        }
        Err(NotHeard::Busy) => {
            put_off(hearing, window, "All engines have enough to do.".to_owned()).await
        }
    }
}

/// Stores the words of a window, and tells whoever waits for them.
async fn store(
    hearing: &Hearing,
    window: &WaitingWindow,
    words: Words,
    engine: Option<String>,
) -> Result<()> {
    let Words { segments, withheld, language } = words;
    let verb = || StoreWindow {
        window_id: window.id,
        segments: segments.clone(),
        withheld: withheld.clone(),
        language: language.clone(),
        engine: engine.clone(),
        now: hearing.now(),
    };
    let Some(done) = hearing.write(verb).await? else { return Ok(()) };
    hearing.counters().note_done(&done, is_live(window));
    hearing.counters().note_withheld(withheld.iter().map(|one| one.reason).collect());
    let WindowDone { language, .. } = done;
    for segment in segments {
        let news = SoundNews {
            start_ms: segment.start_ms,
            end_ms: segment.end_ms,
            text: segment.text.trim().to_owned(),
            language: language.clone(),
            completed: true,
        };
        hearing.transcription.publish(window.sound.id, news);
    }
    Ok(())
}

/// Puts a window off after an attempt that failed; once it was tried for long enough, it is given
/// up. Nothing is given up while the clock is not believed, nor by a server that has just started:
/// while it was off nobody was asked.
async fn put_off(hearing: &Hearing, window: &WaitingWindow, error: String) -> Result<()> {
    let now = hearing.now();
    let is_old =
        window.first_failed_at.is_some_and(|failed| failed.plus_seconds(TRIED_SECONDS) <= now);
    if is_old && hearing.ran() >= RAN_MIN && !hearing.store.doubts(now)? {
        return give_up(hearing, window, Some(error)).await;
    }
    hearing.counters().note_put_off();
    let attempts = window.attempts.saturating_add(1);
    let verb = || PutOffWindow {
        window_id: window.id,
        attempts,
        error: error.clone(),
        next_at: later(now, wait(attempts)),
        now,
    };
    hearing.write(verb).await
}

/// The wait after so many attempts.
fn wait(attempts: u32) -> Duration {
    let factor = 2_u32.saturating_pow(attempts.saturating_sub(1));
    FIRST_WAIT.saturating_mul(factor).min(WAIT_MAX)
}

async fn give_up(hearing: &Hearing, window: &WaitingWindow, error: Option<String>) -> Result<()> {
    let verb = || GiveUpWindow { window_id: window.id, error: error.clone() };
    if hearing.write(verb).await? {
        let (id, meeting) = (window.id, window.sound.meeting_id);
        log::warn!("window {id} of the sound of meeting {meeting} is given up");
        hearing.counters().note_given_up();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{WAIT_MAX, Working, has_place, wait};
    use crate::domain::{UserId, WindowId};
    use std::time::Duration;

    #[test]
    fn waits_grow_from_a_second_to_five_minutes() {
        for (attempts, seconds) in [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (4_000_000, 300)] {
            assert_eq!(wait(attempts), Duration::from_secs(seconds), "after {attempts}");
        }
        assert_eq!(WAIT_MAX, Duration::from_mins(5));
    }

    #[test]
    fn no_user_takes_all_places() {
        let mut working = Vec::new();
        for user in 1..=5 {
            for is_live in [false, false, false, false, true, true, true, true] {
                let id = WindowId(i64::try_from(working.len()).expect("few") + 1);
                let window = Working { id, user_id: UserId(user), is_live };
                if has_place(&working, window) {
                    working.push(window);
                    assert!(!has_place(&working, window), "it is heard already");
                }
            }
        }
        let counts = |user| {
            let of_user = working.iter().filter(|one| one.user_id == UserId(user));
            let recorded = of_user.clone().filter(|one| !one.is_live).count();
            (recorded, of_user.count())
        };
        assert_eq!([1, 2, 3, 4, 5].map(counts), [(3, 4), (1, 4), (0, 4), (0, 4), (0, 0)]);
    }
}
