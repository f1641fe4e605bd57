//! Drafts: what is said so far in a window that grows. Engines hear them only when they have
//! nothing else to do, and one that is not heard at once is dropped: the next one has more.

use crate::domain::{SoundId, UserId};
use crate::error::Result;
use crate::store::StoreDraft;
use crate::transcription::SoundNews;
use crate::transcription::cut_meeting::Growing;
use crate::transcription::cutter::GROWS_MS;
use crate::transcription::hear::{Sampled, Stretch, Words, ask, judged, sampled};
use crate::transcription::heard::Urgency;
use crate::transcription::hearing::{Hearing, whole};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Drafts that are made at once: each holds its samples in memory.
const DRAFTS_MAX: usize = 4;

/// The drafts of all sounds.
pub(crate) struct Drafts {
    hearing: Arc<Hearing>,
    sounds: Mutex<HashMap<SoundId, Drafted>>,
}

/// What a sound was drafted last.
#[derive(Debug, Clone, Copy)]
struct Drafted {
    /// When its window begins.
    start_ms: u64,
    /// Up to where it was taken.
    end_ms: u64,
    /// Whether an engine still hears it.
    is_heard: bool,
    /// Whose it is, once that is known.
    user_id: Option<UserId>,
}

impl Drafts {
    pub(crate) fn new(hearing: Arc<Hearing>) -> Self {
        Self { hearing, sounds: Mutex::default() }
    }

    /// Makes a draft of a window that grows, where it has grown enough since the last one and there
    /// is a place. Never waits.
    pub(crate) fn offer(self: Arc<Self>, window: Growing) {
        if !self.begin(&window) {
            return;
        }
        tokio::spawn(async move {
            let id = window.sound_id;
            if let Err(error) = self.draft(&window).await {
                log::debug!("no draft of sound {id}: {}", error.store_cause());
            }
            self.end(id);
        });
    }

    /// Whether it is to be drafted now; notes that it is.
    fn begin(&self, window: &Growing) -> bool {
        let mut sounds = self.sounds();
        if sounds.values().filter(|drafted| drafted.is_heard).count() >= DRAFTS_MAX {
            return false;
        }
        let (start_ms, end_ms) = (window.start_ms, window.end_ms);
        let since = match sounds.get(&window.sound_id) {
            Some(drafted) if drafted.is_heard => return false,
            Some(drafted) if drafted.start_ms == start_ms => drafted.end_ms,
            _ => start_ms,
        };
        if end_ms < since.saturating_add(GROWS_MS) {
            return false;
        }
        sounds.insert(window.sound_id, Drafted { start_ms, end_ms, is_heard: true, user_id: None });
        true
    }

    /// Whether it is the only draft that is made of this user's sound: their engine may be slow.
    fn is_only_one(&self, id: SoundId, user_id: UserId) -> bool {
        let mut sounds = self.sounds();
        let others = sounds.iter().filter(|(other, _)| **other != id);
        let mut heard = others.filter(|(_, other)| other.is_heard);
        if heard.any(|(_, other)| other.user_id == Some(user_id)) {
            return false;
        }
        if let Some(drafted) = sounds.get_mut(&id) {
            drafted.user_id = Some(user_id);
        }
        true
    }

    fn end(&self, id: SoundId) {
        if let Some(drafted) = self.sounds().get_mut(&id) {
            drafted.is_heard = false;
        }
    }

    /// Forgets the sounds that grow no more.
    pub(crate) fn forget(&self, ended: &[SoundId]) {
        self.sounds().retain(|id, drafted| drafted.is_heard || !ended.contains(id));
    }

    async fn draft(&self, window: &Growing) -> Result<()> {
        let hearing = &self.hearing;
        let Some(sound) = hearing.store.sound_to_hear(window.sound_id)? else { return Ok(()) };
        if !self.is_only_one(window.sound_id, sound.user_id) {
            return Ok(());
        }
        let Growing { start_ms, end_ms, offset, .. } = *window;
        let stretch = Stretch { start_ms, end_ms, offset };
        let Sampled { samples, voice } = sampled(hearing, &sound, stretch).await?;
        if samples.is_empty() {
            return Ok(());
        }
        // Whatever keeps engines from it, the next draft has these words too.
        let Ok(heard_by) = ask(hearing, &sound, samples, Urgency::Draft).await else {
            return Ok(());
        };
        let words = judged(heard_by.heard, voice, start_ms, hearing.has_gate).await?;
        let Some(news) = joined(&words) else { return Ok(()) };
        let verb = StoreDraft {
            sound_id: window.sound_id,
            window_start_ms: whole(start_ms),
            start_ms: news.start_ms,
            end_ms: news.end_ms,
            text: news.text.clone(),
            language: news.language.clone(),
            must_grow: true,
            now: hearing.now(),
        };
        if hearing.store.write(verb).await?.is_some() {
            hearing.counters().note_draft();
            hearing.transcription.publish(window.sound_id, news);
        }
        Ok(())
    }

    fn sounds(&self) -> MutexGuard<'_, HashMap<SoundId, Drafted>> {
        self.sounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that is believed, as one draft; nothing where that is nothing.
fn joined(words: &Words) -> Option<SoundNews> {
    let (first, last) = (words.segments.first()?, words.segments.last()?);
    let texts: Vec<&str> = words.segments.iter().map(|segment| segment.text.trim()).collect();
    Some(SoundNews {
        start_ms: first.start_ms,
        end_ms: last.end_ms,
        text: texts.join(" "),
        language: words.language.clone(),
        completed: false,
    })
}
