//! How long a sound is, and how long an engine may take for it.

use crate::domain::sound::HEARD_RATE;
use crate::transcription::heard::{Asked, AskedSound};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// What an engine is given for the way, in seconds.
const TIME_SECONDS: u64 = 30;
/// What it is given for each second of sound, in seconds.
const TIME_SECONDS_A_SECOND: u64 = 2;
/// Longest wait for an engine.
const TIME_MAX: Duration = Duration::from_hours(1);
/// How much of the beginning and of the end of a sound tells it from others.
const END_LENGTH: usize = 32_768;
/// Bytes of a second of sound in a file whose length is not known: 64 kbit.
const FILE_BYTES_A_SECOND: u64 = 8_000;

/// How long the sound is, where that is known.
pub(super) fn length(asked: &Asked) -> Option<Duration> {
    length_ms(asked).map(Duration::from_millis)
}

/// The same in milliseconds.
pub(super) fn length_ms(asked: &Asked) -> Option<u64> {
    match &asked.sound {
        AskedSound::Samples(samples) => Some(samples.len() as u64 * 1000 / u64::from(HEARD_RATE)),
        AskedSound::File { .. } => None,
    }
}

/// A number that tells sounds apart: by their length, their beginning and their end.
pub(super) fn sound_number(asked: &Asked) -> u64 {
    let mut hasher = DefaultHasher::new();
    match &asked.sound {
        AskedSound::Samples(samples) => hash_ends(samples, &mut hasher),
        AskedSound::File { bytes, .. } => hash_ends(bytes, &mut hasher),
    }
    hasher.finish()
}

fn hash_ends<T: Hash>(sound: &[T], hasher: &mut DefaultHasher) {
    sound.len().hash(hasher);
    let most = sound.len().min(END_LENGTH);
    sound.iter().take(most).for_each(|one| one.hash(hasher));
    sound.iter().rev().take(most).for_each(|one| one.hash(hasher));
}

/// How long an engine may take.
pub(super) fn time_max(asked: &Asked) -> Duration {
    let seconds = match &asked.sound {
        AskedSound::Samples(samples) => (samples.len() as u64).div_ceil(HEARD_RATE.into()),
        AskedSound::File { bytes, .. } => (bytes.len() as u64).div_ceil(FILE_BYTES_A_SECOND),
    };
    Duration::from_secs(TIME_SECONDS + TIME_SECONDS_A_SECOND * seconds).min(TIME_MAX)
}
