//! One stretch of a sound: its samples are read from the spool, an engine is asked, and what it
//! heard is judged and put on the clock of the sound.

use crate::domain::segment::TEXT_CHARS_MAX;
use crate::domain::spoken::without_controls;
use crate::error::{Error, Result};
use crate::store::{SoundToHear, WindowSegment, WindowWithheld, WindowWord};
use crate::transcription::engines::{HeardBy, NotHeard};
use crate::transcription::gate::{Judged, judge};
use crate::transcription::heard::{Asked, AskedSound, Heard, HeardSegment, Urgency};
use crate::transcription::hearing::{Hearing, whole};
use crate::transcription::own_engine::own_engine;
use crate::transcription::samples::read_samples;
use crate::transcription::voice::voice_of;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Longest code of a language that is taken from an engine, in characters.
const LANGUAGE_CHARS_MAX: usize = 32;

/// Where a stretch of a sound lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// When it begins, in milliseconds on the clock of the sound.
    pub start_ms: u64,
    /// When it ends.
    pub end_ms: u64,
    /// From where in the spool it is read.
    pub offset: u64,
}

/// A stretch of a sound as engines hear it.
pub(crate) struct Sampled {
    /// Its samples; none where the spool has nothing of it.
    pub samples: Vec<i16>,
    /// Where somebody speaks, in milliseconds from its beginning.
    pub voice: Vec<(u64, u64)>,
}

/// What was heard in a stretch, on the clock of the sound.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// What is believed.
    pub segments: Vec<WindowSegment>,
    /// What is not.
    pub withheld: Vec<WindowWithheld>,
    /// The language that was heard.
    pub language: Option<String>,
}

/// Reads a stretch from the spool, and looks where somebody speaks in it.
pub(crate) async fn sampled(
    hearing: &Arc<Hearing>,
    sound: &SoundToHear,
    stretch: Stretch,
) -> Result<Sampled> {
    let (meeting_id, sound_id, format) = (sound.meeting_id, sound.id, sound.format);
    let hearing = Arc::clone(hearing);
    let read = move || {
        let reader = hearing.read_spool(meeting_id, stretch.offset)?;
        let times = (stretch.start_ms, stretch.end_ms);
        let samples = read_samples(reader, sound_id, format, times)?;
        let voice = voice_of(&samples);
        Ok(Sampled { samples, voice })
    };
    let failed = |error| Error::Internal(format!("a sound could not be read: {error}"));
    spawn_blocking(read).await.map_err(failed)?
}

/// Asks the engines what is said in these samples.
pub(crate) async fn ask(
    hearing: &Hearing,
    sound: &SoundToHear,
    samples: Vec<i16>,
    urgency: Urgency,
) -> std::result::Result<HeardBy, NotHeard> {
    let unreadable = |error: Error| {
        let cause = error.store_cause();
        log::warn!("what a user has set for engines cannot be read: {cause}");
        NotHeard::Away("The settings of the user cannot be read.".to_owned())
    };
    let prompt = hearing.store.prompt_of(sound.meeting_id).map_err(unreadable)?;
    let own = own_engine(&hearing.store, sound.user_id).map_err(unreadable)?;
    let asked = Asked {
        sound: AskedSound::Samples(samples),
        language: sound.language.clone(),
        translates: sound.task.as_deref() == Some("translate"),
        words: !sound.has_speaker && urgency != Urgency::Draft,
        prompt,
        urgency,
        user_id: sound.user_id,
    };
    hearing.engines.hear_window(asked, own).await
}

/// Judges what was heard in a stretch that begins at `start_ms`, on a thread that may take a while.
pub(crate) async fn judged(
    heard: Heard,
    voice: Vec<(u64, u64)>,
    start_ms: u64,
    has_gate: bool,
) -> Result<Words> {
    let failed = |error| Error::Internal(format!("an answer could not be judged: {error}"));
    let judge = move || judged_now(heard, &voice, start_ms, has_gate);
    spawn_blocking(judge).await.map_err(failed)
}

fn judged_now(heard: Heard, voice: &[(u64, u64)], start_ms: u64, has_gate: bool) -> Words {
    let language = heard.language.clone().map(|language| cut(&language, LANGUAGE_CHARS_MAX));
    let Judged { kept, withheld } =
        if has_gate { judge(heard, voice) } else { Judged::without_gate(heard) };
    let mut words = Words { language, ..Words::default() };
    for segment in kept {
        words.segments.push(on_clock(&segment, start_ms));
    }
    for (segment, reason) in withheld {
        let WindowSegment { start_ms, end_ms, text, .. } = on_clock(&segment, start_ms);
        words.withheld.push(WindowWithheld { start_ms, end_ms, text, reason });
    }
    words
}

fn on_clock(segment: &HeardSegment, start_ms: u64) -> WindowSegment {
    let on_clock = |ms: u64| whole(start_ms.saturating_add(ms));
    let mut words = Vec::new();
    for word in &segment.words {
        words.push(WindowWord {
            start_ms: on_clock(word.start_ms),
            end_ms: on_clock(word.end_ms),
            word: without_controls(&word.word).into_owned(),
        });
    }
    WindowSegment {
        start_ms: on_clock(segment.start_ms),
        end_ms: on_clock(segment.end_ms),
        text: cut(&without_controls(&segment.text), TEXT_CHARS_MAX),
        words,
    }
}

/// At most so many characters of a text.
fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}
