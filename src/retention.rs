//! Retention by age: what the settings give an end to goes once it is that old, a little at a time. What goes on stays.

use crate::app::App;
use crate::auth::actor;
use crate::clock;
use crate::domain::{MeetingId, Time};
use crate::error::{Error, Result};
use crate::store::{DeleteMeeting, MeetingName, Outlived, PruneAudit, RedactMeeting, WordsOf};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often the file is looked through.
const PERIOD: Duration = Duration::from_hours(1);
const DAY_SECONDS: i64 = 86_400;

/// Looks at the start and then every hour; it never ends by itself.
pub async fn keep(app: Arc<App>) {
    loop {
        if let Err(error) = sweep(&app, clock::now()).await {
            log::warn!(
                "some of what is old stays for another hour: {}",
                error.cause().unwrap_or("the disk is full or busy")
            );
        }
        sleep(PERIOD).await;
    }
}

/// Removes what is older than the settings allow.
async fn sweep(app: &App, now: Time) -> Result<()> {
    let settings = &app.config.retention;
    let end = |days: i64| (days > 0).then(|| now.plus_seconds(-days * DAY_SECONDS));
    let (mut meetings, mut words, mut outputs) = (0, 0, 0);
    if let Some(end) = end(settings.meetings_days) {
        meetings = remove_old(app, Outlived::Meeting, end).await?;
    }
    if let Some(end) = end(settings.transcripts_days) {
        words = remove_old(app, Outlived::Words, end).await?;
    }
    if let Some(end) = end(settings.audit_days) {
        prune_record(app, end, now).await?;
    }
    if let Some(end) = end(settings.bot_logs_days) {
        outputs = remove_old_outputs(app, end).await?;
    }
    if meetings + words + outputs > 0 {
        log::info!(
            "by age: {meetings} meetings, the words of {words} more and the output of {outputs} bots were removed"
        );
        app.eraser.finish(&app.store).await;
    }
    Ok(())
}

/// Removes what is to go of all meetings that were over before `end`; how many they were.
async fn remove_old(app: &App, of: Outlived, end: Time) -> Result<u64> {
    let (mut last, mut removed) = (Some(MeetingId(0)), 0);
    while let Some(after) = last {
        let names = app.store.old_meetings(of, end, after).await?;
        last = names.last().and_then(|name| name.meeting_id);
        for name in names {
            match remove(app, of, name).await {
                Ok(()) => removed += 1,
                // Its owner was faster.
                Err(Error::MeetingNotFound(..) | Error::NotOver(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(removed)
}

/// Removes the entries of the record that are older than `end`; what is left can still be verified.
async fn prune_record(app: &App, end: Time, now: Time) -> Result<()> {
    let mut pruned = 0;
    loop {
        let verb = PruneAudit { actor: actor("server".to_owned(), None, now)?, before: end };
        match app.store.write(verb).await? {
            0 => break,
            some => pruned += some,
        }
    }
    if pruned > 0 {
        log::info!("by age: {pruned} entries of the record were removed");
    }
    Ok(())
}

async fn remove(app: &App, of: Outlived, name: MeetingName) -> Result<()> {
    app.store.remove_words(WordsOf::Meeting(name.clone())).await?;
    let id = match of {
        Outlived::Words => app.store.write(RedactMeeting { name, now: clock::now() }).await?,
        Outlived::Meeting => app.store.write(DeleteMeeting { name }).await?,
    };
    app.bots.erase(id).await;
    Ok(())
}

/// Removes what bots printed whose meetings were over before `end`; how many they were.
async fn remove_old_outputs(app: &App, end: Time) -> Result<u64> {
    let mut removed = 0;
    for id in app.bots.old_outputs(end).await {
        if app.store.is_old_or_gone(id, end)? {
            app.bots.erase(id).await;
            removed += 1;
        }
    }
    Ok(removed)
}
