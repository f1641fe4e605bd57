//! Where sound is cut.

#![cfg(test)]

use super::*;
use crate::transcription::tests::{noise, speech, tone};
use proptest::prelude::*;

/// All cuts of samples that come at once.
fn cuts_of(samples: &[i16]) -> Vec<Cut> {
    let mut cutter = Cutter::new(0);
    let mut cuts = cutter.push(samples);
    cuts.extend(cutter.finish());
    cuts
}

fn windows_of(cuts: &[Cut]) -> Vec<(u64, u64)> {
    let window = |cut: &Cut| match *cut {
        Cut::Window { start_ms, end_ms } => Some((start_ms, end_ms)),
        Cut::Silence { .. } => None,
    };
    cuts.iter().filter_map(window).collect()
}

fn end_of(cut: Cut) -> u64 {
    match cut {
        Cut::Window { end_ms, .. } => end_ms,
        Cut::Silence { until_ms, .. } => until_ms,
    }
}

/// Speech without its pauses, of so many seconds.
fn speech_without_pauses(seconds: usize) -> Vec<i16> {
    let speech = speech();
    let spoken =
        [&speech[16_000 * 3 / 10..16_000 * 2], &speech[16_000 * 55 / 10..16_000 * 74 / 10]];
    spoken.concat().into_iter().cycle().take(16_000 * seconds).collect()
}

/// Speech, silence, noise and speech, with a gap, a part that goes on for long, and an end in speech.
fn meeting() -> Vec<i16> {
    let mut samples = vec![0; 16_000 * 13 + 77];
    samples.extend(speech());
    samples.extend(noise(300.0, 12));
    samples.extend(speech_without_pauses(40));
    samples.extend(vec![0; 5_000]);
    samples.extend(speech());
    samples
}

#[test]
fn speech_is_cut_at_its_pauses() {
    // "And so, my fellow Americans", "ask not", and the rest, which is said without a long pause.
    let windows = windows_of(&cuts_of(&speech()));
    assert_eq!(windows.len(), 3, "{windows:?}");
    for ((start, end), (spoken_from, spoken_to)) in
        windows.iter().zip([(300, 2_300), (3_300, 4_400), (5_400, 10_800)])
    {
        assert!(*start <= spoken_from && spoken_from - start < 600, "{windows:?}");
        assert!(*end >= spoken_to && end - spoken_to < 700, "{windows:?}");
    }
}

#[test]
fn nobody_speaks_in_silence_noise_and_tones() {
    let mut hum = vec![0; 16_000 * 20];
    for part in 1..8 {
        for (sum, one) in hum.iter_mut().zip(tone(50 * part, 16_000, 20)) {
            *sum += one / 8;
        }
    }
    // A telephone that rings.
    let mut ring = tone(440, 16_000, 20);
    for (at, sample) in ring.iter_mut().enumerate() {
        *sample = if at / 16_000 % 6 < 2 { *sample } else { 0 };
    }
    let sounds = [
        ("silence", vec![0; 16_000 * 20]),
        ("quiet noise", noise(30.0, 20)),
        ("noise", noise(300.0, 20)),
        ("loud noise", noise(3_000.0, 20)),
        ("a low tone", tone(100, 16_000, 20)),
        ("a tone", tone(440, 16_000, 20)),
        ("a high tone", tone(3_000, 16_000, 20)),
        ("a hum", hum),
        ("a ring", ring),
    ];
    for (name, samples) in sounds {
        let mut cutter = Cutter::new(0);
        let mut cuts = cutter.push(&samples);
        assert_eq!(cutter.growing(), None, "{name}");
        cuts.extend(cutter.finish());
        assert_eq!(windows_of(&cuts), [], "{name}");
        assert_eq!(cuts.last().map(|cut| end_of(*cut)), Some(20_000), "{name}: {cuts:?}");
    }
}

#[test]
fn quiet_speech_and_speech_in_noise_are_speech() {
    let speech = speech();
    let quiet: Vec<i16> = speech.iter().map(|sample| sample / 10).collect();
    assert_eq!(windows_of(&cuts_of(&quiet)).len(), 3);
    let noisy: Vec<i16> =
        speech.iter().zip(noise(500.0, 11)).map(|(one, other)| one / 2 + other).collect();
    assert!(!windows_of(&cuts_of(&noisy)).is_empty());
}

#[test]
fn long_speech_is_cut_where_it_is_quietest() {
    let mut samples = speech_without_pauses(70);
    // Twice somebody breathes, for 0.15 s: in the last seconds of the first window, and before them.
    let breaths = [(23_000, 24_000), (12_000, 13_000)];
    for (from, _) in breaths {
        for sample in &mut samples[from * 16..(from + 150) * 16] {
            *sample /= 50;
        }
    }
    let windows = windows_of(&cuts_of(&samples));
    let (start, end) = windows[0];
    assert_eq!(start, 0);
    assert!((23_000..23_150).contains(&end), "{windows:?}");
    let mut last = 0;
    for (start, end) in &windows {
        assert!(
            end - start <= WINDOW_MS_MAX && *start >= last && start - last < 400,
            "{windows:?}"
        );
        last = *end;
    }
    assert_eq!(last, 70_000);
}

