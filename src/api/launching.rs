//! Starts the bot of a meeting that was just requested.

use crate::api::bot_spec::Wanted;
use crate::app::App;
use crate::bots::LaunchSpec;
use crate::domain::{Meeting, MeetingId, MeetingStatus, StatusReport, TransitionSource};
use crate::error::{Error, Result};
use crate::store::{Advance, MeetingRef, NoteContainer};

/// An operating system that gives no random bytes.
pub(crate) fn no_randomness(error: getrandom::Error) -> Error {
    Error::Internal(format!("no randomness: {error}"))
}

/// Starts a bot of a user who may have `limit` in meetings, and gives its meeting with what runs the
/// bot. Where it does not start, the meeting has failed.
pub(crate) async fn launch(app: &App, wanted: &Wanted<'_>, limit: i64) -> Result<Meeting> {
    let meeting = wanted.meeting;
    // Others may have been started since.
    let permit = match app.bots.permit(meeting.user_id, limit) {
        Ok(permit) => permit,
        Err(error) => {
            end_unstarted(app, meeting.id, &error.to_string()).await?;
            return Err(error);
        }
    };
    let spec = LaunchSpec { permit: Some(permit), ..wanted.spec(app)? };
    match app.bots.send(spec).await {
        Ok(container_id) => {
            let note = NoteContainer { meeting_id: meeting.id, container_id, now: app.clock.now() };
            let Meeting { bot_container_id, updated_at, .. } = app.store.write(note).await?;
            // Its bot may have reported already; the response is the meeting as it was requested.
            Ok(Meeting { bot_container_id, updated_at, ..meeting.clone() })
        }
        Err(why) => {
            end_unstarted(app, meeting.id, &why).await?;
            Err(Error::BotNotStarted(why))
        }
    }
}

/// Ends a meeting whose bot did not start; one that was to be stopped meanwhile is completed.
async fn end_unstarted(app: &App, id: MeetingId, why: &str) -> Result<()> {
    let stopping = app
        .store
        .meeting_of_bot(id)?
        .is_some_and(|meeting| meeting.status == MeetingStatus::Stopping);
    let to = if stopping { MeetingStatus::Completed } else { MeetingStatus::Failed };
    let report = StatusReport::new(to, TransitionSource::Server).because(why);
    let verb = Advance {
        meeting_ref: MeetingRef::Meeting(id),
        report,
        container_id: None,
        now: app.clock.now(),
    };
    app.store.write(verb).await.map(drop)
}

/// A UUID v4 (RFC 9562, section 5.4).
pub(crate) fn session_name() -> std::result::Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}
