//! One meeting that is not over, and its bot, to the end of both.

use crate::bots::launch::BotExit;
use crate::bots::runner::Runner;
use crate::bots::watch_registry::{MeetingState, WatchHandle};
use crate::clock::{Clock, later};
use crate::config::StateTimeouts;
use crate::domain::MeetingStatus::{Active, AwaitingAdmission, Completed, Failed, Joining, Requested, Stopping};
use crate::domain::lifecycle::TransitionOutcome;
use crate::domain::{CompletionReason, MeetingStatus, StatusReport, Time, TransitionSource};
use crate::error::Error;
use crate::store::{Advance, MeetingRef, NoteCleared, Store};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long the last callback of a bot that has ended may take: what it says of its end is better than what is seen of it.
const LAST_WORD_TIME_MAX: Duration = Duration::from_millis(500);
/// How long to wait before a write that was refused is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What all keepers share.
pub struct Context {
    /// Where meetings are written.
    pub store: Arc<Store>,
    /// What they tell the time by.
    pub clock: Clock,
    /// What runs their bots.
    pub runner: Runner,
    /// How long a meeting may stay in each state.
    pub state_timeouts: StateTimeouts,
    /// How long a bot may take to end after its last word.
    pub grace: Duration,
    /// Becomes true when the server stops.
    pub closing: watch::Sender<bool>,
}

/// What happens next.
enum Next {
    Moved,
    BotExit(BotExit),
    TimeIsUp,
    Closing,
}

/// Keeps one meeting honest.
pub struct MeetingTask {
    /// What it shares with the others.
    pub context: Arc<Context>,
    /// Its meeting.
    pub watch: WatchHandle,
    /// Its bot; `None` is one that is not ours to stop, which has only its word.
    pub handle: Option<String>,
}

impl MeetingTask {
    /// Until the meeting is over and nothing of its bot is left, or the server stops.
    pub async fn keep(self) {
        let (mut news, mut closing) = (self.watch.news.clone(), self.context.closing.subscribe());
        let mut end = pin!(self.end());
        let mut stop = pin!(self.stop());
        let mut told_to_leave = false;
        loop {
            let MeetingState { status, since } = *news.borrow_and_update();
            if status.is_over() {
                return self.dismiss(end, self.context.grace).await;
            }
            let time_up = self.time_up(status, since);
            let next = tokio::select! {
                // News first: a meeting that is over is not let go of with its bot still there.
                biased;
                _ = news.changed() => Next::Moved,
                ended = &mut end => Next::BotExit(ended),
                () = &mut stop, if status == Stopping && !told_to_leave => {
                    told_to_leave = true;
                    Next::Moved
                }
                () = self.context.clock.sleep_until(time_up) => Next::TimeIsUp,
                _ = closing.wait_for(|closing| *closing) => Next::Closing,
            };
            match next {
                Next::Moved => {}
                Next::BotExit(ended) => return self.conclude(ended).await,
                Next::TimeIsUp => {
                    let report = self.out_of_time(status);
                    let is_end = report.to.is_over();
                    if self.advance(report).await && is_end {
                        return self.dismiss(end, Duration::ZERO).await;
                    }
                    // At once where it was written; else its time is up once more.
                    let _ = timeout(RETRY, news.changed()).await;
                }
                Next::Closing => return self.close().await,
            }
        }
    }

    /// Resolves when the bot no longer runs.
    async fn end(&self) -> BotExit {
        match &self.handle {
            Some(handle) => self.context.runner.wait(self.watch.id, handle).await,
            None => std::future::pending().await,
        }
    }

    async fn stop(&self) {
        if let Some(handle) = &self.handle {
            self.context.runner.stop(handle).await;
        }
    }

    /// When the time in a state is up. A state that begins in the future, by a clock that was set back, begins now.
    fn time_up(&self, status: MeetingStatus, since: Time) -> Time {
        let since = since.min(self.context.clock.now());
        later(since, limit(&self.context.state_timeouts, status))
    }

    /// What becomes of a meeting that has been in a state for too long.
    fn out_of_time(&self, status: MeetingStatus) -> StatusReport {
        let seconds = limit(&self.context.state_timeouts, status).as_secs();
        // A bot that reports in this very moment is not late.
        let report = |to, reason| StatusReport {
            only_from: Some(status),
            ..StatusReport::new(to, TransitionSource::Server).because(reason)
        };
        match status {
            Requested => report(Failed, format!("the bot did not report within {seconds} s")),
            Joining => report(Failed, format!("the bot was on its way for more than {seconds} s")),
            AwaitingAdmission => StatusReport {
                completion_reason: Some(CompletionReason::AwaitingAdmissionTimeout),
                ..report(Completed, format!("nobody let the bot in within {seconds} s"))
            },
            Active => report(Stopping, format!("the meeting was longer than {seconds} s")),
            Stopping | Completed | Failed => report(Completed, format!("the bot did not leave within {seconds} s")),
        }
    }

