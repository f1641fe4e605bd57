//! Recordings and transcripts of elsewhere, for the story that is replayed.

use crate::replay::now;
use vomeet::domain::sound::WithheldReason;
use vomeet::domain::{Language, Platform, SpeakerSource, TokenId, UserId};
use vomeet::error::Result;
use vomeet::store::{
    CreateUpload, EndUpload, ImportMeeting, ImportedRow, Store, StoreUploadWords, UploadedFile,
    WindowSegment, WindowWithheld, WindowWord,
};

fn upload(number: u8) -> CreateUpload {
    CreateUpload {
        user_id: UserId(1),
        token_id: TokenId(1),
        platform: Platform::Generic,
        native_meeting_id: format!("u-000000000000000{number}"),
        uid: format!("upload-{number}"),
        name: Some("Weekly".to_owned()),
        language: Language::from_code("en"),
        start_time: now(),
        file: UploadedFile {
            name: format!("{number}.upload"),
            format: "mp3".to_owned(),
            bytes: 12,
            duration_ms: 0,
            speakers: vec!["Ada".to_owned()],
        },
        now: now(),
    }
}

/// One recording that is heard as a whole, one that is given up, and a transcript.
pub async fn write_uploads(store: &Store) -> Result<()> {
    let heard = store.write(upload(1)).await?.id;
    let given_up = store.write(upload(2)).await?.id;
    let end = |next_at| EndUpload {
        meeting_id: given_up,
        error: Some("away".to_owned()),
        next_at,
        waits: next_at.is_some(),
    };
    store.write(end(Some(now().plus_seconds(10)))).await?;
    store.write(end(None)).await?;
    let word = WindowWord { start_ms: 100, end_ms: 400, word: " Good".to_owned() };
    let segment = WindowSegment {
        start_ms: 100,
        end_ms: 900,
        text: "Good morning.".to_owned(),
        words: vec![word],
    };
    let withheld = WindowWithheld {
        start_ms: 900,
        end_ms: 1000,
        text: "Thank you.".to_owned(),
        reason: WithheldReason::KnownOfSilence,
    };
    let words = StoreUploadWords {
        meeting_id: heard,
        segments: vec![segment],
        withheld: vec![withheld],
        language: Some("en".to_owned()),
        engine: "one".to_owned(),
        duration_ms: 1000,
        sound_ms: 1000,
        now: now(),
    };
    store.write(words).await?;
    let row = ImportedRow {
        segment_id: Some("a".to_owned()),
        start: now(),
        end: now().plus_seconds(2),
        text: "Good morning.".to_owned(),
        speaker: Some("Ada".to_owned()),
        speaker_source: SpeakerSource::Stream,
        language: None,
        created_at: now(),
    };
    let nameless = ImportedRow { segment_id: None, ..row.clone() };
    let import = ImportMeeting {
        user_id: UserId(1),
        token_id: TokenId(1),
        platform: Platform::Zoom,
        native_meeting_id: "1234567890".to_owned(),
        uid: "import-1".to_owned(),
        name: None,
        clock: now(),
        start_time: now(),
        end_time: now().plus_seconds(2),
        segments: vec![row, nameless],
        now: now(),
    };
    store.write(import).await.map(drop)
}
