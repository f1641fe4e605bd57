//! The task of one meeting that is not over, and of its bot, to the end of both.

use crate::bot_commands::BotCommands;
use crate::bots::launch::BotExit;
use crate::bots::runner::Runner;
use crate::bots::running::RunPermit;
use crate::bots::watch_registry::{MeetingState, WatchHandle};
use crate::clock::{Clock, later};
use crate::config::StateTimeouts;
use crate::domain::MeetingStatus::{
    Active, AwaitingAdmission, Completed, Failed, Joining, Requested, Scheduled, Stopping,
};
use crate::domain::lifecycle::TransitionOutcome;
use crate::domain::{CompletionReason, MeetingStatus, StatusReport, Time, TransitionSource};
use crate::error::Error;
use crate::store::{Advance, MeetingRef, NoteCleared, Store};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long the last callback of a bot that has ended may take. What the bot says of its end is
/// better than what is seen of it.
const LAST_CALLBACK_TIME_MAX: Duration = Duration::from_millis(500);
/// How long to wait before a write that was refused is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long a bot that was stopping when the server started may take to subscribe again.
const RETURN_TIME_MAX: Duration = Duration::from_secs(5);

/// What all meeting tasks share.
pub(super) struct Context {
    /// Where meetings are written.
    pub store: Arc<Store>,
    /// The clock of their time-outs.
    pub clock: Clock,
    /// What runs their bots.
    pub runner: Runner,
    /// Commands for those that listen.
    pub commands: Arc<BotCommands>,
    /// How long a bot that listens may take to leave before it is stopped.
    pub leave_time: Duration,
    /// How long a meeting may stay in each state.
    pub state_timeouts: StateTimeouts,
    /// How long a bot may take to end after its last callback.
    pub grace: Duration,
    /// Becomes true when the server stops.
    pub closing: watch::Sender<bool>,
}

/// What happens next.
enum Next {
    StateChanged,
    BotEnded(BotExit),
    TimedOut,
    Closing,
}

/// Supervises one meeting.
pub(super) struct MeetingTask {
    /// What it shares with the other tasks.
    pub context: Arc<Context>,
    /// Its meeting.
    pub watch: WatchHandle,
    /// The handle of its bot; `None` is a bot that no runner started, which is known by its
    /// callbacks alone.
    pub handle: Option<String>,
    /// Whether it was taken up while it was stopping: its bot may have been told to leave before
    /// the server was restarted, and have yet to connect again.
    pub was_stopping: bool,
    /// Counts its bot among those that run; `None` where there is none.
    pub _permit: Option<Arc<RunPermit>>,
}

impl MeetingTask {
    /// Runs until the meeting is over and nothing of its bot is left, or the server stops.
    pub(super) async fn run(self) {
        let mut states = self.watch.states.clone();
        let mut closing = self.context.closing.subscribe();
        let mut bot_exit = pin!(self.bot_exit());
        let mut stop = pin!(self.make_leave());
        let mut is_stopped = false;
        loop {
            let MeetingState { status, since } = *states.borrow_and_update();
            if status.is_over() {
                return self.dismiss(bot_exit, self.context.grace).await;
            }
            let deadline = self.deadline(status, since);
            let next = tokio::select! {
                // The state first: a meeting that is over must not be left with its bot still
                // there.
                biased;
                _ = states.changed() => Next::StateChanged,
                exit = &mut bot_exit => Next::BotEnded(exit),
                () = &mut stop, if status == Stopping && !is_stopped => {
                    is_stopped = true;
                    Next::StateChanged
                }
                () = self.context.clock.sleep_until(deadline) => Next::TimedOut,
                _ = closing.wait_for(|closing| *closing) => Next::Closing,
            };
            match next {
                Next::StateChanged => {}
                Next::BotEnded(exit) => return self.conclude(exit).await,
                Next::TimedOut => {
                    let report = self.timeout_report(status);
                    let is_end = report.to.is_over();
                    if self.advance(report).await && is_end {
                        return self.dismiss(bot_exit, Duration::ZERO).await;
                    }
                    // At once where it was written; else the state times out once more.
                    let _ = timeout(RETRY, states.changed()).await;
                }
                Next::Closing => return self.close().await,
            }
        }
    }

    /// Resolves when the bot no longer runs; never without a handle.
    async fn bot_exit(&self) -> BotExit {
        match &self.handle {
            Some(handle) => self.context.runner.wait(self.watch.id, handle).await,
            None => std::future::pending().await,
        }
    }

    /// Lets the bot leave by the command, where it listens, and stops it once it has had its time
    /// for that; else at once. One that was taken up while it was stopping may be told again: it
    /// has a moment to subscribe, and is told then; twice is as good as once.
    async fn make_leave(&self) {
        let Context { commands, clock, leave_time, .. } = &*self.context;
        let id = self.watch.id;
        let now = clock.now();
        let deadline = later(self.watch.state().since.min(now), *leave_time);
        let mut listens = commands.leave(id) > 0;
        if self.was_stopping && !listens {
            let last = deadline.min(later(now, RETURN_TIME_MAX));
            let has_come = tokio::select! {
                () = commands.subscribed(id) => true,
                () = clock.sleep_until(last) => false,
            };
            // Its connection told it only if the database could be read at that moment.
            listens = has_come && commands.leave(id) > 0;
        }
        if listens {
            clock.sleep_until(deadline).await;
        }
        self.stop_bot().await;
    }

    async fn stop_bot(&self) {
        if let Some(handle) = &self.handle {
            self.context.runner.stop(handle).await;
        }
    }

    /// When a state times out. A state that begins in the future, by a clock that was set back,
    /// begins now.
    fn deadline(&self, status: MeetingStatus, since: Time) -> Time {
        let now = self.context.clock.now();
        let time_max = time_max(&self.context.state_timeouts, status);
        later(since.min(now), time_max)
    }

