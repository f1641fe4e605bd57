//! Gives every meeting that is not over a task: when its bot is started, and after a restart by
//! what the database says.

use crate::bot_commands::BotCommands;
use crate::bots::launch::LaunchSpec;
use crate::bots::meeting_task::{Context, MeetingTask};
use crate::bots::output::LogTail;
use crate::bots::runner::Runner;
use crate::bots::running::{RunPermit, RunningBots};
use crate::bots::watch_registry::{MeetingState, WatchHandle, WatchRegistry};
use crate::clock::{Clock, later};
use crate::config::Bots;
use crate::domain::MeetingStatus::{Completed, Failed, Requested, Stopping};
use crate::domain::bot::container_name;
use crate::domain::{
    Meeting, MeetingId, MeetingStatus, StatusReport, Time, TransitionSource, UserId,
};
use crate::error::{Error, Result};
use crate::store::{BotAtWork, Change, NoteContainer, Store};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How often the supervisor looks for open meetings without a task.
const ROUND: Duration = Duration::from_secs(10);
/// How long the next round waits after one that took longer than that.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a requested meeting may be without a bot because its start is on the way, in seconds.
const START_SECONDS_MAX: i64 = 30;
/// Longest wait at the end for bots that leave, beyond their grace period.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// Starts bots, and supervises their meetings.
pub struct Supervisor {
    context: Arc<Context>,
    watch_registry: Arc<WatchRegistry>,
    running: Arc<RunningBots>,
    tasks: Mutex<JoinSet<()>>,
    started_at: Time,
}

impl Supervisor {
    /// Takes up every open meeting: its bot is adopted if it still runs, else the meeting is ended
    /// with a reason. Call it in a runtime. The registry must be told of every change that the
    /// store commits ([`WatchRegistry::on_change`]). Bots that listen to `commands` are told to
    /// leave there.
    pub fn start(
        store: Arc<Store>,
        watch_registry: Arc<WatchRegistry>,
        commands: Arc<BotCommands>,
        bots: &Bots,
        clock: Clock,
    ) -> Arc<Self> {
        let supervisor = Self::at_rest(store, watch_registry, commands, bots, clock);
        let rounds = Arc::clone(&supervisor).run_rounds();
        supervisor.tasks().spawn(rounds);
        supervisor
    }

    /// Takes up nothing: the open meetings are left to the next server.
    pub fn at_rest(
        store: Arc<Store>,
        watch_registry: Arc<WatchRegistry>,
        commands: Arc<BotCommands>,
        bots: &Bots,
        clock: Clock,
    ) -> Arc<Self> {
        let started_at = clock.now();
        let context = Context {
            store,
            clock,
            runner: Runner::new(bots),
            commands,
            leave_time: bots.leave_time,
            state_timeouts: bots.state_timeouts.clone(),
            grace: bots.grace,
            closing: watch::Sender::new(false),
        };
        let tasks = Mutex::new(JoinSet::new());
        let running = RunningBots::new(bots);
        Arc::new(Self { context: Arc::new(context), watch_registry, running, tasks, started_at })
    }

    /// Starts the bot of a meeting that was just requested, and returns its handle; from then on
    /// the meeting has a task.
    ///
    /// Fails with a sentence that says what to do. Nothing runs then, and the caller ends the
    /// meeting.
    pub async fn send(&self, spec: LaunchSpec) -> std::result::Result<String, String> {
        let id = spec.meeting_id;
        let mut permit = spec.permit.clone();
        let state = MeetingState { status: Requested, since: self.context.clock.now() };
        let Some(watch) = self.watch_registry.register(id, state) else {
            return Err("its bot is being started already.".to_owned());
        };
        match self.context.store.meeting_of_bot(id) {
            Ok(Some(meeting)) if meeting.status == Requested => {
                permit.get_or_insert_with(|| Arc::new(self.running.adopt(meeting.user_id)));
            }
            Ok(_) => return Err("it was told to leave before it was started.".to_owned()),
            Err(_) => return Err("the database cannot be read.".to_owned()),
        }
        let handle = self.context.runner.start(spec).await?;
        log::info!("meeting {id}: started {handle}");
        self.spawn(self.task_of(watch, Some(handle.clone()), permit));
        Ok(handle)
    }

