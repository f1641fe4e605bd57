//! One meeting that is not over, and its bot, to the end of both.

use super::roster::{Place, Standing};
use super::{Ended, Runner};
use crate::clock;
use crate::config::Patience;
use crate::domain::MeetingStatus::{Active, AwaitingAdmission, Completed, Failed, Joining, Requested, Stopping};
use crate::domain::lifecycle::Step;
use crate::domain::{Cause, CompletionReason, MeetingStatus, Report, Time};
use crate::error::Error;
use crate::store::{Advance, NoteCleared, Store, Whose};
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
pub struct House {
    /// Where meetings are written.
    pub store: Arc<Store>,
    /// What runs their bots.
    pub runner: Runner,
    /// How long a meeting may stay in each state.
    pub patience: Patience,
    /// How long a bot may take to end after its last word.
    pub grace: Duration,
    /// Becomes true when the server stops.
    pub closing: watch::Sender<bool>,
}

/// What happens next.
enum Next {
    Moved,
    Ended(Ended),
    TimeIsUp,
    Closing,
}

/// Keeps one meeting honest.
pub struct Keeper {
    /// What it shares with the others.
    pub house: Arc<House>,
    /// Its meeting.
    pub place: Place,
    /// Its bot; `None` is one that is not ours to stop, which has only its word.
    pub handle: Option<String>,
}

impl Keeper {
    /// Until the meeting is over and nothing of its bot is left, or the server stops.
    pub async fn keep(self) {
        let (mut news, mut closing) = (self.place.news.clone(), self.house.closing.subscribe());
        let mut end = pin!(self.end());
        let mut stop = pin!(self.stop());
        let mut told_to_leave = false;
        loop {
            let Standing { status, since } = *news.borrow_and_update();
            if status.is_over() {
                return self.dismiss(end, self.house.grace).await;
            }
            let next = tokio::select! {
                // News first: a meeting that is over is not let go of with its bot still there.
                biased;
                _ = news.changed() => Next::Moved,
                ended = &mut end => Next::Ended(ended),
                () = &mut stop, if status == Stopping && !told_to_leave => {
                    told_to_leave = true;
                    Next::Moved
                }
                () = sleep(self.time_left(status, since)) => Next::TimeIsUp,
                _ = closing.wait_for(|closing| *closing) => Next::Closing,
            };
            match next {
                Next::Moved => {}
                Next::Ended(ended) => return self.conclude(ended).await,
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
    async fn end(&self) -> Ended {
        match &self.handle {
            Some(handle) => self.house.runner.wait(self.place.id, handle).await,
            None => std::future::pending().await,
        }
    }

    async fn stop(&self) {
        if let Some(handle) = &self.handle {
            self.house.runner.stop(handle).await;
        }
    }

    fn time_left(&self, status: MeetingStatus, since: Time) -> Duration {
        let passed = clock::now().as_millis().saturating_sub(since.as_millis());
        let passed = Duration::from_millis(passed.try_into().unwrap_or_default());
        limit(&self.house.patience, status).saturating_sub(passed)
    }

    /// What becomes of a meeting that has been in a state for too long.
    fn out_of_time(&self, status: MeetingStatus) -> Report {
        let seconds = limit(&self.house.patience, status).as_secs();
        // A bot that reports in this very moment is not late.
        let report = |to, reason| Report { only_from: Some(status), ..Report::new(to, Cause::Server).because(reason) };
        match status {
            Requested => report(Failed, format!("the bot did not report within {seconds} s")),
            Joining => report(Failed, format!("the bot was on its way for more than {seconds} s")),
            AwaitingAdmission => Report {
                completion_reason: Some(CompletionReason::AwaitingAdmissionTimeout),
                ..report(Completed, format!("nobody let the bot in within {seconds} s"))
            },
            Active => report(Stopping, format!("the meeting was longer than {seconds} s")),
            Stopping | Completed | Failed => report(Completed, format!("the bot did not leave within {seconds} s")),
        }
    }

    /// The bot has ended: the meeting is over too, by the bot's word if that comes, else by what was seen.
    async fn conclude(&self, ended: Ended) {
        log::info!("meeting {}: {}", self.place.id, ended.how);
        let mut news = self.place.news.clone();
        let word = timeout(LAST_WORD_TIME_MAX, news.wait_for(|standing| standing.status.is_over()));
        if word.await.is_err() {
            self.advance(of_end(self.place.standing().status, ended)).await;
        }
        self.clear().await;
    }

    /// The meeting is over: the bot may end by itself for a while, then it is ended.
    async fn dismiss(&self, end: Pin<&mut impl Future<Output = Ended>>, patience: Duration) {
        let mut closing = self.house.closing.subscribe();
        let ended = tokio::select! {
            _ = end => true,
            () = sleep(patience) => false,
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
            self.house.runner.clear(handle).await;
            let note = NoteCleared { meeting_id: self.place.id, now: clock::now() };
            if let Err(error) = self.house.store.write(note).await {
                // The next start looks once more, and finds nothing.
                log::debug!("meeting {}: {error:?}", self.place.id);
            }
        }
    }

    /// The server stops: the bot goes on, if it can.
    async fn close(&self) {
        let Some(handle) = &self.handle else { return };
        if self.house.runner.ends_with_server(handle) {
            self.stop().await;
            self.advance(Report::new(Completed, Cause::Server).because("the demo bot ended with the server")).await;
        }
    }

    /// Brings the news into the file, and says whether it moved the meeting; what is only refused for now is tried until the
    /// server stops.
    pub async fn advance(&self, report: Report) -> bool {
        let mut closing = self.house.closing.subscribe();
        loop {
            let whose = Whose::Meeting(self.place.id);
            let advance = Advance { whose, report: report.clone(), container_id: None, now: clock::now() };
            match self.house.store.write(advance).await {
                Ok(advanced) => return advanced.is_some_and(|advanced| advanced.step == Step::Move),
                Err(Error::Busy | Error::DiskFull) if !*closing.borrow_and_update() => {
                    let _ = timeout(RETRY, closing.changed()).await;
                }
                Err(error) => {
                    let cause = error.cause().unwrap_or("the disk is full or busy");
                    log::warn!("the end of meeting {} could not be written: {cause}", self.place.id);
                    return false;
                }
            }
        }
    }
}

fn limit(patience: &Patience, status: MeetingStatus) -> Duration {
    match status {
        Requested => patience.requested,
        Joining => patience.joining,
        AwaitingAdmission => patience.awaiting_admission,
        Active => patience.active,
        Stopping | Completed | Failed => patience.stopping,
    }
}

/// What the end of its bot makes of a meeting.
fn of_end(status: MeetingStatus, ended: Ended) -> Report {
    let is_well = ended.exit_code == Some(0) || status == Stopping;
    let to = if is_well { Completed } else { Failed };
    Report { exit_code: ended.exit_code, ..Report::new(to, Cause::Server).because(ended.how) }
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
            let report = of_end(status, Ended { exit_code, how: "so".to_owned() });
            assert_eq!((report.to, report.exit_code), (expected, exit_code), "{status:?} and {exit_code:?}");
            assert_eq!(report.reason.as_deref(), Some("so"));
        }
    }
}
