//! Bots that are planned for a time (`join_at` in `POST /bots`), and sent when it comes.

use crate::api::bot_spec::Wanted;
use crate::api::launching::{launch, no_randomness, session_name};
use crate::app::App;
use crate::domain::field::Invalid;
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::{MeetingId, PlainToken, Time};
use crate::error::{Error, Result};
use crate::logging::Trouble;
use crate::store::{PlanEnd, RequestPlanned};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How often is looked for plans whose time has come.
const PERIOD: Duration = Duration::from_millis(500);
/// Most planned bots that are started at once.
const STARTS_MAX: usize = 256;
/// A server that was not running at the time of a meeting still sends the bot so much later.
const LATE_SECONDS_MAX: i64 = 600;
/// How far ahead a bot may be planned: a year.
const AHEAD_SECONDS_MAX: i64 = 366 * 86_400;

/// Checks the time of a plan.
pub(crate) fn check_time(join_at: Time, now: Time) -> Result<()> {
    let why = if join_at <= now {
        "this time is over; leave join_at out to send the bot now"
    } else if join_at > now.plus_seconds(AHEAD_SECONDS_MAX) {
        "a bot is planned for a year ahead at most"
    } else {
        return Ok(());
    };
    let loc = vec![LocStep::Name("body"), LocStep::Name("join_at")];
    let invalid = Invalid::new("value_error", format!("Value error, {why}"));
    Err(Error::Invalid(vec![FieldError::new(loc, SentValue::Nothing, invalid)]))
}

/// Sends planned bots at their times; it never ends by itself.
pub(crate) async fn keep_joining(app: Arc<App>) {
    let mut under_way = HashSet::new();
    let mut starts = JoinSet::new();
    let mut trouble = Trouble::default();
    loop {
        while let Some(started) = starts.try_join_next() {
            match started {
                Ok((id, outcome)) => {
                    under_way.remove(&id);
                    note(&mut trouble, outcome);
                }
                // Which one it was is not known: all that are due are looked at again.
                Err(_) => under_way.clear(),
            }
        }
        let now = app.clock.now();
        match app.store.due_plans(now, STARTS_MAX) {
            Ok(due) => {
                for id in due {
                    if under_way.len() < STARTS_MAX && under_way.insert(id) {
                        let app = Arc::clone(&app);
                        starts.spawn(async move { (id, start(&app, id, now).await) });
                    }
                }
            }
            Err(error) => note(&mut trouble, Err(error)),
        }
        // A full round goes on at once, when one of its starts is done.
        if under_way.len() >= STARTS_MAX {
            tokio::select! {
                () = sleep(PERIOD) => {}
                Some(started) = starts.join_next() => {
                    if let Ok((id, outcome)) = started {
                        under_way.remove(&id);
                        note(&mut trouble, outcome);
                    }
                }
            }
        } else {
            sleep(PERIOD).await;
        }
    }
}

/// What cannot be written now is due again in the next round.
fn note(trouble: &mut Trouble, outcome: Result<()>) {
    match outcome {
        Ok(()) => trouble.end("planned bots are sent again"),
        Err(error) => {
            let cause = error.store_cause();
            trouble.warn(&format!("planned bots cannot be sent yet: {cause}"));
        }
    }
}

/// Sends the bot of a plan whose time has come, if it may be sent.
async fn start(app: &Arc<App>, meeting_id: MeetingId, now: Time) -> Result<()> {
    let secret = PlainToken::generate().map_err(no_randomness)?;
    let uid = session_name().map_err(no_randomness)?;
    let verb = RequestPlanned {
        meeting_id,
        uid: uid.clone(),
        token_hash: secret.hash(),
        not_before: now.plus_seconds(-LATE_SECONDS_MAX),
        now,
    };
    let Some(PlanEnd { advanced, bot }) = app.store.write(verb).await? else { return Ok(()) };
    let Some(bot) = bot else {
        log::warn!("meeting {meeting_id}: its planned bot was not sent; the meeting says why");
        return Ok(());
    };
    let wanted = Wanted {
        meeting: &advanced.meeting,
        uid: &uid,
        bot_name: &bot.bot_name,
        secret: &secret,
        passcode: bot.settings.passcode.as_deref(),
        language: bot.language,
        task: bot.task,
        has_voice: bot.settings.has_voice,
    };
    match launch(app, &wanted, bot.limit).await {
        Ok(_) => Ok(()),
        // The meeting has failed, and says why.
        Err(
            error @ (Error::BotNotStarted(_)
            | Error::BotsStillLeaving { .. }
            | Error::TooManyBots { .. }),
        ) => {
            log::warn!("meeting {meeting_id}: its planned bot was not sent: {error}");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
