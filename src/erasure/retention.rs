//! Retention: what is older than the settings allow is deleted, a page at a time.

use crate::auth::actor;
use crate::clock::later;
use crate::config::Retention;
use crate::domain::{MeetingId, Time};
use crate::erasure::deletion::Erasure;
use crate::error::{Error, Result};
use crate::store::{MeetingName, PruneAudit, RetentionTarget};
use std::sync::Arc;
use std::time::Duration;

/// How often retention is applied.
const PERIOD: Duration = Duration::from_hours(1);
const DAY_SECONDS: i64 = 86_400;

impl Erasure {
    /// Applies retention at the start and then every hour; it never ends by itself.
    pub async fn keep_applying_retention(self: Arc<Self>, settings: Retention) {
        loop {
            let now = self.clock.now();
            if let Err(error) = self.apply_retention(&settings).await {
                let cause = error.store_cause();
                log::warn!("retention is incomplete and continues in an hour: {cause}");
            }
            self.clock.sleep_until(later(now.min(self.clock.now()), PERIOD)).await;
        }
    }

    /// Deletes what is older than the settings allow, each by its own number of days.
    async fn apply_retention(&self, settings: &Retention) -> Result<()> {
        let now = self.sweep_time().await?;
        let mut meetings = 0;
        let mut transcripts = 0;
        let mut logs = 0;
        if let Some(end) = cutoff(now, settings.meetings_days) {
            meetings = self.delete_old(RetentionTarget::Meeting, end).await?;
        }
        if let Some(end) = cutoff(now, settings.transcripts_days) {
            transcripts = self.delete_old(RetentionTarget::Words, end).await?;
        }
        if let Some(end) = cutoff(now, settings.audit_days) {
            self.prune_audit_log(end).await?;
        }
        if let Some(end) = cutoff(now, settings.bot_logs_days) {
            logs = self.delete_old_logs(end).await?;
        }
        if meetings + transcripts + logs > 0 {
            log::info!(
                "retention: deleted {meetings} meetings, {transcripts} more transcripts, \
                 {logs} bot logs"
            );
            self.scrubber.scrub(&self.store).await;
        }
        Ok(())
    }

    /// Deletes the transcripts, or the whole, of all meetings that were over before `end`; returns
    /// how many they were.
    async fn delete_old(&self, target: RetentionTarget, end: Time) -> Result<u64> {
        let mut last = Some(MeetingId(0));
        let mut deleted = 0;
        while let Some(after) = last {
            let names = self.store.old_meetings(target, end, after).await?;
            last = names.last().and_then(|name| name.meeting_id);
            for name in names {
                match self.delete(target, name).await {
                    Ok(()) => deleted += 1,
                    // Its owner has deleted it meanwhile.
                    Err(Error::MeetingNotFound(..) | Error::NotOver(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(deleted)
    }

    async fn delete(&self, target: RetentionTarget, name: MeetingName) -> Result<()> {
        match target {
            RetentionTarget::Words => self.redact(name).await,
            RetentionTarget::Meeting => self.delete_meeting(name).await,
        }
    }

    /// Deletes the entries of the audit log that are older than `end`; what is left can still be
    /// verified.
    async fn prune_audit_log(&self, end: Time) -> Result<()> {
        let mut pruned = 0;
        loop {
            let actor = actor("server".to_owned(), None, self.clock.now())?;
            let verb = PruneAudit { actor, before: end };
            match self.store.write(verb).await? {
                0 => break,
                some => pruned += some,
            }
        }
        if pruned > 0 {
            log::info!("retention: deleted {pruned} entries of the audit log");
        }
        Ok(())
    }

    /// Deletes the logs of bots whose meetings were over before `end`; returns how many they were.
    async fn delete_old_logs(&self, end: Time) -> Result<u64> {
        let mut deleted = 0;
        for id in self.bots.old_logs(end).await {
            if self.store.is_old_or_gone(id, end)? {
                self.bots.delete_log(id).await;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

/// What is older than this is deleted; 0 days keep everything.
fn cutoff(now: Time, days: i64) -> Option<Time> {
    if days <= 0 {
        return None;
    }
    Some(now.plus_seconds(-days * DAY_SECONDS))
}
