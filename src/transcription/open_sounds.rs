//! The sounds that come in now: how many a meeting has, whose they are, and who is told what was
//! heard in them.

use crate::clock::later;
use crate::domain::sound::SoundSource;
use crate::domain::{MeetingId, SoundId, Time};
use crate::error::Error;
use crate::transcription::refusals::Refusal;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Most sounds of a meeting at once.
const SOUNDS_MAX: usize = 64;
/// The same of Jitsi's videobridge, which sends one for each participant.
const JITSI_SOUNDS_MAX: usize = 500;
/// A speaker whose sound was silent for so long may be heard in another stream of the same source: a
/// bridge that comes back after its network was cut has new streams.
const SILENT_TIME: Duration = Duration::from_secs(5);
/// Most news that wait for a source; one that does not read them gets no more.
const NEWS_MAX: usize = 256;

/// What was heard in a sound, on its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoundNews {
    /// When it begins, in milliseconds.
    pub start_ms: i64,
    /// When it ends, in milliseconds.
    pub end_ms: i64,
    /// The words.
    pub text: String,
    /// In which language they were spoken, where that is known.
    pub language: Option<String>,
    /// Whether they are final.
    pub completed: bool,
}

/// Whether a source may still write to its sound: not where another one goes on with it, or it was
/// deleted.
#[derive(Debug, Clone, Default)]
pub(super) struct Claim(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    is_over: AtomicBool,
    /// Whether its speaker is heard in another stream.
    is_displaced: AtomicBool,
    /// When something was written last, in milliseconds of Unix time.
    written_at: AtomicI64,
    /// Where what comes next begins, in samples.
    next_at: AtomicU64,
}

impl Claim {
    fn new(now: Time) -> Self {
        let claim = Self::default();
        claim.0.written_at.store(now.as_millis(), Ordering::Release);
        claim
    }

    /// Whether its speaker is heard in another stream: nothing more is written to this one, and
    /// whoever wrote to it ends it.
    pub(super) fn is_displaced(&self) -> bool {
        self.0.is_displaced.load(Ordering::Acquire)
    }

    /// Something was written, up to there.
    pub(super) fn written(&self, next_at: u64, now: Time) {
        self.set_next_at(next_at);
        self.0.written_at.store(now.as_millis(), Ordering::Release);
    }

    fn is_silent(&self, now: Time) -> bool {
        let written_at = Time::from_millis(self.0.written_at.load(Ordering::Acquire));
        later(written_at, SILENT_TIME) <= now
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }

    /// Where what comes next begins at least: whoever wrote before may have written up to there.
    pub(super) fn next_at(&self) -> u64 {
        self.0.next_at.load(Ordering::Acquire)
    }

    pub(super) fn set_next_at(&self, next_at: u64) {
        self.0.next_at.store(next_at, Ordering::Release);
    }

