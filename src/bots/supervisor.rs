//! Every open meeting has a keeper: from its order on, and after a restart from what the file says.

use crate::bots::launch::LaunchSpec;
use crate::bots::meeting_task::{Context, MeetingTask};
use crate::bots::runner::Runner;
use crate::bots::watch_registry::{MeetingState, WatchHandle, WatchRegistry};
use crate::clock::{Clock, later};
use crate::config::Bots;
use crate::domain::MeetingStatus::{Completed, Failed, Requested, Stopping};
use crate::domain::bot::container_name;
use crate::domain::{Meeting, MeetingId, MeetingStatus, StatusReport, Time, TransitionSource};
use crate::store::{BotAtWork, Change, NoteContainer, Store};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How often the file is looked through for meetings that nobody keeps.
const ROUND: Duration = Duration::from_secs(10);
/// How long a meeting may be without a bot while nobody starts one, in seconds.
const ORDER_SECONDS_MAX: i64 = 30;

/// Longest wait at the end for bots that leave, beyond their grace period.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// Starts bots, and keeps the meetings of all of them.
pub struct Supervisor {
    context: Arc<Context>,
    watch_registry: Arc<WatchRegistry>,
    tasks: Mutex<JoinSet<()>>,
    started_at: Time,
}

impl Supervisor {
    /// Takes up every open meeting: its bot is adopted if it still runs, else the meeting is ended with its reason.
    /// Call it in a runtime. The roster must hear every change of the store.
    pub fn start(store: Arc<Store>, watch_registry: Arc<WatchRegistry>, bots: &Bots, clock: Clock) -> Arc<Self> {
        let supervisor = Self::at_rest(store, watch_registry, bots, clock);
        let rounds = Arc::clone(&supervisor).go_round();
        supervisor.tasks().spawn(rounds);
        supervisor
    }

    /// Takes up nothing: the open meetings are left to the next server.
    pub fn at_rest(store: Arc<Store>, watch_registry: Arc<WatchRegistry>, bots: &Bots, clock: Clock) -> Arc<Self> {
        let started_at = clock.now();
        let context = Context {
            store,
            clock,
            runner: Runner::new(bots),
            state_timeouts: bots.state_timeouts.clone(),
            grace: bots.grace,
            closing: watch::Sender::new(false),
        };
        let tasks = Mutex::new(JoinSet::new());
        Arc::new(Self { context: Arc::new(context), watch_registry, tasks, started_at })
    }

    /// Starts the bot of a meeting that was just requested, and returns its handle; from then on it is kept.
    ///
    /// Fails with a sentence that says what to do. Nothing runs then, and the meeting is for the caller to end.
    pub async fn send(&self, spec: LaunchSpec) -> Result<String, String> {
        let id = spec.meeting_id;
        let Some(watch) =
            self.watch_registry.enter(id, MeetingState { status: Requested, since: self.context.clock.now() })
        else {
            return Err("its bot is being started already.".to_owned());
        };
        match self.context.store.meeting_of_bot(id) {
            Ok(Some(meeting)) if meeting.status == Requested => {}
            Ok(_) => return Err("it was told to leave before it was started.".to_owned()),
            Err(_) => return Err("the database cannot be read.".to_owned()),
        }
        let handle = self.context.runner.start(spec).await?;
        log::info!("meeting {id}: started {handle}");
        self.keep(watch, Some(handle.clone()));
        Ok(handle)
    }

    /// Whether there is anything that runs bots.
    pub fn runs_any(&self) -> bool {
        self.context.runner.runs_any()
    }

    /// Removes what the bot of a meeting printed.
    pub async fn delete_log(&self, id: MeetingId) {
        self.context.runner.delete_log(id).await;
    }

    /// The meetings whose bots have printed nothing since then, and something before.
    pub async fn old_logs(&self, end: Time) -> Vec<MeetingId> {
        self.context.runner.old_logs(end).await
    }

    /// Hears what was committed; on the writer's thread, which it does not keep.
    pub fn on_change(&self, change: &Change) {
        self.watch_registry.on_change(change);
    }