    /// The bot has ended: the meeting is over too, by the bot's word if that comes, else by what was seen.
    async fn conclude(&self, ended: BotExit) {
        log::info!("meeting {}: {}", self.watch.id, ended.how);
        let mut news = self.watch.news.clone();
        let clock = &self.context.clock;
        let waited = tokio::select! {
            biased;
            _ = news.wait_for(|state| state.status.is_over()) => false,
            () = clock.sleep_until(later(clock.now(), LAST_WORD_TIME_MAX)) => true,
        };
        if waited {
            self.advance(of_end(self.watch.state().status, ended)).await;
        }
        self.clear().await;
    }

    /// The meeting is over: the bot may end by itself for a while, then it is ended.
    async fn dismiss(&self, end: Pin<&mut impl Future<Output = BotExit>>, state_timeouts: Duration) {
        let mut closing = self.context.closing.subscribe();
        let ended = tokio::select! {
            _ = end => true,
            () = sleep(state_timeouts) => false,
            // Nobody would look after it any more.
            _ = closing.wait_for(|closing| *closing) => false,
        };
        if !ended {
            self.stop().await;
        }
        self.clear().await;
    }

    async fn clear(&self) {
        if let Some(handle) = &self.handle {
            self.context.runner.clear(handle).await;
            let note = NoteCleared { meeting_id: self.watch.id, now: self.context.clock.now() };
            if let Err(error) = self.context.store.write(note).await {
                // The next start looks once more, and finds nothing.
                log::debug!("meeting {}: {error:?}", self.watch.id);
            }
        }
    }

    /// The server stops: the bot goes on, if it can.
    async fn close(&self) {
        let Some(handle) = &self.handle else { return };
        if self.context.runner.ends_with_server(handle) {
            self.stop().await;
            self.advance(
                StatusReport::new(Completed, TransitionSource::Server).because("the demo bot ended with the server"),
            )
            .await;
        }
    }

    /// Brings the news into the file, and says whether it moved the meeting; what is only refused for now is tried until the
    /// server stops.
    pub async fn advance(&self, report: StatusReport) -> bool {
        let mut closing = self.context.closing.subscribe();
        loop {
            let meeting_ref = MeetingRef::Meeting(self.watch.id);
            let advance =
                Advance { meeting_ref, report: report.clone(), container_id: None, now: self.context.clock.now() };
            match self.context.store.write(advance).await {
                Ok(advanced) => return advanced.is_some_and(|advanced| advanced.step == TransitionOutcome::Move),
                Err(Error::Busy | Error::DiskFull) if !*closing.borrow_and_update() => {
                    let _ = timeout(RETRY, closing.changed()).await;
                }
                Err(error) => {
                    let cause = error.cause().unwrap_or("the disk is full or busy");
                    log::warn!("the end of meeting {} could not be written: {cause}", self.watch.id);
                    return false;
                }
            }
        }
    }
}

fn limit(state_timeouts: &StateTimeouts, status: MeetingStatus) -> Duration {
    match status {
        Requested => state_timeouts.requested,
        Joining => state_timeouts.joining,
        AwaitingAdmission => state_timeouts.awaiting_admission,
        Active => state_timeouts.active,
        Stopping | Completed | Failed => state_timeouts.stopping,
    }
}

/// What the end of its bot makes of a meeting.
fn of_end(status: MeetingStatus, ended: BotExit) -> StatusReport {
    let is_well = ended.exit_code == Some(0) || status == Stopping;
    let to = if is_well { Completed } else { Failed };
    StatusReport { exit_code: ended.exit_code, ..StatusReport::new(to, TransitionSource::Server).because(ended.how) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_what_it_was() {
        for (status, exit_code, expected) in [
            (Requested, Some(0), Completed),
            (Active, Some(0), Completed),
            (Requested, Some(1), Failed),
            (Active, Some(137), Failed),
            (Active, None, Failed),
            (Stopping, Some(1), Completed),
            (Stopping, None, Completed),
        ] {
            let report = of_end(status, BotExit { exit_code, how: "so".to_owned() });
            assert_eq!((report.to, report.exit_code), (expected, exit_code), "{status:?} and {exit_code:?}");
            assert_eq!(report.reason.as_deref(), Some("so"));
        }
    }
}
