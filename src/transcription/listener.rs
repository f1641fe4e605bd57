//! Follows the sound of meetings and cuts it into windows, only while some engine takes work. What
//! was cut is in the database, so after a restart it goes on there.

use crate::domain::{MeetingId, SoundId};
use crate::error::{Error, Result};
use crate::logging::Trouble;
use crate::transcription::cut_meeting::{Known, MeetingCutter, Step};
use crate::transcription::drafts::Drafts;
use crate::transcription::hearing::{Hearing, from_whole};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

/// How often new sounds are looked for, and whether an engine takes work.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// How often a meeting is looked at whose spool does not grow.
const REST_PERIOD: Duration = Duration::from_millis(500);
/// How long a meeting rests whose sound cannot be read.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);

/// Listens to all meetings with sound; it never ends by itself.
pub(crate) async fn keep_listening(hearing: Arc<Hearing>) {
    if !hearing.may_hear() {
        return;
    }
    let drafts = Arc::new(Drafts::new(Arc::clone(&hearing)));
    let mut trouble = Trouble::default();
    let mut meetings: HashMap<Id, MeetingId> = HashMap::new();
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        while let Some(ended) = tasks.try_join_next_with_id() {
            let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
            meetings.remove(&id);
        }
        if hearing.takes_now() {
            let known: HashSet<MeetingId> = meetings.values().copied().collect();
            match hearing.store.meetings_with_growing_sounds() {
                Ok(ids) => {
                    trouble.end("sounds are found again");
                    for id in ids.into_iter().filter(|id| !known.contains(id)) {
                        let listening = listen_to(Arc::clone(&hearing), Arc::clone(&drafts), id);
                        meetings.insert(tasks.spawn(listening).id(), id);
                    }
                }
                Err(error) => {
                    let cause = error.store_cause();
                    trouble.warn(&format!("sounds that grow cannot be read: {cause}"));
                }
            }
        }
        sleep(LOOK_PERIOD).await;
    }
}

/// Cuts the sounds of a meeting until none grows any more.
async fn listen_to(hearing: Arc<Hearing>, drafts: Arc<Drafts>, meeting_id: MeetingId) {
    if let Err(error) = cut_all(&hearing, &drafts, meeting_id).await {
        // It is tried again with the next look.
        let cause = error.cause().unwrap_or("the disk is full or busy");
        log::warn!("the sound of meeting {meeting_id} cannot be cut into windows now: {cause}");
        hearing.note_cut(meeting_id, false);
        sleep(FAILURE_PAUSE).await;
    }
}

async fn cut_all(
    hearing: &Arc<Hearing>,
    drafts: &Arc<Drafts>,
    meeting_id: MeetingId,
) -> Result<()> {
    let mut grown = grown(hearing, meeting_id).await?;
    let mut cutter: Option<MeetingCutter> = None;
    loop {
        if !hearing.takes_now() {
            // What it holds is read again.
            cutter = None;
            sleep(LOOK_PERIOD).await;
            continue;
        }
        let upto = *grown.borrow_and_update();
        let sounds = hearing.store.growing_sounds(meeting_id)?;
        if sounds.is_empty() {
            hearing.note_cut(meeting_id, true);
            return Ok(());
        }
        let has_all = *grown.borrow() == upto;
        let now = hearing.now();
        let known = Known { sounds, upto, has_all, now };
        let (stepped, step) = step(hearing, meeting_id, cutter.take(), known).await?;
        cutter = Some(stepped);
        hearing.note_cut(meeting_id, true);
        let Step { cuts, growing, is_at_end } = step;
        let ended: Vec<SoundId> =
            cuts.iter().filter(|cut| cut.is_whole).map(|cut| cut.sound_id).collect();
        drafts.forget(&ended);
        for cut in cuts {
            let has_windows = !cut.windows.is_empty();
            hearing.write(|| cut.clone()).await?;
            if has_windows {
                hearing.window_cut.notify_one();
            }
        }
        for window in growing {
            Arc::clone(drafts).offer(window);
        }
        if is_at_end {
            // Whether it has grown, has ended, or the time is over, it is looked at.
            let _ = timeout(REST_PERIOD, grown.changed()).await;
        }
    }
}

/// Up to where the spool of a meeting is durable.
async fn grown(hearing: &Arc<Hearing>, meeting_id: MeetingId) -> Result<watch::Receiver<u64>> {
    let hearing = Arc::clone(hearing);
    spawn_blocking(move || hearing.transcription.spool.grown(meeting_id))
        .await
        .map_err(|error| failed(&error))?
}

/// One step of the cutter, on a thread where nobody waits behind it.
async fn step(
    hearing: &Arc<Hearing>,
    meeting_id: MeetingId,
    cutter: Option<MeetingCutter>,
    known: Known,
) -> Result<(MeetingCutter, Step)> {
    let hearing = Arc::clone(hearing);
    let run = move || {
        let mut cutter = if let Some(cutter) = cutter {
            cutter
        } else {
            let offsets = known.sounds.iter().map(|sound| from_whole(sound.cut_offset));
            let reader = hearing.read_spool(meeting_id, offsets.min().unwrap_or(0))?;
            MeetingCutter::new(reader, hearing.has_gate)
        };
        let step = cutter.step(&known)?;
        Ok((cutter, step))
    };
    spawn_blocking(run).await.map_err(|error| failed(&error))?
}

fn failed(error: &tokio::task::JoinError) -> Error {
    Error::Internal(format!("a sound could not be cut: {error}"))
}
