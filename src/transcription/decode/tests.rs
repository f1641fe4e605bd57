//! What is decoded, and what is not.

#![cfg(test)]

use super::*;
use crate::transcription::tests::{bytes, strength, tone};
use proptest::prelude::*;
use ropus::{Application, Bitrate, Encoder};

const OPUS: SoundFormat = SoundFormat { codec: SoundCodec::Opus, rate: OPUS_RATE, channels: 1 };

fn samples_of(rate: u32, channels: u8) -> SoundFormat {
    SoundFormat { codec: SoundCodec::S16le, rate, channels }
}

/// Decodes payloads, to the end.
fn decoded<'a>(format: SoundFormat, payloads: impl Iterator<Item = &'a [u8]>) -> Vec<i16> {
    let mut decoder = Decoder::new(format).expect("a form that is read");
    let mut out = Vec::new();
    for payload in payloads {
        decoder.decode(payload, &mut out);
    }
    decoder.finish(&mut out);
    out
}

/// Opus packets of 20 ms of samples at 48 kHz.
fn packets_of(samples: &[i16], channels: Channels) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::builder(48_000, channels, Application::Audio)
        .bitrate(Bitrate::Bits(64_000))
        .build()
        .expect("an encoder");
    let encode = |frame: &[i16]| {
        let mut packet = vec![0; 4_000];
        let length = encoder.encode(frame, &mut packet).expect("a packet");
        packet.truncate(length);
        packet
    };
    samples.chunks_exact(960 * channels.count()).map(encode).collect()
}

#[test]
fn opus_is_decoded() {
    let packets = packets_of(&tone(1_000, 48_000, 1), Channels::Mono);
    let out = decoded(OPUS, packets.iter().map(Vec::as_slice));
    assert_eq!(out.len(), 16_000);
    let level = strength(&out[1_600..14_400], 1_000, 16_000);
    assert!((7_000.0..9_000.0).contains(&level), "{level}");
    // Of two channels, the mean.
    let left_alone: Vec<i16> =
        tone(1_000, 48_000, 1).into_iter().flat_map(|sample| [sample, 0]).collect();
    let packets = packets_of(&left_alone, Channels::Stereo);
    let format = SoundFormat { channels: 2, ..OPUS };
    let out = decoded(format, packets.iter().map(Vec::as_slice));
    let level = strength(&out[1_600..14_400], 1_000, 16_000);
    assert!((3_000.0..5_000.0).contains(&level), "{level}");
}

#[test]
fn a_broken_packet_is_silence_of_its_length() {
    // Code 3 with no frames, too many of them, and none that is whole (RFC 6716, section 3.2.5).
    for (packet, samples) in [
        (&[][..], 320),
        (&[3][..], 320),
        (&[3 << 3 | 3, 0][..], 320),
        (&[3 << 3 | 3, 63, 1, 2, 3][..], 320),
        (&[3 << 3 | 1, 1, 2][..], 1_920),
        (&[1 << 3 | 3, 0x03, 1][..], 960),
        (&[31 << 3 | 2, 255, 255, 1][..], 640),
    ] {
        let out = decoded(OPUS, [packet].into_iter());
        assert_eq!(out.len(), samples, "{packet:?}");
        assert!(out.iter().all(|sample| *sample == 0), "{packet:?}");
    }
    // A good one after it is heard.
    let mut packets = packets_of(&tone(1_000, 48_000, 1), Channels::Mono);
    packets[10] = vec![3];
    let out = decoded(OPUS, packets.iter().map(Vec::as_slice));
    assert_eq!(out.len(), 16_000);
    assert!(strength(&out[8_000..14_400], 1_000, 16_000) > 7_000.0);
}

#[test]
fn samples_of_every_rate_become_16_khz() {
    for rate in [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
        for channels in [1, 2, 8] {
            let mono = tone(1_000, rate, 1);
            let all: Vec<i16> =
                mono.iter().flat_map(|sample| vec![*sample; usize::from(channels)]).collect();
            let payload = bytes(&all);
            let format = samples_of(rate, channels);
            assert_eq!(length_of(format, &payload), u64::from(rate));
            let out = decoded(format, [payload.as_slice()].into_iter());
            assert_eq!(out.len(), 16_000, "{rate} Hz");
            let level = strength(&out[800..15_200], 1_000, 16_000);
            assert!((7_600.0..8_400.0).contains(&level), "{rate} Hz: {level}");
        }
    }
}

