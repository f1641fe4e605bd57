//! What is withheld, and what is not.

#![cfg(test)]

use super::*;

fn segment(text: &str) -> HeardSegment {
    HeardSegment { start_ms: 0, end_ms: 2_000, text: text.to_owned(), ..HeardSegment::default() }
}

/// What becomes of one segment where there is voice: `None` where it is kept.
fn verdict(segment: &HeardSegment, voice: &[(u64, u64)]) -> Option<WithheldReason> {
    let heard = Heard { segments: vec![segment.clone()], ..Heard::default() };
    let judged = judge(heard, voice);
    match (judged.kept.as_slice(), judged.withheld.as_slice()) {
        ([kept], []) if kept == segment => None,
        ([], [(withheld, reason)]) if withheld == segment => Some(*reason),
        _ => panic!("it is neither kept nor withheld: {judged:?}"),
    }
}

#[test]
fn sentences_of_silence_are_withheld() {
    for text in [
        "Thank you for watching!",
        " Thanks for watching.",
        "THANKS FOR WATCHING",
        "Subtitles by the Amara.org community",
        "Subtitles by John Doe",
        "Untertitel von Stephanie Geiges",
        "Untertitel der Amara.org-Community",
        "Untertitelung des ZDF, 2020",
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Sous-titrage Société Radio-Canada",
        "Subtítulos realizados por la comunidad de Amara.org",
        "Sottotitoli creati dalla comunità Amara.org",
        "Legendas pela comunidade Amara.org",
        "Ondertitels ingediend door de Amara.org gemeenschap",
        "Napisy stworzone przez społeczność Amara.org",
        "Субтитры сделал DimaTorzok",
        "Продолжение следует...",
        "ご視聴ありがとうございました",
        "字幕由Amara.org社区提供",
        "시청해주셔서 감사합니다.",
        "[wind blowing]",
        " [BLANK_AUDIO]",
        "(soft music)",
        "*sighs*",
        "♪♪♪",
        "[Music] ♪ [Applause]",
        "...",
        ". . .",
        "",
    ] {
        let reason = verdict(&segment(text), &[(0, 2_000)]);
        assert_eq!(reason, Some(WithheldReason::KnownOfSilence), "{text}");
    }
}

#[test]
fn what_people_say_is_kept() {
    for text in [
        "Thank you for watching the door while I was away.",
        "He said: thanks for watching.",
        "We need subtitles by Friday at the latest.",
        "Can you see the subtitles by now?",
        "Legendas são importantes.",
        "Untertitel wären gut.",
        "The wind [inaudible] was blowing.",
        "(I think so",
        "5 * 3 is fifteen",
        "No, no, no, no.",
        "Ask not what your country can do for you, ask what you can do for your country.",
        "ありがとうございました、では始めましょう",
    ] {
        assert_eq!(verdict(&segment(text), &[(300, 1_900)]), None, "{text}");
    }
}

#[test]
fn words_that_people_say_too_need_voice_to_be_kept() {
    let short = Some(WithheldReason::KnownOfSilence);
    for (text, voice, expected) in [
        ("Thank you.", &[(500, 1_500)][..], None),
        ("Thank you.", &[(500, 800), (900, 1_100)][..], None),
        ("Thank you.", &[(500, 700)][..], short),
        ("Thank you.", &[][..], short),
        ("you", &[(500, 700)][..], None),
        ("you", &[(500, 564)][..], short),
        ("You", &[][..], short),
        ("Vielen Dank.", &[(0, 700)][..], None),
        ("Vielen Dank.", &[(0, 100)][..], short),
        ("Okay.", &[(0, 400)][..], None),
        // Voice that is elsewhere is somebody else's.
        ("you", &[(5_000, 9_000)][..], short),
    ] {
        assert_eq!(verdict(&segment(text), voice), expected, "{text} {voice:?}");
    }
    // The engine itself thinks that nobody speaks.
    let unsure = HeardSegment { no_speech_prob: Some(0.8), ..segment("you") };
    assert_eq!(verdict(&unsure, &[(0, 2_000)]), short);
    let sure = HeardSegment { no_speech_prob: Some(0.2), ..segment("you") };
    assert_eq!(verdict(&sure, &[(0, 2_000)]), None);
}

