//! What is worked out around Whisper: how much of its window is heard, and how far a text can be
//! compressed.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// Samples of which Whisper makes one position of its window: 20 ms.
const POSITION_SAMPLES: usize = 320;
/// Positions of the whole window: 30 s.
const POSITIONS_MAX: usize = 1500;
/// Positions behind the end of the sound: 5 s. With half of them `tiny.en` said short windows twice
/// and lost the first letters of a word.
const POSITIONS_BEHIND: usize = 256;

/// The positions that are there, and some behind; 0 is the whole window.
pub(super) fn positions(samples: usize) -> i32 {
    let positions = samples.div_ceil(POSITION_SAMPLES) + POSITIONS_BEHIND;
    match positions < POSITIONS_MAX {
        true => i32::try_from(positions).unwrap_or_default(),
        false => 0,
    }
}

/// How much shorter the text becomes by zlib, as Whisper's authors measure it.
pub(super) fn compression_ratio(text: &str) -> Option<f64> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).ok()?;
    let compressed = encoder.finish().ok()?;
    let (whole, short) = (u32::try_from(text.len()).ok()?, u32::try_from(compressed.len()).ok()?);
    Some(f64::from(whole) / f64::from(short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_cut_to_what_is_there() {
        assert_eq!(positions(320), 257);
        assert_eq!(positions(16_000 * 11), 550 + 256);
        assert_eq!(positions(16_000 * 28), 0);
    }

    #[test]
    fn what_repeats_itself_can_be_compressed_far() {
        let ratio = |text: &str| compression_ratio(text).expect("a ratio");
        assert!(ratio("And so my fellow Americans") < 1.2);
        assert!(ratio(&"Thank you. ".repeat(20)) > 2.4);
    }
}
