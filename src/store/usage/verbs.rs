//! Usage as it is counted, by user, token and day (UTC).

use crate::domain::{Day, Time, TokenId, UsageCounts, UsageKey, UserId};
use crate::error::Result;
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Most rows that one verb forgets, so that no write waits long behind it.
const FORGOTTEN_MAX: i64 = 1000;

/// Adds to what is counted; of a user that is gone nothing is.
pub(crate) fn add(db: &Connection, key: &UsageKey, counts: &UsageCounts) -> rusqlite::Result<()> {
    let mut upsert = db.prepare_cached(
        "INSERT INTO usage (user_id, day, token_id, requests, bots, bot_ms, transcript_ms, sound_ms)
         SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM users WHERE id = ?1
         ON CONFLICT (user_id, day, token_id) DO UPDATE SET requests = requests + excluded.requests,
           bots = bots + excluded.bots, bot_ms = bot_ms + excluded.bot_ms,
           transcript_ms = transcript_ms + excluded.transcript_ms,
           sound_ms = sound_ms + excluded.sound_ms",
    )?;
    upsert.execute(params![
        key.user_id,
        key.day,
        key.token_id,
        counts.requests,
        counts.bots,
        counts.bot_ms,
        counts.transcript_ms,
        counts.sound_ms
    ])?;
    Ok(())
}

/// Counts a bot that is being started.
pub(crate) fn bot_sent(
    db: &Connection,
    user_id: UserId,
    token_id: TokenId,
    now: Time,
) -> rusqlite::Result<()> {
    let key = UsageKey { user_id, day: Day::of(now), token_id };
    add(db, &key, &UsageCounts { bots: 1, ..UsageCounts::default() })
}

/// A bot at its end.
pub(crate) struct EndedBot {
    /// Whose it was.
    pub user_id: UserId,
    /// The API token by which it was sent.
    pub token_id: TokenId,
    /// When it was asked for.
    pub requested_at: Time,
    /// Whether it ever ran.
    pub ran: bool,
}

/// Counts the time of a bot at its end; one that never ran is no bot, so the day that counted it
/// takes it back.
pub(crate) fn bot_ended(db: &Connection, bot: &EndedBot, now: Time) -> rusqlite::Result<()> {
    let key = |time| UsageKey { user_id: bot.user_id, day: Day::of(time), token_id: bot.token_id };
    if bot.ran {
        let bot_ms = (now.as_millis() - bot.requested_at.as_millis()).max(0);
        add(db, &key(now), &UsageCounts { bot_ms, ..UsageCounts::default() })
    } else {
        add(db, &key(bot.requested_at), &UsageCounts { bots: -1, ..UsageCounts::default() })
    }
}

/// Counts words whose drafts are final now.
pub(crate) fn words_said(
    db: &Connection,
    user_id: UserId,
    token_id: TokenId,
    transcript_ms: i64,
    now: Time,
) -> rusqlite::Result<()> {
    if transcript_ms == 0 {
        return Ok(());
    }
    let key = UsageKey { user_id, day: Day::of(now), token_id };
    add(db, &key, &UsageCounts { transcript_ms, ..UsageCounts::default() })
}

/// Adds a batch to what is counted; users that are gone are passed over.
#[derive(Debug, Serialize, Deserialize)]
pub struct WriteUsage {
    /// What was used since the last batch.
    pub used: Vec<(UsageKey, UsageCounts)>,
}

impl Verb for WriteUsage {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        for (key, counts) in &self.used {
            add(db, key, counts)?;
        }
        Ok(())
    }
}

/// Removes some of what was counted before a day.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetUsage {
    /// The first day that is kept.
    pub before: Day,
}

impl Verb for ForgetUsage {
    /// Whether more is left.
    type Answer = bool;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<bool> {
        let mut delete = db.prepare_cached(
            "DELETE FROM usage WHERE (user_id, day, token_id) IN
               (SELECT user_id, day, token_id FROM usage INDEXED BY usage_by_day WHERE day < ?1 ORDER BY day, user_id, token_id LIMIT ?2)",
        )?;
        delete.execute(params![self.before, FORGOTTEN_MAX])?;
        Ok(db.prepare_cached("SELECT 1 FROM usage WHERE day < ?1")?.exists([self.before])?)
    }
}
