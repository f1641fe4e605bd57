//! Sound for the tests of this room: speech, and what is none.

#![cfg(test)]

use crate::transcription::files::SoundFile;
use std::f64::consts::TAU;
use std::path::Path;

/// Eleven seconds of speech at 16 kHz: see `src/bots/runners/speech/README.md`.
pub(super) fn speech() -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bots/runners/speech/jfk.ogg");
    let mut file = SoundFile::open(&path).expect("the speech of the tests");
    let mut decoder = crate::transcription::decode::Decoder::new(file.format).expect("Opus");
    let mut samples = Vec::new();
    while let Some(packet) = file.next().expect("a packet") {
        decoder.decode(&packet.payload, &mut samples);
    }
    samples
}

/// A tone of so many hertz, at so many samples a second.
pub(super) fn tone(hertz: u32, rate: u32, seconds: u32) -> Vec<i16> {
    let step = TAU * f64::from(hertz) / f64::from(rate);
    (0..rate * seconds).map(|at| sample(8_000.0 * (f64::from(at) * step).sin())).collect()
}

/// Noise that has all frequencies alike, as loud as this on average; always the same.
pub(super) fn noise(amount: f64, seconds: u32) -> Vec<i16> {
    let mut state = 1_u64;
    (0..16_000 * seconds)
        .map(|_| {
            // Xorshift, by George Marsaglia.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let number = f64::from(u32::try_from(state >> 32).expect("32 bits"));
            sample((number / f64::from(u32::MAX) - 0.5) * 4.0 * amount)
        })
        .collect()
}

/// How strong one frequency is in samples (Goertzel): the amount of a tone that is all of them.
pub(super) fn strength(samples: &[i16], hertz: u32, rate: u32) -> f64 {
    let step = TAU * f64::from(hertz) / f64::from(rate);
    let (mut real, mut imaginary) = (0.0, 0.0);
    for (at, sample) in (0_u32..).zip(samples) {
        real += f64::from(*sample) * (f64::from(at) * step).cos();
        imaginary += f64::from(*sample) * (f64::from(at) * step).sin();
    }
    2.0 * real.hypot(imaginary) / f64::from(u32::try_from(samples.len()).expect("few"))
}

/// The bytes of samples, as S16le.
pub(super) fn bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "such a cast keeps within bounds")]
fn sample(of: f64) -> i16 {
    of.round() as i16
}
