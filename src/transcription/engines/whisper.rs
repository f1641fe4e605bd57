//! Whisper itself, in the process of the command `whisper-child`.

use crate::domain::sound::HEARD_RATE;
use crate::transcription::engines::figures::{compression_ratio, positions};
use crate::transcription::engines::frames::Question;
use crate::transcription::heard::{Heard, HeardSegment, HeardWord};
use std::path::Path;
use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperSegment,
    WhisperState, get_lang_str, install_logging_hooks,
};

/// Shortest sound, in samples: what is shorter is followed by silence.
const SAMPLES_MIN: usize = HEARD_RATE as usize * 5 / 4;
/// How much less likely the tokens of each further attempt may be.
const TEMPERATURE_STEP: f32 = 0.2;

/// A model in memory.
pub(crate) struct Model {
    context: WhisperContext,
    state: WhisperState,
    threads: i32,
}

/// What the processor lacks of that for which Whisper is built: x86-64-v3. Elsewhere it is built
/// for every processor.
pub(crate) fn lacking() -> Vec<&'static str> {
    let mut lacking = Vec::new();
    #[cfg(target_arch = "x86_64")]
    for (name, is_there) in [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("bmi2", is_x86_feature_detected!("bmi2")),
    ] {
        if !is_there {
            lacking.push(name);
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    lacking.clear();
    lacking
}

impl Model {
    /// Reads a model from its file.
    pub(crate) fn open(path: &Path, threads: u8) -> Result<Self, String> {
        // What it would print is nobody's to read.
        install_logging_hooks();
        let mut parameters = WhisperContextParameters::default();
        // Slower without a graphics card, and less sure of its times.
        parameters.flash_attn(false);
        let context = WhisperContext::new_with_params(path, parameters);
        let context = context.map_err(|error| error.to_string())?;
        let state = context.create_state().map_err(|error| error.to_string())?;
        Ok(Self { context, state, threads: threads.max(1).into() })
    }

    /// Makes words of samples.
    pub(crate) fn hear(&mut self, samples: &[i16], question: &Question) -> Result<Heard, String> {
        let mut sound: Vec<f32> = Vec::with_capacity(samples.len().max(SAMPLES_MIN));
        sound.extend(samples.iter().map(|sample| f32::from(*sample) / 32_768.0));
        if sound.len() < SAMPLES_MIN {
            sound.resize(SAMPLES_MIN, 0.0);
        }
        let language = self.language(question);
        let mut wanted = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
        wanted.set_n_threads(self.threads);
        wanted.set_language(Some(&language));
        wanted.set_translate(question.translates && self.context.is_multilingual());
        wanted.set_no_context(true);
        wanted.set_suppress_blank(true);
        wanted.set_suppress_nst(true);
        wanted.set_token_timestamps(question.words);
        wanted.set_temperature_inc(if question.is_draft { 0.0 } else { TEMPERATURE_STEP });
        wanted.set_audio_ctx(positions(sound.len()));
        wanted.set_print_special(false);
        wanted.set_print_progress(false);
        wanted.set_print_realtime(false);
        wanted.set_print_timestamps(false);
        // The library does not take a zero.
        let prompt = question.prompt.as_deref().unwrap_or_default().replace('\0', " ");
        if !prompt.trim().is_empty() {
            wanted.set_initial_prompt(&prompt);
        }
        self.state.full(wanted, &sound).map_err(|error| error.to_string())?;
        Ok(self.heard(samples.len(), question.words))
    }

    /// The language that Whisper is told; `auto` is one that it finds out.
    fn language(&self, question: &Question) -> String {
        if !self.context.is_multilingual() {
            return "en".to_owned();
        }
        let known = question.language.as_deref();
        let known = known.filter(|code| crate::domain::Language::from_code(code).is_some());
        known.unwrap_or("auto").to_owned()
    }

    fn heard(&self, samples: usize, has_words: bool) -> Heard {
        let end_ms = samples as u64 * 1000 / u64::from(HEARD_RATE);
        let end_of_text = self.context.token_eot();
        let mut segments = Vec::new();
        for segment in self.state.as_iter() {
            let text = segment.to_str_lossy().unwrap_or_default().trim().to_owned();
            if text.is_empty() {
                continue;
            }
            let words = match has_words {
                true => words(&segment, end_of_text, end_ms),
                false => Vec::new(),
            };
            segments.push(HeardSegment {
                start_ms: millis(segment.start_timestamp(), end_ms),
                end_ms: millis(segment.end_timestamp(), end_ms),
                avg_logprob: mean_of_logarithms(&segment, end_of_text),
                no_speech_prob: Some(segment.no_speech_probability().into()),
                compression_ratio: compression_ratio(&text),
                text,
                words,
            });
        }
        let language = get_lang_str(self.state.full_lang_id_from_state()).map(str::to_owned);
        Heard { language, language_probability: None, duration_ms: None, segments }
    }
}

/// Hundredths of a second as milliseconds within the sound.
fn millis(hundredths: i64, end_ms: u64) -> u64 {
    let millis = hundredths.max(0).cast_unsigned().saturating_mul(10);
    millis.min(end_ms)
}

/// The mean over the tokens that stand for text.
fn mean_of_logarithms(segment: &WhisperSegment<'_>, end_of_text: i32) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_u32;
    for number in 0..segment.n_tokens() {
        let Some(token) = segment.get_token(number) else { continue };
        if token.token_id() < end_of_text {
            sum += f64::from(token.token_data().plog);
            count += 1;
        }
    }
    (count > 0).then(|| sum / f64::from(count))
}

/// The words of a segment: a token that begins with a space begins one.
fn words(segment: &WhisperSegment<'_>, end_of_text: i32, end_ms: u64) -> Vec<HeardWord> {
    let mut words: Vec<(Vec<u8>, HeardWord)> = Vec::new();
    for number in 0..segment.n_tokens() {
        let Some(token) = segment.get_token(number) else { continue };
        let (data, bytes) = (token.token_data(), token.to_bytes().unwrap_or_default());
        if token.token_id() >= end_of_text || bytes.is_empty() {
            continue;
        }
        let end = millis(data.t1, end_ms);
        let probability = f64::from(data.p);
        match words.last_mut() {
            Some((whole, word)) if !bytes.starts_with(b" ") => {
                whole.extend_from_slice(bytes);
                word.end_ms = word.end_ms.max(end);
                // A word is as sure as the least sure of its tokens.
                let least = word.probability.map_or(probability, |known| known.min(probability));
                word.probability = Some(least);
            }
            _ => {
                let start_ms = millis(data.t0, end_ms);
                let word = HeardWord {
                    start_ms,
                    end_ms: end.max(start_ms),
                    word: String::new(),
                    probability: Some(probability),
                };
                words.push((bytes.to_vec(), word));
            }
        }
    }
    let mut whole = Vec::with_capacity(words.len());
    for (bytes, mut word) in words {
        String::from_utf8_lossy(&bytes).trim().clone_into(&mut word.word);
        if !word.word.is_empty() {
            whole.push(word);
        }
    }
    whole
}