#[test]
fn figures_of_the_engine_are_believed() {
    let said = segment("Let us begin with the first point.");
    for (compression, logprob, no_speech, expected) in [
        (None, None, None, None),
        (Some(2.39), Some(-0.2), Some(0.01), None),
        (Some(2.41), Some(-0.2), Some(0.01), Some(WithheldReason::Repeats)),
        (Some(1.0), Some(-1.01), Some(0.61), Some(WithheldReason::Unsure)),
        (Some(1.0), Some(-0.99), Some(0.99), None),
        (Some(1.0), Some(-3.0), Some(0.59), None),
        (Some(1.0), None, Some(0.99), None),
    ] {
        let judged = HeardSegment {
            compression_ratio: compression,
            avg_logprob: logprob,
            no_speech_prob: no_speech,
            ..said.clone()
        };
        assert_eq!(verdict(&judged, &[(0, 2_000)]), expected, "{judged:?}");
    }
    // Figures that are no numbers say nothing.
    let none = Some(f64::NAN);
    let segments = vec![HeardSegment { avg_logprob: none, no_speech_prob: none, ..said }];
    assert_eq!(judge(Heard { segments, ..Heard::default() }, &[(0, 2_000)]).kept.len(), 1);
}

#[test]
fn what_repeats_itself_is_withheld_without_figures_too() {
    let repeats = Some(WithheldReason::Repeats);
    for (text, expected) in [
        ("So ".repeat(40), repeats),
        ("I am going to the store. ".repeat(12), repeats),
        ("はい、はい、".repeat(20), repeats),
        ("Yeah, yeah, yeah, yeah, yeah.".to_owned(), None),
        ("Good, good. Very good, and very well done, really good.".to_owned(), None),
    ] {
        assert_eq!(verdict(&segment(&text), &[(0, 2_000)]), expected, "{text}");
    }
}

#[test]
fn the_same_segment_again_and_again_is_withheld() {
    let heard = Heard { segments: vec![segment("We will see."); 6], ..Heard::default() };
    let judged = judge(heard, &[(0, 2_000)]);
    assert_eq!((judged.kept.len(), judged.withheld.len()), (3, 3));
    assert!(judged.withheld.iter().all(|(_, reason)| *reason == WithheldReason::Repeats));
    let mut segments = Vec::new();
    for _ in 0..4 {
        segments.extend([segment("Yes, I do."), segment("And you?")]);
    }
    segments.push(segment("No."));
    let judged = judge(Heard { segments, ..Heard::default() }, &[(0, 2_000)]);
    assert_eq!((judged.kept.len(), judged.withheld.len()), (9, 0));
}

#[test]
fn where_nobody_speaks_nothing_is_believed() {
    let at = |start_ms, end_ms| HeardSegment { start_ms, end_ms, ..segment("A whole sentence.") };
    let none = Some(WithheldReason::NoVoice);
    for (start_ms, end_ms, voice, expected) in [
        (0, 1_000, &[][..], none),
        (0, 1_000, &[(5_000, 6_000)][..], none),
        (5_200, 5_900, &[(5_000, 6_000)][..], None),
        // Times of engines are rough.
        (6_200, 6_900, &[(5_000, 6_000)][..], None),
        (6_400, 6_900, &[(5_000, 6_000)][..], none),
        // A time that makes no sense.
        (u64::MAX, 0, &[(0, 1_000)][..], none),
    ] {
        assert_eq!(verdict(&at(start_ms, end_ms), voice), expected, "{start_ms} {voice:?}");
    }
}

#[test]
fn without_the_gate_all_is_believed() {
    let heard = Heard { segments: vec![segment("you"), segment("[noise]")], ..Heard::default() };
    let judged = Judged::without_gate(heard.clone());
    assert_eq!((judged.kept, judged.withheld), (heard.segments, Vec::new()));
}
