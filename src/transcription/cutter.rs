//! Cuts sound at pauses into windows, by voice.
//!
//! What a cutter does after a cut depends on the samples after it alone: the cut is where everything
//! begins anew, the judge of voice included, and what was looked at beyond it is looked at again. So
//! a listener that is started again at the last cut makes the cuts that it would have made.

use crate::domain::sound::WINDOW_MS_MAX;
use crate::transcription::voice::{FRAME, FRAME_MS, PRIMED, Voice};

/// Samples of a millisecond.
const MS: u64 = 16;

/// So many frames with voice in [`RECENT`] begin speech: what is shorter is a click or a cough.
const BEGIN_FRAMES: u32 = 5;
/// The last frames that are counted for that, as bits.
const RECENT: u32 = 8;
/// A pause: so many frames without voice, about 0.7 s.
const PAUSE_FRAMES: usize = 44;
/// Sound of a window before and after its voice, about 0.3 s: the beginnings and ends of words are
/// quiet.
const MARGIN_FRAMES: usize = 19;
/// Longest window.
const WINDOW_FRAMES_MAX: usize = 1_750;
const _: () = assert!(WINDOW_FRAMES_MAX as u64 * FRAME_MS == WINDOW_MS_MAX);
/// Where nobody pauses, the cut is in the last 8 s of the longest window.
const LAST_FRAMES: usize = 500;
/// How many frames before and after a place are looked at to find the quietest.
const AROUND_FRAMES: usize = 3;
/// After so much silence, about 10 s, it is cut off.
const SILENCE_FRAMES: usize = 625;
/// How much louder the loud tenth of speech is than its quiet tenth, in tenths, at least: 8 dB. What
/// is steadier is a tone, a hum or noise that sounds like voice.
const LIVELY_TENTHS: u64 = 25;
/// How much a window grows until it is drafted, and between two drafts, in milliseconds.
pub(crate) const GROWS_MS: u64 = 2_000;
/// From this length on a window may have been drafted.
const DRAFTED_FRAMES: usize = 125;
const _: () = assert!(DRAFTED_FRAMES as u64 * FRAME_MS == GROWS_MS);
/// The longest gap that is filled with silence; what is longer is passed over.
const GAP_MS_FILLED: u64 = 5_000;

/// A cut. Times are in milliseconds on the clock of the sound; the next cut begins where this ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Somebody speaks in this window, which is at most [`WINDOW_MS_MAX`] long.
    Window {
        /// When it begins.
        start_ms: u64,
        /// When it ends; everything up to here is cut.
        end_ms: u64,
    },
    /// Nobody speaks from the last cut up to here.
    Silence {
        /// Until when.
        until_ms: u64,
        /// When what sounded like speech began, where there was something like that, and never as
        /// lively as words are since it was long enough for a draft.
        unsaid_ms: Option<u64>,
    },
}

/// Cuts one sound. Frames are counted from the last cut.
pub(crate) struct Cutter {
    /// Where the last cut ended.
    base_ms: u64,
    /// Whether silence is cut into windows too.
    takes_silence: bool,
    voice: Voice,
    /// Whether `voice` has heard what comes.
    is_primed: bool,
    /// Whether nothing more comes.
    is_over: bool,
    /// Samples that may be looked at again, and those that were not looked at yet.
    samples: Vec<i16>,
    /// Which frame `samples` begin with.
    held_from: usize,
    /// How many frames were looked at.
    frames: usize,
    /// Which of the last frames have voice: a bit each, the last one is the lowest.
    recent: u32,
    speech: Option<Speech>,
}

/// Somebody speaks.
struct Speech {
    /// The first frame of the window.
    start: usize,
    /// The last frame with voice.
    last_voice: usize,
    /// How loud each frame is, from `start` on.
    loudness: Vec<u64>,
    /// How loud those with voice are, the quietest first.
    voiced: Vec<u64>,
    /// Whether it was lively when it was long enough for a draft: something was said, whatever
    /// comes behind it.
    was_lively: bool,
}

impl Speech {
    /// Notes what the next frame is. Where the window ends, it is the frame that it ends before.
    fn note(&mut self, frame: usize, has_voice: bool, loudness: u64) -> Option<usize> {
        self.loudness.push(loudness);
        if has_voice {
            self.last_voice = frame;
            let place = self.voiced.partition_point(|quieter| *quieter < loudness);
            self.voiced.insert(place, loudness);
        }
        self.was_lively |= self.loudness.len() >= DRAFTED_FRAMES && self.is_lively();
        if frame - self.last_voice >= PAUSE_FRAMES {
            return Some(self.last_voice + 1 + MARGIN_FRAMES);
        }
        let is_full = self.loudness.len() >= WINDOW_FRAMES_MAX;
        is_full.then(|| self.start + quietest(&self.loudness))
    }

