//! How long a piece of sound is.

use crate::domain::sound::{SoundCodec, SoundFormat};

/// Longest packet of Opus, in samples at 48 kHz: 120 ms (RFC 6716, 3.2.5).
pub(crate) const OPUS_SAMPLES_MAX: u64 = 5760;
/// Longest frame of a packet, in bytes (RFC 6716, 3.2.1), and the bytes that say how long it is.
const FRAME_BYTES_MAX: u64 = 1275 + 2;
/// Bytes of a packet before its frames.
const HEAD_BYTES_MAX: u64 = 2;

/// How many samples of its format's rate a payload holds; 0 for an Opus packet that breaks the
/// rules.
pub(crate) fn samples(format: SoundFormat, payload: &[u8]) -> u64 {
    match format.codec {
        SoundCodec::S16le => payload.len() as u64 / (2 * u64::from(format.channels.max(1))),
        SoundCodec::Opus => opus_samples(payload).unwrap_or(0),
        SoundCodec::File => 0,
    }
}

/// Whether a payload has a length, and no more bytes than that: an Opus packet that breaks these rules
/// is no sound. Samples always do.
pub(crate) fn is_sound(format: SoundFormat, payload: &[u8]) -> bool {
    if format.codec == SoundCodec::S16le {
        return true;
    }
    let Some((of_frame, frames)) = opus_frames(payload) else { return false };
    let bytes_max = frames * FRAME_BYTES_MAX + HEAD_BYTES_MAX;
    is_length(of_frame * frames) && payload.len() as u64 <= bytes_max
}

/// Samples in milliseconds.
pub(crate) fn millis(format: SoundFormat, samples: u64) -> u64 {
    let millis = u128::from(samples) * 1000 / u128::from(format.rate.max(1));
    u64::try_from(millis).unwrap_or(u64::MAX)
}

/// Samples at 48 kHz of an Opus packet: `None` where it breaks the rules.
pub(crate) fn opus_samples(packet: &[u8]) -> Option<u64> {
    let (of_frame, frames) = opus_frames(packet)?;
    let samples = of_frame * frames;
    is_length(samples).then_some(samples)
}

/// Whether a packet may be so long.
fn is_length(samples: u64) -> bool {
    (1..=OPUS_SAMPLES_MAX).contains(&samples)
}

/// The samples of a frame at 48 kHz, and the number of frames, by the first bytes of an Opus packet (RFC
/// 6716, 3.1 and 3.2).
fn opus_frames(packet: &[u8]) -> Option<(u64, u64)> {
    let first = *packet.first()?;
    let config = first >> 3;
    let of_frame = match config {
        0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        12..=15 => [480, 960][usize::from(config % 2)],
        _ => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(packet.get(1)? & 63),
    };
    Some((of_frame, frames))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_how_long_it_is() {
        for (packet, expected) in [
            // SILK of 10 and 60 ms, hybrid of 20 ms, CELT of 2.5 and 20 ms.
            (&[0][..], 480),
            (&[3 << 3], 2880),
            (&[13 << 3], 960),
            (&[16 << 3], 120),
            (&[31 << 3, 1, 2], 960),
            // Two frames, and as many as the second byte says.
            (&[(31 << 3) | 1], 1920),
            (&[(31 << 3) | 3, 6], 5760),
            (&[(31 << 3) | 3, 128 | 3], 2880),
            // Longer than 120 ms, no frames, no second byte, nothing.
            (&[(31 << 3) | 3, 7], 0),
            (&[(31 << 3) | 3, 0], 0),
            (&[(31 << 3) | 3], 0),
            (&[], 0),
        ] {
            let format = SoundFormat { codec: SoundCodec::Opus, rate: 48_000, channels: 2 };
            assert_eq!(samples(format, packet), expected, "{packet:?}");
        }
    }

    #[test]
    fn a_packet_that_breaks_the_rules_is_no_sound() {
        let format = SoundFormat { codec: SoundCodec::Opus, rate: 48_000, channels: 2 };
        let of_bytes = |head: &[u8], bytes: usize| {
            let mut packet = head.to_vec();
            packet.resize(bytes, 1);
            packet
        };
        let six_frames = [(31 << 3) | 3, 6];
        for (packet, expected) in [
            (of_bytes(&[31 << 3], 1276), true),
            (of_bytes(&[31 << 3], 1300), false),
            (of_bytes(&six_frames, 6 * 1275 + 14), true),
            (of_bytes(&six_frames, 8000), false),
            (of_bytes(&[(31 << 3) | 3, 7], 100), false),
            (of_bytes(&[(31 << 3) | 3, 0], 100), false),
            (vec![(31 << 3) | 3], false),
        ] {
            assert_eq!(is_sound(format, &packet), expected, "{} bytes", packet.len());
        }
    }

    #[test]
    fn samples_are_counted_for_each_channel() {
        let format = SoundFormat { codec: SoundCodec::S16le, rate: 16_000, channels: 2 };
        assert_eq!(samples(format, &[0; 64]), 16);
        assert_eq!(millis(format, 16_000 * 3 + 8), 3000);
        assert_eq!(millis(format, u64::MAX), u64::MAX / 16, "no overflow");
    }
}