/// A cutter of frames that all have voice, as loud as this, and its first cut.
fn voiced(loudness: impl IntoIterator<Item = u64>) -> (Cutter, Option<Cut>) {
    let mut cutter = Cutter::new(0);
    for loudness in loudness {
        if let Some((_, cut)) = cutter.note(true, loudness) {
            return (cutter, Some(cut));
        }
    }
    (cutter, None)
}

#[test]
fn what_was_said_before_a_hum_is_no_silence() {
    let words = || [100, 400, 900, 300].into_iter().cycle().take(DRAFTED_FRAMES);
    let hum = |frames| std::iter::repeat_n(300, frames);
    // Much of the hum, and little of the words: what was drafted of these is still there.
    let (cutter, cut) = voiced(words().chain(hum(1_500)));
    assert_eq!((cut, cutter.growing()), (None, Some((0, 1_625 * FRAME_MS))));
    let (_, cut) = voiced(words().chain(hum(WINDOW_FRAMES_MAX)));
    assert!(matches!(cut, Some(Cut::Window { start_ms: 0, .. })), "{cut:?}");
    // A hum alone, also where it begins with something louder, is no speech and never drafted.
    for click in [0, 10] {
        let click = std::iter::repeat_n(5_000, click);
        let (cutter, cut) = voiced(click.clone().chain(hum(1_500)));
        assert_eq!((cut, cutter.growing()), (None, None));
        let (_, cut) = voiced(click.chain(hum(WINDOW_FRAMES_MAX)));
        assert!(matches!(cut, Some(Cut::Silence { unsaid_ms: Some(0), .. })), "{cut:?}");
    }
}

#[test]
fn a_gap_is_silence() {
    let speech = speech();
    let first = &speech[..16_000 * 2];
    for (gap, expected) in [(100, 1), (900, 2), (7_200_000, 2)] {
        let mut cutter = Cutter::new(0);
        let mut cuts = cutter.push(first);
        let growing = cutter.growing().expect("somebody speaks");
        cuts.extend(cutter.skip_to(2_000 + gap));
        if expected == 1 {
            let still = cutter.growing().expect("somebody still speaks");
            assert!(still.0 == growing.0 && still.1 > 2_080, "{gap}: {still:?}");
        } else {
            assert_eq!(cutter.growing(), None, "{gap}");
        }
        cuts.extend(cutter.push(first));
        cuts.extend(cutter.finish());
        let windows = windows_of(&cuts);
        assert_eq!(windows.len(), expected, "{gap}: {cuts:?}");
        assert_eq!(windows.last().map(|window| window.1), Some(4_000 + gap), "{gap}: {cuts:?}");
    }
    // What is past already is no gap.
    let mut cutter = Cutter::new(5_000);
    cutter.push(first);
    assert_eq!(cutter.skip_to(5_500), []);
    assert_eq!(end_of(*cutter.finish().last().expect("a cut")), 7_000);
}

#[test]
fn without_the_gate_all_sound_is_in_windows() {
    let mut cutter = Cutter::without_gate(0);
    let mut cuts = cutter.push(&meeting());
    cuts.extend(cutter.finish());
    let windows = windows_of(&cuts);
    assert_eq!(windows.len(), cuts.len(), "{cuts:?}");
    let mut last = 0;
    for (start, end) in windows {
        assert!(start == last && end > start && end - start <= WINDOW_MS_MAX, "{cuts:?}");
        last = end;
    }
    assert_eq!(last, (meeting().len() as u64).div_ceil(16));
}

#[test]
fn little_is_held_however_long_it_takes() {
    let mut cutter = Cutter::new(0);
    cutter.push(&vec![0; 16_000 * 600]);
    assert!(cutter.samples.len() < 16_000 * 2, "{}", cutter.samples.len());
    cutter.push(&speech_without_pauses(27));
    assert!(cutter.growing().is_some());
    assert!(cutter.samples.len() < 16_000 * 10, "{}", cutter.samples.len());
}

#[test]
fn a_cutter_that_is_started_again_goes_on_alike() {
    let samples = meeting();
    let cuts = cuts_of(&samples);
    assert!(windows_of(&cuts).len() >= 7 && cuts.len() > windows_of(&cuts).len(), "{cuts:?}");
    for (count, cut) in cuts.iter().enumerate().take(cuts.len() - 1) {
        let end_ms = end_of(*cut);
        let mut cutter = Cutter::new(end_ms);
        let mut rest = cutter.push(&samples[usize::try_from(end_ms).expect("small") * 16..]);
        rest.extend(cutter.finish());
        assert_eq!(rest, cuts[count + 1..], "again at {end_ms}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn how_samples_are_divided_makes_no_difference(
        lengths in prop::collection::vec(1_usize..20_000, 1..40),
    ) {
        let samples = meeting();
        let mut cutter = Cutter::new(0);
        let mut cuts = Vec::new();
        let mut rest = samples.as_slice();
        for length in lengths.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, left) = rest.split_at((*length).min(rest.len()));
            cuts.extend(cutter.push(piece));
            rest = left;
        }
        cuts.extend(cutter.finish());
        prop_assert_eq!(cuts, cuts_of(&samples));
    }
}
