//! Whether there is voice in a frame of sound.

use earshot::Detector;

/// Samples of a frame.
pub(crate) const FRAME: usize = 256;
/// Milliseconds of a frame.
pub(crate) const FRAME_MS: u64 = 16;

/// So many samples are heard before anything is judged, 0.24 s: until then the detector takes the
/// beginning of any noise for voice.
pub(crate) const PRIMED: usize = 15 * FRAME;

/// From this score on, of 1, a frame has voice. The detector's authors advise 0.5.
const BEGINS: f32 = 0.5;
/// From this score on, a frame still has voice while somebody speaks.
const STAYS: f32 = 0.35;
/// A frame whose samples all are less than this has no voice: it is silence, or 70 dB below it.
const AUDIBLE: u16 = 10;

/// Judges one frame after another of a sound.
pub(crate) struct Voice {
    detector: Box<Detector>,
}

impl Voice {
    /// Begins anew.
    pub(crate) fn new() -> Self {
        Self { detector: Detector::default_boxed() }
    }

    /// Hears sound without judging it.
    pub(crate) fn hear(&mut self, samples: &[i16]) {
        for frame in samples.chunks_exact(FRAME) {
            self.detector.predict_i16(frame);
        }
    }

    /// Whether there is voice in the next [`FRAME`] samples; `speaking` says whether somebody spoke
    /// just before.
    pub(crate) fn is_in(&mut self, frame: &[i16], speaking: bool) -> bool {
        let score = self.detector.predict_i16(frame);
        let is_audible = frame.iter().any(|sample| sample.unsigned_abs() >= AUDIBLE);
        is_audible && score >= if speaking { STAYS } else { BEGINS }
    }
}

/// Spans of a window in which there is voice, in milliseconds from its beginning.
pub(crate) fn voice_of(samples: &[i16]) -> Vec<(u64, u64)> {
    let mut voice = Voice::new();
    voice.hear(&samples[..samples.len().min(PRIMED)]);
    let mut spans: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    for frame in samples.chunks_exact(FRAME) {
        let end = at + FRAME_MS;
        let last = spans.last_mut().filter(|(_, last_end)| *last_end == at);
        if voice.is_in(frame, last.is_some()) {
            match last {
                Some((_, last_end)) => *last_end = end,
                None => spans.push((at, end)),
            }
        }
        at = end;
    }
    spans
}
