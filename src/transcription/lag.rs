//! How far words are behind their sound: looked at again and again, and told to those who watch a
//! meeting whose words are late.

use crate::domain::MeetingId;
use crate::error::Result;
use crate::logging::Trouble;
use crate::store::{Change, WaitingMeeting, WordsLate};
use crate::transcription::hearing::Hearing;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often it is looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(5);
/// How late words of a meeting are before its watchers are told, in seconds.
const TOLD_SECONDS: i64 = 10;

/// Looks at what waits; it never ends by itself.
pub(crate) async fn keep_watching(hearing: Arc<Hearing>) {
    let mut trouble = Trouble::default();
    let mut told = HashMap::new();
    loop {
        match look(&hearing, &mut told).await {
            Ok(()) => trouble.end("it is known again which words are late"),
            Err(error) => {
                let cause = error.store_cause();
                trouble.warn(&format!("it cannot be read which words are late: {cause}"));
            }
        }
        sleep(LOOK_PERIOD).await;
    }
}

/// Keeps what waits, and tells the watchers of meetings whose words are late; those of meetings
/// whose words are late no more once.
async fn look(hearing: &Hearing, told: &mut HashMap<MeetingId, WaitingMeeting>) -> Result<()> {
    hearing.counters().set_waiting(hearing.store.waiting_words().await?);
    let now = hearing.now();
    let late = hearing.store.meetings_waiting_since(now.plus_seconds(-TOLD_SECONDS)).await?;
    let mut before = std::mem::take(told);
    for meeting in late {
        before.remove(&meeting.id);
        tell(hearing, &meeting, now.as_millis() - meeting.oldest.as_millis());
        told.insert(meeting.id, meeting);
    }
    for mut meeting in before.into_values() {
        meeting.windows = 0;
        tell(hearing, &meeting, 0);
    }
    Ok(())
}

fn tell(hearing: &Hearing, meeting: &WaitingMeeting, late_ms: i64) {
    let late = WordsLate {
        meeting_id: meeting.id,
        platform: meeting.platform.clone(),
        native_meeting_id: meeting.native_meeting_id.clone(),
        late_ms,
        windows: meeting.windows,
        at: hearing.now(),
    };
    hearing.feed.on_change(&Change::WordsLate(Arc::new(late)));
}