    /// What becomes of a meeting that has been in a state for too long.
    fn timeout_report(&self, status: MeetingStatus) -> StatusReport {
        let seconds = time_max(&self.context.state_timeouts, status).as_secs();
        let (to, reason) = match status {
            Requested => (Failed, format!("the bot did not report within {seconds} s")),
            Joining => (Failed, format!("the bot was on its way for more than {seconds} s")),
            AwaitingAdmission => (Completed, format!("nobody let the bot in within {seconds} s")),
            Active => (Stopping, format!("the meeting was longer than {seconds} s")),
            Scheduled | Stopping | Completed | Failed => {
                (Completed, format!("the bot did not leave within {seconds} s"))
            }
        };
        let mut report = StatusReport::new(to, TransitionSource::Server).because(reason);
        if status == AwaitingAdmission {
            report.completion_reason = Some(CompletionReason::AwaitingAdmissionTimeout);
        }
        // A bot that reports in this very moment is not late.
        report.only_from = Some(status);
        report
    }

    /// Ends the meeting of a bot that has ended: by the bot's last callback if that comes, else by
    /// what was seen.
    async fn conclude(&self, exit: BotExit) {
        log::info!("meeting {}: {}", self.watch.id, exit.how);
        let mut states = self.watch.states.clone();
        let clock = &self.context.clock;
        let deadline = later(clock.now(), LAST_CALLBACK_TIME_MAX);
        let is_over = tokio::select! {
            biased;
            _ = states.wait_for(|state| state.status.is_over()) => true,
            () = clock.sleep_until(deadline) => false,
        };
        if !is_over {
            let report = exit_report(self.watch.state().status, exit);
            self.advance(report).await;
        }
        self.clear().await;
    }

    /// The meeting is over: the bot may end by itself within the grace period, then it is stopped.
    async fn dismiss(&self, bot_exit: Pin<&mut impl Future<Output = BotExit>>, grace: Duration) {
        let mut closing = self.context.closing.subscribe();
        let has_ended = tokio::select! {
            _ = bot_exit => true,
            () = sleep(grace) => false,
            // After that, nobody would stop it.
            _ = closing.wait_for(|closing| *closing) => false,
        };
        if !has_ended {
            self.stop_bot().await;
        }
        self.clear().await;
    }

    /// Clears away what is left of the bot, and writes that nothing is.
    async fn clear(&self) {
        let Some(handle) = &self.handle else { return };
        self.context.runner.clear(handle).await;
        let cleared = NoteCleared { meeting_id: self.watch.id, now: self.context.clock.now() };
        if let Err(error) = self.context.store.write(cleared).await {
            // The next start looks once more, and finds nothing.
            log::debug!("meeting {}: {error:?}", self.watch.id);
        }
    }

    /// The server stops: the bot goes on, if it can.
    async fn close(&self) {
        let Some(handle) = &self.handle else { return };
        if !self.context.runner.ends_with_server(handle) {
            return;
        }
        self.stop_bot().await;
        let report = StatusReport::new(Completed, TransitionSource::Server);
        self.advance(report.because("the demo bot ended with the server")).await;
    }

    /// Writes a status report, and returns whether it changed the meeting's state. A write that is
    /// only refused for now is tried again until the server stops.
    pub(super) async fn advance(&self, report: StatusReport) -> bool {
        let mut closing = self.context.closing.subscribe();
        loop {
            let advance = Advance {
                meeting_ref: MeetingRef::Meeting(self.watch.id),
                report: report.clone(),
                container_id: None,
                now: self.context.clock.now(),
            };
            match self.context.store.write(advance).await {
                Ok(Some(advanced)) => return advanced.step == TransitionOutcome::Move,
                Ok(None) => return false,
                Err(Error::Busy | Error::DiskFull) if !*closing.borrow_and_update() => {
                    let _ = timeout(RETRY, closing.changed()).await;
                }
                Err(error) => {
                    let cause = error.store_cause();
                    let id = self.watch.id;
                    log::warn!("the status of meeting {id} could not be written: {cause}");
                    return false;
                }
            }
        }
    }
}

/// How long a meeting may stay in a state.
fn time_max(state_timeouts: &StateTimeouts, status: MeetingStatus) -> Duration {
    match status {
        Requested => state_timeouts.requested,
        Joining => state_timeouts.joining,
        AwaitingAdmission => state_timeouts.awaiting_admission,
        Active => state_timeouts.active,
        Scheduled | Stopping | Completed | Failed => state_timeouts.stopping,
    }
}

/// What becomes of a meeting whose bot has ended: it is completed where the bot succeeded or was to
/// stop.
fn exit_report(status: MeetingStatus, exit: BotExit) -> StatusReport {
    let is_success = exit.exit_code == Some(0) || status == Stopping;
    let to = if is_success { Completed } else { Failed };
    let mut report = StatusReport::new(to, TransitionSource::Server).because(exit.how);
    report.exit_code = exit.exit_code;
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bot_that_succeeds_or_was_to_stop_completes_its_meeting() {
        for (status, exit_code, expected) in [
            (Requested, Some(0), Completed),
            (Active, Some(0), Completed),
            (Requested, Some(1), Failed),
            (Active, Some(137), Failed),
            (Active, None, Failed),
            (Stopping, Some(1), Completed),
            (Stopping, None, Completed),
        ] {
            let report = exit_report(status, BotExit { exit_code, how: "so".to_owned() });
            assert_eq!(
                (report.to, report.exit_code),
                (expected, exit_code),
                "{status:?} and {exit_code:?}"
            );
            assert_eq!(report.reason.as_deref(), Some("so"));
        }
    }
}