    /// Whether somebody speaks, or has spoken.
    fn is_said(&self) -> bool {
        self.was_lively || self.is_lively()
    }

    /// Whether it is as lively as words are.
    fn is_lively(&self) -> bool {
        let voiced = &self.voiced;
        let quiet = voiced.get(voiced.len() / 10).copied().unwrap_or_default();
        let loud = voiced.get(voiced.len() * 9 / 10).copied().unwrap_or_default();
        loud * 10 >= quiet * LIVELY_TENTHS
    }
}

impl Cutter {
    /// Begins at this time of the sound: 0, or where the last cut ended.
    pub(crate) fn new(start_ms: u64) -> Self {
        Self {
            base_ms: start_ms,
            takes_silence: false,
            voice: Voice::new(),
            is_primed: false,
            is_over: false,
            samples: Vec::new(),
            held_from: 0,
            frames: 0,
            recent: 0,
            speech: None,
        }
    }

    /// The same, but silence is cut into windows too: for a server whose gate is off.
    pub(crate) fn without_gate(start_ms: u64) -> Self {
        Self { takes_silence: true, ..Self::new(start_ms) }
    }

    /// Takes the next samples, 16,000 a second. How they are divided into pushes makes no difference.
    pub(crate) fn push(&mut self, samples: &[i16]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        // Piece by piece, so that a long push does not hold all of it twice.
        for piece in samples.chunks(FRAME * 64) {
            self.samples.extend_from_slice(piece);
            self.look(&mut cuts);
        }
        cuts
    }

