//! Stops bots for administrators.

use crate::app::App;
use crate::auth::Admin;
use crate::domain::{MeetingId, MeetingStatus, Scope, StatusReport, TransitionSource, UserId};
use crate::error::Result;
use crate::store::{Advance, Advanced, MeetingRef};

/// Stops the bot of any meeting; `None` where there is no such meeting.
pub(crate) async fn stop_any(app: &App, admin: &Admin, id: MeetingId) -> Result<Option<Advanced>> {
    let report = StatusReport::new(MeetingStatus::Stopping, TransitionSource::User);
    let verb = Advance {
        meeting_ref: MeetingRef::Meeting(id),
        report,
        container_id: None,
        now: app.clock.now(),
    };
    app.store.write_by(admin.actor()?, verb).await
}

/// Stops all bots of a user.
pub(crate) async fn stop_all_of(app: &App, admin: &Admin, id: UserId) -> Result<()> {
    for bot in app.store.open_meetings_of(id, Scope::default()).await? {
        stop_any(app, admin, bot.meeting.id).await?;
    }
    Ok(())
}