    /// Whether one more bot of a user may run, who may have `limit` in meetings.
    pub fn check(&self, user_id: UserId, limit: i64) -> Result<()> {
        self.running.check(user_id, limit)
    }

    /// Counts one more bot of a user before it is started, if it may run.
    pub fn permit(&self, user_id: UserId, limit: i64) -> Result<Arc<RunPermit>> {
        self.running.take(user_id, limit).map(Arc::new)
    }

    /// How many bots run, those that are leaving too.
    pub fn running(&self) -> u64 {
        self.running.count() as u64
    }

    /// Whether bots could be started now; else the sentence that says why not and what to do.
    pub async fn check_runner(&self) -> std::result::Result<(), String> {
        self.context.runner.check().await
    }

    /// How many meetings that are not over stand in each status, by its word.
    pub fn by_status(&self) -> Vec<(&'static str, u64)> {
        self.watch_registry.by_status()
    }

    /// How many meetings have ended since the start: status, reason, and how many.
    pub fn ends(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.watch_registry.ends.counted()
    }

    /// Whether a runner is configured.
    pub fn runs_any(&self) -> bool {
        self.context.runner.runs_any()
    }

    /// Deletes the log of a meeting's bot.
    pub async fn delete_log(&self, id: MeetingId) {
        self.context.runner.delete_log(id).await;
    }

    /// Adds lines that a bot has sent to the log of its meeting; a folder that cannot be written is
    /// a warning.
    pub(crate) async fn append_log(&self, id: MeetingId, lines: String) {
        self.context.runner.append_log(id, lines).await;
    }

    /// The end of the log of a meeting's bot, at most so many bytes; `None` where no log is kept.
    pub(crate) async fn log_tail(&self, id: MeetingId, bytes_max: u64) -> Result<Option<LogTail>> {
        let read = self.context.runner.log_tail(id, bytes_max).await;
        read.map_err(|error| {
            Error::Internal(format!("the bot log of meeting {id} cannot be read: {error}"))
        })
    }

    /// The meetings with a log to which their bots have printed nothing since `end`.
    pub async fn old_logs(&self, end: Time) -> Vec<MeetingId> {
        self.context.runner.old_logs(end).await
    }

    /// Passes a committed change on to the meeting's task; on the writer's thread, which it does
    /// not block.
    pub fn on_change(&self, change: &Change) {
        self.watch_registry.on_change(change);
    }