    /// Nothing came up to this time of the sound: a gap is silence.
    pub(crate) fn skip_to(&mut self, ms: u64) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let gap = ms.saturating_mul(MS).saturating_sub(self.position());
        let filled = gap.min(GAP_MS_FILLED * MS);
        let silence = [0; FRAME];
        for from in (0..filled).step_by(FRAME) {
            let count = (filled - from).min(FRAME as u64);
            cuts.extend(self.push(&silence[..usize::try_from(count).unwrap_or(FRAME)]));
        }
        if gap > filled {
            // The pause was long enough: nobody speaks.
            self.begin_at(ms, Vec::new());
            cuts.push(Cut::Silence { until_ms: ms, unsaid_ms: None });
        }
        cuts
    }

    /// Voice that no window has yet: from when to when.
    pub(crate) fn growing(&self) -> Option<(u64, u64)> {
        let speech = self.speech.as_ref().filter(|speech| speech.is_said())?;
        Some((self.time(speech.start), self.time(self.frames)))
    }

    /// The sound is over: cuts what is left.
    pub(crate) fn finish(&mut self) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let end_ms = self.position().div_ceil(MS);
        let missing = self.samples.len().next_multiple_of(FRAME) - self.samples.len();
        self.samples.resize(self.samples.len() + missing, 0);
        self.is_over = true;
        self.look(&mut cuts);
        if let Some(speech) = &self.speech {
            let end = self.time(speech.last_voice + 1 + MARGIN_FRAMES).min(end_ms);
            cuts.push(self.window(speech, end));
        } else if self.base_ms < end_ms {
            cuts.push(self.silence(end_ms));
        }
        self.is_over = false;
        self.begin_at(end_ms, Vec::new());
        cuts
    }

    /// Looks at the frames that were not looked at, cut after cut.
    fn look(&mut self, cuts: &mut Vec<Cut>) {
        while self.is_primed || self.prime() {
            let from = (self.frames - self.held_from) * FRAME;
            let Some(frame) = self.samples.get(from..from + FRAME) else { break };
            let has_voice = self.voice.is_in(frame, self.speech.is_some());
            let loudness = loudness(frame);
            if let Some((end, cut)) = self.note(has_voice, loudness) {
                cuts.push(cut);
                let rest = self.samples.split_off((end - self.held_from) * FRAME);
                self.begin_at(self.time(end), rest);
            }
        }
        self.forget();
    }

    /// Lets the judge of voice hear what comes before it judges it: out of the blue, it takes noise for
    /// voice. It waits until enough is there.
    fn prime(&mut self) -> bool {
        let Some(first) = self.samples.get(..PRIMED) else {
            if self.is_over {
                self.voice.hear(&self.samples);
                self.is_primed = true;
            }
            return self.is_primed;
        };
        self.voice.hear(first);
        self.is_primed = true;
        true
    }

    /// Notes what the next frame is. A cut comes with the frame that it ends before.
    fn note(&mut self, has_voice: bool, loudness: u64) -> Option<(usize, Cut)> {
        let frame = self.frames;
        self.frames += 1;
        if let Some(mut speech) = self.speech.take() {
            let end = speech.note(frame, has_voice, loudness);
            let cut = end.map(|end| (end, self.window(&speech, self.time(end))));
            self.speech = Some(speech);
            return cut;
        }
        self.recent = (self.recent << 1 | u32::from(has_voice)) & ((1 << RECENT) - 1);
        if self.recent.count_ones() >= BEGIN_FRAMES {
            self.begin_speech(frame, loudness);
            return None;
        }
        if self.frames < SILENCE_FRAMES || self.recent != 0 {
            return None;
        }
        let end = self.frames - MARGIN_FRAMES - RECENT as usize;
        Some((end, self.silence(self.time(end))))
    }

    /// Speech began some frames before this one.
    fn begin_speech(&mut self, frame: usize, loudness: u64) {
        let start = (frame + 1).saturating_sub(RECENT as usize + MARGIN_FRAMES);
        let start = if self.takes_silence { 0 } else { start };
        let voiced = vec![loudness];
        let loudness = vec![u64::from(u32::MAX); frame + 1 - start];
        self.speech =
            Some(Speech { start, last_voice: frame, loudness, voiced, was_lively: false });
        self.recent = 0;
    }

    /// The cut of speech that ends here.
    fn window(&self, speech: &Speech, end_ms: u64) -> Cut {
        match speech.is_said() || self.takes_silence {
            true => Cut::Window { start_ms: self.time(speech.start), end_ms },
            false => Cut::Silence { until_ms: end_ms, unsaid_ms: Some(self.time(speech.start)) },
        }
    }

    /// The cut of silence that ends here.
    fn silence(&self, until_ms: u64) -> Cut {
        match self.takes_silence {
            true => Cut::Window { start_ms: self.base_ms, end_ms: until_ms },
            false => Cut::Silence { until_ms, unsaid_ms: None },
        }
    }

    /// Begins anew at this time, with the samples after it.
    fn begin_at(&mut self, ms: u64, samples: Vec<i16>) {
        let Self { takes_silence, is_over, .. } = *self;
        *self = Self { takes_silence, is_over, samples, ..Self::new(ms) };
    }

    /// Forgets samples that are not looked at again: in silence all but what a window may begin
    /// with, in speech all before the window and before the last seconds of it.
    fn forget(&mut self) {
        let first = match &self.speech {
            None => self.frames.saturating_sub(MARGIN_FRAMES + RECENT as usize),
            Some(speech) => self.frames.saturating_sub(LAST_FRAMES).max(speech.start),
        };
        // Only now and then: what stays is moved.
        if first >= self.held_from + MARGIN_FRAMES {
            self.samples.drain(..(first - self.held_from) * FRAME);
            self.held_from = first;
        }
    }

    /// The time of a frame's beginning.
    fn time(&self, frame: usize) -> u64 {
        self.base_ms + frame as u64 * FRAME_MS
    }

    /// The place of the next sample, in samples since the sound's beginning.
    fn position(&self) -> u64 {
        self.base_ms * MS + (self.held_from * FRAME + self.samples.len()) as u64
    }
}

/// How loud a frame is: the mean of its samples' amounts.
fn loudness(frame: &[i16]) -> u64 {
    let mut sum = 0;
    for sample in frame {
        sum += u64::from(sample.unsigned_abs());
    }
    sum / FRAME as u64
}

/// The quietest place among the last frames of a window, of several the last one.
fn quietest(loudness: &[u64]) -> usize {
    let end = loudness.len().saturating_sub(AROUND_FRAMES);
    let mut found = end;
    let mut least = u64::MAX;
    for place in loudness.len().saturating_sub(LAST_FRAMES)..end {
        let around = &loudness[place.saturating_sub(AROUND_FRAMES)..=place + AROUND_FRAMES];
        let sum: u64 = around.iter().sum();
        if sum <= least {
            least = sum;
            found = place;
        }
    }
    found
}

mod tests;