    fn end(&self) {
        self.0.is_over.store(true, Ordering::Release);
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// A sound that is refused.
pub(super) struct Refused {
    pub refusal: Refusal,
    pub error: Error,
}

struct OpenSound {
    claim: Claim,
    source: SoundSource,
    speaker: Option<String>,
    /// Once it is known.
    id: Option<SoundId>,
}

impl OpenSound {
    /// Whether a speaker of a source is heard in it.
    fn is_of(&self, source: SoundSource, speaker: Option<&str>) -> bool {
        speaker.is_some()
            && self.source == source
            && self.speaker.as_deref() == speaker
            && !self.claim.is_displaced()
    }
}

/// The sounds that come in now.
#[derive(Default)]
pub(super) struct OpenSounds {
    sounds: Mutex<Sounds>,
    /// How many claims there are, with those that are over and not left yet.
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Sounds {
    /// By meeting and stream.
    meetings: HashMap<MeetingId, HashMap<String, OpenSound>>,
    news: HashMap<SoundId, mpsc::Sender<SoundNews>>,
}

impl OpenSounds {
    /// Takes a place for a sound. Who wrote to the stream of this name before is told that it is
    /// over, and who wrote to another one of the same speaker and source, where that was silent for 5 s.
    pub(super) fn claim(
        &self,
        meeting: MeetingId,
        uid: &str,
        source: SoundSource,
        speaker: Option<&str>,
        now: Time,
    ) -> Result<Claim, Refused> {
        let mut sounds = self.sounds();
        let of_meeting = sounds.meetings.entry(meeting).or_default();
        let fault = why_not(of_meeting, uid, source, speaker, now);
        if let Some((refusal, reason)) = fault {
            return Err(Refused { refusal, error: Error::NoRoomForSound { reason } });
        }
        for (other, sound) in of_meeting.iter() {
            if other != uid && sound.is_of(source, speaker) {
                sound.claim.0.is_displaced.store(true, Ordering::Release);
            }
        }
        let claim = Claim::new(now);
        let speaker = speaker.map(str::to_owned);
        let sound = OpenSound { claim: claim.clone(), source, speaker, id: None };
        let before = of_meeting.insert(uid.to_owned(), sound);
        if let Some(before) = before {
            sounds.end(&before);
            claim.set_next_at(before.claim.next_at());
        }
        self.count.send_modify(|count| *count += 1);
        Ok(claim)
    }

    /// The sound of a place is known: its news go to who has the place.
    pub(super) fn begun(
        &self,
        meeting: MeetingId,
        uid: &str,
        claim: &Claim,
        id: SoundId,
    ) -> mpsc::Receiver<SoundNews> {
        let (news, told) = mpsc::channel(NEWS_MAX);
        let mut sounds = self.sounds();
        if let Some(sound) = sounds.find(meeting, uid, claim) {
            sound.id = Some(id);
            sounds.news.insert(id, news);
        }
        told
    }

    /// Gives a place back, at the end of each claim; one that somebody else has taken stays theirs.
    pub(super) fn leave(&self, meeting: MeetingId, uid: &str, claim: &Claim) {
        let mut sounds = self.sounds();
        if sounds.find(meeting, uid, claim).is_some() {
            let of_meeting = sounds.meetings.get_mut(&meeting);
            if let Some(sound) = of_meeting.and_then(|streams| streams.remove(uid)) {
                sounds.end(&sound);
            }
        }
        sounds.meetings.retain(|_, streams| !streams.is_empty());
        self.count.send_modify(|count| *count = count.saturating_sub(1));
    }

    /// Whether somebody has the place of this stream.
    pub(super) fn is_claimed(&self, meeting: MeetingId, uid: &str) -> bool {
        self.sounds().meetings.get(&meeting).is_some_and(|streams| streams.contains_key(uid))
    }

    /// Nobody writes to the sounds of a meeting any more: they are deleted.
    pub(super) fn end_meeting(&self, meeting: MeetingId) {
        let mut sounds = self.sounds();
        for sound in sounds.meetings.remove(&meeting).unwrap_or_default().into_values() {
            sounds.end(&sound);
        }
    }

    /// Tells who brings a sound what was heard in it.
    pub(super) fn publish(&self, id: SoundId, news: SoundNews) {
        if let Some(told) = self.sounds().news.get(&id) {
            // Who does not read them finds the words where they are stored.
            let _ = told.try_send(news);
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until there is none.
    pub(super) async fn none(&self) {
        // The sender is held by this very list.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    fn sounds(&self) -> MutexGuard<'_, Sounds> {
        self.sounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sounds {
    fn find(&mut self, meeting: MeetingId, uid: &str, claim: &Claim) -> Option<&mut OpenSound> {
        let found = self.meetings.get_mut(&meeting)?.get_mut(uid)?;
        found.claim.is(claim).then_some(found)
    }

    fn end(&mut self, sound: &OpenSound) {
        sound.claim.end();
        if let Some(id) = sound.id {
            self.news.remove(&id);
        }
    }
}

/// Why a meeting takes no such sound now.
fn why_not(
    open: &HashMap<String, OpenSound>,
    uid: &str,
    source: SoundSource,
    speaker: Option<&str>,
    now: Time,
) -> Option<(Refusal, String)> {
    let same = open.get(uid);
    if same.is_some_and(|sound| !sound.claim.is_displaced()) {
        return None;
    }
    let max = if source == SoundSource::Jitsi { JITSI_SOUNDS_MAX } else { SOUNDS_MAX };
    if same.is_none() && open.len() >= max {
        let reason = format!("The meeting has {max} sounds, and no more at once.");
        return Some((Refusal::SoundsMax, reason));
    }
    let is_heard = |sound: &OpenSound| sound.is_of(source, speaker) && !sound.claim.is_silent(now);
    if open.values().any(is_heard) {
        let reason = "This speaker of the meeting is heard already, in another stream.".to_owned();
        return Some((Refusal::SpeakerTaken, reason));
    }
    None
}
