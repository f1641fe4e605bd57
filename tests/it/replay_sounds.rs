//! The part of the replayed story in which sound is heard.

use crate::replay::now;
use vomeet::domain::sound::{SoundCodec, SoundFormat, SoundSource};
use vomeet::domain::{MeetingId, MeetingStatus, StatusReport, TokenId, TransitionSource, UserId};
use vomeet::error::Result;
use vomeet::store::{
    Advance, BeginBridge, BeginSound, EndSound, EraseSound, ForgetSound, KeepRecording, MeetingRef,
    NoteHeard, Store,
};

fn begin(meeting_id: MeetingId, uid: &str, source: SoundSource) -> BeginSound {
    BeginSound {
        meeting_id,
        uid: uid.to_owned(),
        source,
        format: SoundFormat { codec: SoundCodec::Opus, rate: 48_000, channels: 2 },
        speaker: Some("Ada".to_owned()),
        language: Some("de".to_owned()),
        token_id: Some(TokenId(1)),
        started_at: now().plus_seconds(3),
        spool_end: 640,
        now: now(),
    }
}

/// Sounds that begin, grow, end, go on, and are deleted.
pub async fn write_sounds(store: &Store, meeting: MeetingId) -> Result<()> {
    let sound_id = store.write(begin(meeting, "sound", SoundSource::Bot)).await?.id;
    store.write(NoteHeard { sound_id, heard_ms: 9000, more_ms: 7000, now: now() }).await?;
    store.write(EndSound { sound_id, heard_ms: 12_000, more_ms: 0, now: now() }).await?;
    let again = store.write(begin(meeting, "sound", SoundSource::Bot)).await?;
    assert_eq!((again.id, again.heard_ms, again.spool_from), (sound_id, 12_000, 640));
    assert_eq!(again.started_at, now().plus_seconds(3));
    store.write(begin(meeting, "another", SoundSource::Jitsi)).await?;
    let recording = || KeepRecording {
        meeting_id: meeting,
        started_at: now(),
        spool_end: 700,
        now: now().plus_seconds(9),
    };
    let kept = store.write(recording()).await?;
    assert_eq!(store.write(recording()).await?.sound_id, kept.sound_id);
    assert_eq!(kept.spool_from, 700);
    let erase = EraseSound { meeting_id: meeting, given_up_since: Some(now()) };
    assert!(!store.write(erase).await?, "a sound goes on");
    store.write(ForgetSound { meeting_id: meeting }).await
}

/// A meeting whose sound comes by a bridge: it begins, another socket joins it, and it ends.
pub async fn write_bridge(store: &Store) -> Result<()> {
    let begin = |uid: &str| BeginBridge {
        user_id: UserId(1),
        token_id: TokenId(1),
        native_meeting_id: "Weekly@bridge".to_owned(),
        bridge: "0f3a".to_owned(),
        uid: uid.to_owned(),
        now: now(),
    };
    let bridge = store.write(begin("a bridge")).await?;
    assert_eq!(store.write(begin("the same")).await?.meeting_id, bridge.meeting_id);
    let report = StatusReport::new(MeetingStatus::Completed, TransitionSource::Server);
    let meeting_ref = MeetingRef::Meeting(bridge.meeting_id);
    let end = now().plus_seconds(60);
    store.write(Advance { meeting_ref, report, container_id: None, now: end }).await?;
    Ok(())
}
