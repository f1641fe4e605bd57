//! The verbs of corrections and alarms, for the story that is replayed.

use crate::replay::{actor, name, now};
use vomeet::domain::{AlarmKind, MeetingId};
use vomeet::error::Result;
use vomeet::store::{ClearAlarm, CorrectSegment, RaiseAlarm, RenameSpeaker, Store};

/// What is done to the transcript of the first meeting, and what that misses, while it goes on.
pub async fn write_corrections(store: &Store, native: &str) -> Result<()> {
    if native != "one" {
        return Ok(());
    }
    let segment_id = "1:1:Ada".to_owned();
    for (number, text) in [(60, Some("Good morning.")), (61, Some("Good day.")), (62, None)] {
        let (name, segment_id) = (name(native), segment_id.clone());
        let text = text.map(str::to_owned);
        let correct = CorrectSegment { name, segment_id, text, now: now() };
        let corrected = store.write_by(actor(number), correct).await?;
        assert_eq!(corrected.segment.corrected, number != 62);
    }
    for (number, from, to) in
        [(63, Some("Ada"), Some("Grace")), (64, Some("Grace"), None), (65, None, Some("Guest"))]
    {
        let (from, to) = (from.map(str::to_owned), to.map(str::to_owned));
        let rename = RenameSpeaker { name: name(native), from, to, now: now() };
        let renamed = store.write_by(actor(number), rename).await;
        assert_eq!(renamed.is_ok(), number != 65, "everybody has a name");
    }
    let meeting_id = MeetingId(1);
    for kind in [AlarmKind::NoSound, AlarmKind::NoWords, AlarmKind::NoSound] {
        let raised = store.write(RaiseAlarm { meeting_id, kind, now: now() }).await?;
        assert!(raised.is_new);
        if kind == AlarmKind::NoSound {
            store.write(ClearAlarm { meeting_id, kind, now: now() }).await?;
        }
    }
    Ok(())
}