#[test]
fn what_16_khz_cannot_carry_does_not_come_back_as_something_else() {
    for (rate, hertz) in [(48_000, 10_000), (44_100, 12_000), (32_000, 9_500), (96_000, 30_000)] {
        let payload = bytes(&tone(hertz, rate, 1));
        let out = decoded(samples_of(rate, 1), [payload.as_slice()].into_iter());
        // Beyond the edges, where the tone begins and ends at once, nothing is left: 60 dB less.
        let loudest = out[800..15_200].iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest.is_some_and(|loudest| loudest <= 8), "{hertz} Hz at {rate}: {loudest:?}");
    }
}

#[test]
fn speech_keeps_its_place() {
    // A click in the middle of a second stays there, to a millisecond.
    for rate in [8_000, 44_100, 48_000] {
        let mut samples = vec![0; rate as usize];
        samples[rate as usize / 2..][..rate as usize / 1_000].fill(20_000);
        let payload = bytes(&samples);
        let out = decoded(samples_of(rate, 1), payload.chunks(999 * 2));
        let loudest = out.iter().enumerate().max_by_key(|(_, sample)| sample.unsigned_abs());
        let at = loudest.map(|(at, _)| at).expect("samples");
        assert!((8_000 - 8..8_000 + 24).contains(&at), "{rate} Hz: {at}");
    }
}

#[test]
fn forms_that_are_not_read_are_refused_with_a_sentence() {
    for (format, word) in [
        (samples_of(7_999, 1), "7999 samples"),
        (samples_of(96_001, 1), "96001 samples"),
        (samples_of(0, 1), "0 samples"),
        (samples_of(16_000, 0), "0 channels"),
        (samples_of(16_000, 9), "9 channels"),
        (SoundFormat { channels: 3, ..OPUS }, "3 channels"),
        (SoundFormat { channels: 0, ..OPUS }, "0 channels"),
        (SoundFormat { rate: 16_000, ..OPUS }, "16000"),
    ] {
        let error = Decoder::new(format).err().expect("an error").to_string();
        assert!(error.contains(word), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Bytes of strangers, among good packets: nothing panics, and every packet has its length.
    #[test]
    fn any_bytes_are_decoded_to_their_length(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..20),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 20),
    ) {
        let good = packets_of(&tone(440, 48_000, 1), Channels::Mono);
        let mut decoder = Decoder::new(OPUS).expect("Opus");
        let mut out = Vec::new();
        let mut expected = 0;
        for (at, bytes) in packets.iter().enumerate() {
            let mut damaged = good[at].clone();
            let (place, bits) = &flips[at];
            let place = place.index(damaged.len());
            damaged[place] ^= bits;
            for packet in [bytes, &damaged] {
                decoder.decode(packet, &mut out);
                expected += length_of(OPUS, packet) / 3;
                prop_assert_eq!(out.len() as u64, expected);
            }
        }
    }

    /// Samples that come in odd pieces, of any form.
    #[test]
    fn how_samples_are_divided_makes_no_difference(
        rate in 8_000_u32..=96_000,
        channels in 1_u8..=8,
        lengths in prop::collection::vec(0_usize..3_000, 1..30),
    ) {
        let format = samples_of(rate, channels);
        let count: usize = lengths.iter().sum();
        let samples: Vec<i16> =
            tone(700, rate, 12).into_iter().cycle().take(count * usize::from(channels)).collect();
        let all = bytes(&samples);
        let mut rest = all.as_slice();
        let mut pieces = Vec::new();
        for length in &lengths {
            let (piece, left) = rest.split_at(length * usize::from(channels) * 2);
            pieces.push(piece);
            rest = left;
        }
        let once = decoded(format, [all.as_slice()].into_iter());
        prop_assert_eq!(once.len() as u64, length_of(format, &all) * 16_000 / u64::from(rate));
        prop_assert_eq!(once, decoded(format, pieces.into_iter()));
    }
}
