//! Every open meeting has a keeper: from its order on, and after a restart from what the file says.

use super::keeper::{House, Keeper};
use super::roster::{Place, Roster, Standing};
use super::{Order, Runner};
use crate::clock;
use crate::config::Bots;
use crate::domain::MeetingStatus::{Completed, Failed, Requested, Stopping};
use crate::domain::bot::container_name;
use crate::domain::{Cause, Meeting, MeetingId, MeetingStatus, Report, Time};
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
    house: Arc<House>,
    roster: Arc<Roster>,
    tasks: Mutex<JoinSet<()>>,
    started_at: Time,
}

impl Supervisor {
    /// Takes up every open meeting: its bot is adopted if it still runs, else the meeting is ended with its reason.
    /// Call it in a runtime. The roster must hear every change of the store.
    pub fn start(store: Arc<Store>, roster: Arc<Roster>, bots: &Bots) -> Arc<Self> {
        let supervisor = Self::at_rest(store, roster, bots);
        let rounds = Arc::clone(&supervisor).go_round();
        supervisor.tasks().spawn(rounds);
        supervisor
    }

    /// Takes up nothing: the open meetings are left to the next server.
    pub fn at_rest(store: Arc<Store>, roster: Arc<Roster>, bots: &Bots) -> Arc<Self> {
        let house = House {
            store,
            runner: Runner::new(bots),
            patience: bots.patience.clone(),
            grace: bots.grace,
            closing: watch::Sender::new(false),
        };
        let tasks = Mutex::new(JoinSet::new());
        Arc::new(Self { house: Arc::new(house), roster, tasks, started_at: clock::now() })
    }

    /// Starts the bot of a meeting that was just requested, and returns its handle; from then on it is kept.
    ///
    /// Fails with a sentence that says what to do. Nothing runs then, and the meeting is for the caller to end.
    pub async fn send(&self, order: Order) -> Result<String, String> {
        let id = order.meeting_id;
        let Some(place) = self.roster.enter(id, Standing { status: Requested, since: clock::now() }) else {
            return Err("its bot is being started already.".to_owned());
        };
        match self.house.store.meeting_of_bot(id) {
            Ok(Some(meeting)) if meeting.status == Requested => {}
            Ok(_) => return Err("it was told to leave before it was started.".to_owned()),
            Err(_) => return Err("the database cannot be read.".to_owned()),
        }
        let handle = self.house.runner.start(order).await?;
        log::info!("meeting {id}: started {handle}");
        self.keep(place, Some(handle.clone()));
        Ok(handle)
    }

    /// Whether there is anything that runs bots.
    pub fn runs_any(&self) -> bool {
        self.house.runner.runs_any()
    }

    /// Removes what the bot of a meeting printed.
    pub async fn erase(&self, id: MeetingId) {
        self.house.runner.erase(id).await;
    }

    /// The meetings whose bots have printed nothing since then, and something before.
    pub async fn old_outputs(&self, end: Time) -> Vec<MeetingId> {
        self.house.runner.old_outputs(end).await
    }

    /// Hears what was committed; on the writer's thread, which it does not keep.
    pub fn hear(&self, change: &Change) {
        self.roster.hear(change);
    }

    /// Lets go of every bot that can go on without the server, and ends the others.
    pub async fn stop(&self) {
        self.house.closing.send_replace(true);
        let mut tasks = std::mem::take(&mut *self.tasks());
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if timeout(self.house.grace + CLOSE_TIME_MAX, all_ended).await.is_err() {
            log::warn!("some bots did not leave in time and are left to the next start");
        }
    }

    fn keep(&self, place: Place, handle: Option<String>) {
        let keeper = Keeper { house: Arc::clone(&self.house), place, handle };
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(keeper.keep());
    }

    async fn go_round(self: Arc<Self>) {
        let mut closing = self.house.closing.subscribe();
        self.take_up_uncleared().await;
        loop {
            match self.house.store.open_meetings(None).await {
                Ok(open) => {
                    for bot in open {
                        self.take_up(bot).await;
                    }
                }
                Err(error) => log::warn!("the open meetings cannot be read: {}", error.cause().unwrap_or("busy")),
            }
            if timeout(ROUND, closing.wait_for(|closing| *closing)).await.is_ok() {
                return;
            }
        }
    }

    /// Takes up the meetings that were over when the last server ended, and whose bots were not gone.
    async fn take_up_uncleared(&self) {
        let uncleared = match self.house.store.uncleared_meetings().await {
            Ok(uncleared) => uncleared,
            Err(error) => return log::warn!("bots that are left cannot be read: {}", error.cause().unwrap_or("busy")),
        };
        for bot in uncleared {
            let handle = bot.meeting.bot_container_id.clone().filter(|handle| self.house.runner.knows(handle));
            let Some(handle) = handle else { continue };
            if let Some(place) = self.roster.enter(bot.meeting.id, Standing::of(&bot.meeting)) {
                self.keep(place, Some(handle));
            }
        }
    }

    /// Takes up a meeting that nobody keeps.
    async fn take_up(&self, bot: BotAtWork) {
        let handle = bot.meeting.bot_container_id.clone().filter(|handle| self.house.runner.knows(handle));
        if handle.is_none() && self.may_be_starting(&bot.meeting) {
            return;
        }
        let Some(place) = self.roster.enter(bot.meeting.id, Standing::of(&bot.meeting)) else { return };
        match self.house.store.meeting_of_bot(place.id) {
            Ok(Some(meeting)) if !meeting.status.is_over() => place.correct(Standing::of(&meeting)),
            _ => return,
        }
        let handle = match handle {
            Some(handle) => Some(handle),
            None => match self.find(&bot).await {
                Ok(found) => found,
                // The next round asks again.
                Err(why) => return log::warn!("meeting {}: its bot cannot be looked for: {why}", place.id),
            },
        };
        log::info!("meeting {}: taken up, with {}", place.id, handle.as_deref().unwrap_or("no bot of ours"));
        if handle.is_none()
            && let Some(end) = without_bot(place.standing().status)
        {
            Keeper { house: Arc::clone(&self.house), place, handle }.advance(end).await;
            return;
        }
        self.keep(place, handle);
    }

    /// Whether its bot was requested in this run of the server, so recently that its start may be on the way.
    fn may_be_starting(&self, meeting: &Meeting) -> bool {
        let is_recent = clock::now() < meeting.created_at.plus_seconds(ORDER_SECONDS_MAX);
        meeting.status == Requested && meeting.created_at >= self.started_at && is_recent
    }

    /// Looks for a bot that was started before its handle could be noted.
    async fn find(&self, bot: &BotAtWork) -> Result<Option<String>, String> {
        let found = self.house.runner.find(&container_name(bot.meeting.id), &bot.uid).await?;
        let Some(handle) = found else { return Ok(None) };
        let note = NoteContainer { meeting_id: bot.meeting.id, container_id: handle.clone(), now: clock::now() };
        if let Err(error) = self.house.store.write(note).await {
            log::warn!("meeting {}: {handle} could not be noted: {error:?}", bot.meeting.id);
        }
        Ok(Some(handle))
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a meeting whose bot is nowhere; one that has reported may report again.
fn without_bot(status: MeetingStatus) -> Option<Report> {
    let report = |to, reason: &str| Some(Report::new(to, Cause::Server).because(reason));
    match status {
        Requested => report(Failed, "the server stopped before the bot was started"),
        Stopping => report(Completed, "no bot was left to stop"),
        _ => None,
    }
}