    /// Lets go of every bot that can go on without the server, and ends the others.
    pub async fn stop(&self) {
        self.context.closing.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.tasks());
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if timeout(self.context.grace + CLOSE_TIME_MAX, all_ended).await.is_err() {
            log::warn!("some bots did not leave in time and are left to the next start");
        }
    }

    fn keep(&self, watch: WatchHandle, handle: Option<String>) {
        let meeting_task = MeetingTask { context: Arc::clone(&self.context), watch, handle };
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(meeting_task.keep());
    }

    async fn go_round(self: Arc<Self>) {
        let mut closing = self.context.closing.subscribe();
        self.take_up_uncleared().await;
        loop {
            let next_round = later(self.context.clock.now(), ROUND);
            match self.context.store.open_meetings(None).await {
                Ok(open) => {
                    for bot in open {
                        self.take_up(bot).await;
                    }
                }
                Err(error) => log::warn!("the open meetings cannot be read: {}", error.cause().unwrap_or("busy")),
            }
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return,
                () = self.context.clock.sleep_until(next_round) => {}
            }
        }
    }

    /// Takes up the meetings that were over when the last server ended, and whose bots were not gone.
    async fn take_up_uncleared(&self) {
        let uncleared = match self.context.store.uncleared_meetings().await {
            Ok(uncleared) => uncleared,
            Err(error) => return log::warn!("bots that are left cannot be read: {}", error.cause().unwrap_or("busy")),
        };
        for bot in uncleared {
            let handle = bot.meeting.bot_container_id.clone().filter(|handle| self.context.runner.knows(handle));
            let Some(handle) = handle else { continue };
            if let Some(watch) = self.watch_registry.enter(bot.meeting.id, MeetingState::of(&bot.meeting)) {
                self.keep(watch, Some(handle));
            }
        }
    }

    /// Takes up a meeting that nobody keeps.
    async fn take_up(&self, bot: BotAtWork) {
        let handle = bot.meeting.bot_container_id.clone().filter(|handle| self.context.runner.knows(handle));
        if handle.is_none() && self.may_be_starting(&bot.meeting) {
            return;
        }
        let Some(watch) = self.watch_registry.enter(bot.meeting.id, MeetingState::of(&bot.meeting)) else { return };
        match self.context.store.meeting_of_bot(watch.id) {
            Ok(Some(meeting)) if !meeting.status.is_over() => watch.correct(MeetingState::of(&meeting)),
            _ => return,
        }
        let handle = match handle {
            Some(handle) => Some(handle),
            None => match self.find(&bot).await {
                Ok(found) => found,
                // The next round asks again.
                Err(why) => return log::warn!("meeting {}: its bot cannot be looked for: {why}", watch.id),
            },
        };
        log::info!("meeting {}: taken up, with {}", watch.id, handle.as_deref().unwrap_or("no bot of ours"));
        if handle.is_none()
            && let Some(end) = without_bot(watch.state().status)
        {
            MeetingTask { context: Arc::clone(&self.context), watch, handle }.advance(end).await;
            return;
        }
        self.keep(watch, handle);
    }

    /// Whether its bot was requested in this run of the server, so recently that its start may be on the way.
    fn may_be_starting(&self, meeting: &Meeting) -> bool {
        let is_recent = self.context.clock.now() < meeting.created_at.plus_seconds(ORDER_SECONDS_MAX);
        meeting.status == Requested && meeting.created_at >= self.started_at && is_recent
    }

    /// Looks for a bot that was started before its handle could be noted.
    async fn find(&self, bot: &BotAtWork) -> Result<Option<String>, String> {
        let found = self.context.runner.find(&container_name(bot.meeting.id), &bot.uid).await?;
        let Some(handle) = found else { return Ok(None) };
        let note =
            NoteContainer { meeting_id: bot.meeting.id, container_id: handle.clone(), now: self.context.clock.now() };
        if let Err(error) = self.context.store.write(note).await {
            log::warn!("meeting {}: {handle} could not be noted: {error:?}", bot.meeting.id);
        }
        Ok(Some(handle))
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a meeting whose bot is nowhere; one that has reported may report again.
fn without_bot(status: MeetingStatus) -> Option<StatusReport> {
    let report = |to, reason: &str| Some(StatusReport::new(to, TransitionSource::Server).because(reason));
    match status {
        Requested => report(Failed, "the server stopped before the bot was started"),
        Stopping => report(Completed, "no bot was left to stop"),
        _ => None,
    }
}
