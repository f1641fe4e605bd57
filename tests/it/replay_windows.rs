//! The part of the replayed story in which sound becomes words.

use crate::replay::now;
use vomeet::domain::sound::{SoundCodec, SoundFormat, SoundSource, WithheldReason};
use vomeet::domain::{MeetingId, WindowId};
use vomeet::error::Result;
use vomeet::store::{
    BeginSound, CutWindows, EndSound, GiveUpSound, GiveUpWindow, NewWindow, PutOffWindow, Store,
    StoreDraft, StoreWindow, WindowSegment, WindowWithheld, WindowWord,
};

fn begin(meeting_id: MeetingId) -> BeginSound {
    BeginSound {
        meeting_id,
        uid: "mixed".to_owned(),
        source: SoundSource::WhisperLive,
        format: SoundFormat { codec: SoundCodec::S16le, rate: 16_000, channels: 1 },
        speaker: None,
        language: None,
        token_id: None,
        started_at: now(),
        spool_end: 16,
        now: now(),
    }
}

/// What was heard in a window: a sentence and its words.
fn heard(window_id: WindowId) -> StoreWindow {
    let word =
        |start_ms, end_ms, word: &str| WindowWord { start_ms, end_ms, word: word.to_owned() };
    let words = vec![word(100, 900, " Good"), word(1000, 1900, " day.")];
    let segment =
        WindowSegment { start_ms: 100, end_ms: 1900, text: "Good day.".to_owned(), words };
    let text = "Thank you.".to_owned();
    let reason = WithheldReason::KnownOfSilence;
    let withheld = WindowWithheld { start_ms: 2000, end_ms: 2400, text, reason };
    StoreWindow {
        window_id,
        segments: vec![segment],
        withheld: vec![withheld],
        language: Some("en".to_owned()),
        engine: Some("one".to_owned()),
        now: now(),
    }
}

/// Windows that are cut, drafted, put off, stored and given up.
pub async fn write_windows(store: &Store, meeting: MeetingId) -> Result<()> {
    let sound_id = store.write(begin(meeting)).await?.id;
    let draft = StoreDraft {
        sound_id,
        window_start_ms: 0,
        start_ms: 100,
        end_ms: 1500,
        text: "Good".to_owned(),
        language: Some("en".to_owned()),
        must_grow: true,
        now: now(),
    };
    store.write(draft).await?;
    let window = |start_ms| NewWindow { start_ms, end_ms: start_ms + 3000, spool_offset: 16 };
    let windows = vec![window(0), window(3000)];
    let cut = |windows, unsaid_ms| CutWindows {
        sound_id,
        windows,
        unsaid_ms,
        cut_ms: 6000,
        cut_offset: 99,
        is_whole: false,
        now: now(),
    };
    store.write(cut(windows, Vec::new())).await?;
    let draft = StoreDraft {
        sound_id,
        window_start_ms: 6000,
        start_ms: 6100,
        end_ms: 6200,
        text: "You".to_owned(),
        language: None,
        must_grow: true,
        now: now(),
    };
    store.write(draft).await?;
    store.write(cut(Vec::new(), vec![6000])).await?;
    let (error, next_at) = ("Away.".to_owned(), now().plus_seconds(1));
    let put_off = PutOffWindow { window_id: WindowId(1), attempts: 1, error, next_at, now: now() };
    store.write(put_off).await?;
    assert!(store.write(heard(WindowId(1))).await?.is_some());
    assert!(store.write(heard(WindowId(1))).await?.is_none(), "it is done");
    let error = Some("Nobody.".to_owned());
    assert!(store.write(GiveUpWindow { window_id: WindowId(2), error }).await?);
    store.write(EndSound { sound_id, heard_ms: 9000, more_ms: 9000, now: now() }).await?;
    store.write(GiveUpSound { sound_id, error: "Nobody.".to_owned(), now: now() }).await
}