    /// Leaves every bot running that can go on without the server, and stops the others.
    pub async fn stop(&self) {
        self.context.closing.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.tasks());
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if timeout(self.context.grace + CLOSE_TIME_MAX, all_ended).await.is_err() {
            log::warn!("some bots did not stop in time and are left to the next start");
        }
    }

    /// The task of a meeting, as it is where the meeting was not stopping before.
    fn task_of(
        &self,
        watch: WatchHandle,
        handle: Option<String>,
        permit: Option<Arc<RunPermit>>,
    ) -> MeetingTask {
        let context = Arc::clone(&self.context);
        MeetingTask { context, watch, handle, was_stopping: false, _permit: permit }
    }

    fn spawn(&self, meeting_task: MeetingTask) {
        let mut tasks = self.tasks();
        // Frees the tasks that have ended.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(meeting_task.run());
    }

    async fn run_rounds(self: Arc<Self>) {
        let mut closing = self.context.closing.subscribe();
        self.take_up_uncleared().await;
        loop {
            let next_round = later(self.context.clock.now(), ROUND);
            let began = Instant::now();
            self.take_up_open().await;
            if began.elapsed() >= ROUND {
                // An engine that hangs is not asked again at once.
                sleep(PAUSE).await;
            }
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return,
                () = self.context.clock.sleep_until(next_round) => {}
            }
        }
    }

    /// Takes up the open meetings that have no task.
    async fn take_up_open(&self) {
        match self.context.store.open_meetings().await {
            Ok(open) => {
                for bot in open {
                    self.take_up(bot).await;
                }
            }
            Err(error) => log::warn!("the open meetings cannot be read: {}", error.store_cause()),
        }
    }

    /// Takes up the meetings that were over when the last server ended, and whose bots were not
    /// gone.
    async fn take_up_uncleared(&self) {
        let uncleared = match self.context.store.uncleared_meetings().await {
            Ok(uncleared) => uncleared,
            Err(error) => {
                return log::warn!(
                    "the bots of ended meetings cannot be read: {}",
                    error.store_cause()
                );
            }
        };
        for bot in uncleared {
            let Some(handle) = self.known_handle(&bot.meeting) else { continue };
            let state = MeetingState::of(&bot.meeting);
            if let Some(watch) = self.watch_registry.register(bot.meeting.id, state) {
                let permit = Arc::new(self.running.adopt(bot.meeting.user_id));
                self.spawn(self.task_of(watch, Some(handle), Some(permit)));
            }
        }
    }

    /// Takes up an open meeting, unless it has a task already.
    async fn take_up(&self, bot: BotAtWork) {
        let known = self.known_handle(&bot.meeting);
        if known.is_none() && self.may_be_starting(&bot.meeting) {
            return;
        }
        let state = MeetingState::of(&bot.meeting);
        let Some(watch) = self.watch_registry.register(bot.meeting.id, state) else { return };
        // The meeting may have changed before it was registered.
        match self.context.store.meeting_of_bot(watch.id) {
            Ok(Some(meeting)) if !meeting.status.is_over() => {
                watch.correct(MeetingState::of(&meeting));
            }
            _ => return,
        }
        let handle = match known {
            Some(handle) => Some(handle),
            None => match self.find(&bot).await {
                Ok(found) => found,
                // The next round asks again.
                Err(why) => {
                    return log::warn!("meeting {}: its bot cannot be looked for: {why}", watch.id);
                }
            },
        };
        let name = handle.as_deref().unwrap_or("no bot of ours");
        log::info!("meeting {}: taken up, with {name}", watch.id);
        if handle.is_none()
            && let Some(report) = report_without_bot(watch.state().status)
        {
            self.task_of(watch, None, None).advance(report).await;
            return;
        }
        let mut permit = None;
        if handle.is_some() {
            permit = Some(Arc::new(self.running.adopt(bot.meeting.user_id)));
        }
        let was_stopping = watch.state().status == Stopping;
        self.spawn(MeetingTask { was_stopping, ..self.task_of(watch, handle, permit) });
    }

    /// The stored handle of a meeting's bot, if a runner of ours made it.
    fn known_handle(&self, meeting: &Meeting) -> Option<String> {
        let handle = meeting.bot_container_id.as_ref()?;
        if !self.context.runner.knows(handle) {
            return None;
        }
        Some(handle.clone())
    }

    /// Whether its bot was requested in this run of the server, so recently that its start may be
    /// on the way.
    fn may_be_starting(&self, meeting: &Meeting) -> bool {
        let since = MeetingState::of(meeting).since;
        let latest = since.plus_seconds(START_SECONDS_MAX);
        meeting.status == Requested && since >= self.started_at && self.context.clock.now() < latest
    }

    /// Looks for a bot that was started before its handle could be written.
    async fn find(&self, bot: &BotAtWork) -> std::result::Result<Option<String>, String> {
        let meeting_id = bot.meeting.id;
        let name = container_name(meeting_id);
        let Some(handle) = self.context.runner.find(&name, &bot.uid).await? else {
            return Ok(None);
        };
        let now = self.context.clock.now();
        let note = NoteContainer { meeting_id, container_id: handle.clone(), now };
        if let Err(error) = self.context.store.write(note).await {
            log::warn!("meeting {meeting_id}: {handle} could not be written: {error:?}");
        }
        Ok(Some(handle))
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a meeting whose bot is nowhere; `None` where the bot has reported, and may
/// report again.
fn report_without_bot(status: MeetingStatus) -> Option<StatusReport> {
    let (to, reason) = match status {
        Requested => (Failed, "the server stopped before the bot was started"),
        Stopping => (Completed, "no bot was left to stop"),
        _ => return None,
    };
    Some(StatusReport::new(to, TransitionSource::Server).because(reason))
}
