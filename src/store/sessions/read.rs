//! Sessions of bots as they are read, and the seats that they take.

use crate::domain::{Language, Meeting, MeetingId, Scope, Task, Time, TokenHash, TokenId, UserId};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::meetings::read::{by_id, meeting_at, meeting_columns};
use crate::store::meetings::states::{OPEN, SEATED};
use crate::store::meetings::within::{Within, within};
use crate::store::segments::session::ended_after;
use crate::store::sessions::bridge::is_bridged;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

/// How many seats a user's bots take in the meetings within a scope.
pub(crate) fn seats_within(
    db: &Connection,
    user_id: UserId,
    scope: &Scope,
) -> rusqlite::Result<i64> {
    if !scope.is_narrow() {
        return seats_taken(db, user_id);
    }
    let within = Within::of(scope);
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":user", &user_id)];
    values.extend(within.values());
    let mut seats = db.prepare_cached(&format!(
        "SELECT count(*) FROM meetings m INDEXED BY seats
         WHERE m.user_id = :user AND m.status IN {} AND {} AND NOT {}",
        *SEATED,
        within!(),
        is_bridged!()
    ))?;
    seats.query_row(values.as_slice(), |row| row.get(0))
}

/// How many seats a user's bots take: those that were not told to leave.
pub(crate) fn seats_taken(db: &Connection, user_id: UserId) -> rusqlite::Result<i64> {
    let mut seats = db.prepare_cached(&format!(
        "SELECT count(*) FROM meetings m INDEXED BY seats
         WHERE m.user_id = ?1 AND m.status IN {} AND NOT {}",
        *SEATED,
        is_bridged!()
    ))?;
    seats.query_row([user_id], |row| row.get(0))
}

/// Whether some meeting of the same user and name has a bot that takes a seat.
pub(crate) fn takes_seat(db: &Connection, meeting: &Meeting) -> rusqlite::Result<bool> {
    let mut taken = db.prepare_cached(&format!(
        "SELECT 1 FROM meetings
         WHERE user_id = ?1 AND platform = ?2 AND native_meeting_id = ?3 AND status IN {}",
        *SEATED
    ))?;
    taken.exists(params![meeting.user_id, meeting.platform, meeting.native_meeting_id])
}

/// A bot at work: its meeting and its session.
#[derive(Debug, Clone)]
pub struct BotAtWork {
    /// The meeting.
    pub meeting: Meeting,
    /// The session's name.
    pub uid: String,
    /// What the bot calls itself.
    pub bot_name: String,
    /// Whether it is no bot, but a bridge that sends the meeting's sound.
    pub is_bridge: bool,
}

/// The meeting that a secret opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingOfSecret {
    /// The meeting.
    pub meeting_id: MeetingId,
    /// The platform's id of it.
    pub native_meeting_id: Option<String>,
    /// The name of its bot's session.
    pub uid: String,
    /// Whose meeting it is.
    pub user_id: UserId,
    /// The API token by which the bot was sent.
    pub token_id: Option<TokenId>,
    /// What is spoken, where that was said.
    pub language: Option<String>,
    /// Whether it takes words now: it is not over, or only just.
    pub takes_words: bool,
}

/// What a bot was told when it was sent, or since.
#[derive(Debug, Clone, Default)]
pub(crate) struct BotSettings {
    /// What the bot calls itself; `None` where that is not known.
    pub bot_name: Option<String>,
    /// What is spoken.
    pub language: Option<Language>,
    /// What to make of it.
    pub task: Option<Task>,
    /// Whether it was to be able to speak.
    pub has_voice: bool,
}

/// A language or task of another version is left out.
fn settings_at(row: &Row<'_>) -> rusqlite::Result<BotSettings> {
    let bot_name: String = row.get(0)?;
    let language: Option<String> = row.get(1)?;
    let task: Option<String> = row.get(2)?;
    Ok(BotSettings {
        bot_name: Some(bot_name).filter(|name| !name.is_empty()),
        language: language.as_deref().and_then(Language::from_code),
        task: task.as_deref().and_then(Task::from_word),
        has_voice: row.get(3)?,
    })
}

/// What [`bots_at_work`] reads.
macro_rules! bot_select {
    ($from:literal) => {
        concat!("SELECT ", meeting_columns!(), ", s.uid, s.bot_name, s.bridge IS NOT NULL ", $from)
    };
}

/// The meetings of a query that begins with [`bot_select`].
fn bots_at_work(
    db: &Connection,
    sql: &str,
    values: &[(&str, &dyn ToSql)],
) -> rusqlite::Result<Vec<BotAtWork>> {
    let at_work = |row: &Row<'_>| {
        Ok(BotAtWork {
            meeting: meeting_at(row, 0)?,
            uid: row.get(12)?,
            bot_name: row.get(13)?,
            is_bridge: row.get(14)?,
        })
    };
    let mut statement = db.prepare_cached(sql)?;
    statement.query_map(values, at_work)?.collect()
}

impl Store {
    /// A meeting, whoever's it is: for what runs its bot, never for a caller. A small read.
    pub fn meeting_of_bot(&self, id: MeetingId) -> Result<Option<Meeting>> {
        self.read(|db| by_id(db, id))
    }

    /// The meeting of a session and BLAKE3 of its secret, if there is such a session; a small read.
    pub fn session(&self, uid: &str) -> Result<Option<(MeetingId, Option<TokenHash>)>> {
        self.read(|db| {
            let sql = "SELECT meeting_id, token_hash FROM sessions WHERE uid = ?1";
            let mut find = db.prepare_cached(sql)?;
            find.query_row([uid], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
    }

    /// The meeting with this secret, also where it is over; a small read.
    pub fn meeting_of_secret(
        &self,
        token_hash: &TokenHash,
        now: Time,
    ) -> Result<Option<MeetingOfSecret>> {
        let sql = format!(
            "SELECT m.id, m.native_meeting_id, s.uid, ifnull(m.status IN {} OR m.end_time > ?2, 0),
               m.user_id, s.token_id, s.language FROM sessions s JOIN meetings m ON m.id = s.meeting_id WHERE s.token_hash = ?1",
            *OPEN
        );
        self.read(|db| {
            let mut find = db.prepare_cached(&sql)?;
            let found = find.query_row(params![token_hash, ended_after(now)], |row| {
                Ok(MeetingOfSecret {
                    meeting_id: row.get(0)?,
                    native_meeting_id: row.get(1)?,
                    uid: row.get(2)?,
                    takes_words: row.get(3)?,
                    user_id: row.get(4)?,
                    token_id: row.get(5)?,
                    language: row.get(6)?,
                })
            });
            found.optional()
        })
    }

    /// What the bot of a meeting was told; nothing where the meeting never had one. A small read.
    pub(crate) fn bot_settings(&self, id: MeetingId) -> Result<BotSettings> {
        let found = self.read(|db| {
            let sql =
                "SELECT bot_name, language, task, has_voice FROM sessions WHERE meeting_id = ?1";
            db.prepare_cached(sql)?.query_row([id], settings_at).optional()
        })?;
        Ok(found.unwrap_or_default())
    }

    /// The meetings with a bot that are not over, oldest first; a long read.
    pub async fn open_meetings(&self) -> Result<Vec<BotAtWork>> {
        let select = bot_select!("FROM meetings m JOIN sessions s ON s.meeting_id = m.id");
        let sql =
            format!("{select} WHERE m.status IN {} AND s.bridge IS NULL ORDER BY m.id", *OPEN);
        self.read_long(move |db| bots_at_work(db, &sql, &[])).await
    }

    /// Those of one user that are within a scope; a long read.
    pub async fn open_meetings_of(&self, user_id: UserId, scope: Scope) -> Result<Vec<BotAtWork>> {
        let select = bot_select!("FROM meetings m JOIN sessions s ON s.meeting_id = m.id");
        let sql = format!(
            "{select} WHERE m.user_id = :user AND m.status IN {} AND {} ORDER BY m.id",
            *OPEN,
            within!()
        );
        self.read_long(move |db| {
            let within = Within::of(&scope);
            let mut values: Vec<(&str, &dyn ToSql)> = vec![(":user", &user_id)];
            values.extend(within.values());
            bots_at_work(db, &sql, &values)
        })
        .await
    }

    /// The meetings that are over, of whose bots something may be left; a long read.
    pub async fn uncleared_meetings(&self) -> Result<Vec<BotAtWork>> {
        let select = bot_select!(
            "FROM sessions s INDEXED BY uncleared JOIN meetings m ON m.id = s.meeting_id
             WHERE s.cleared_at IS NULL AND m.bot_container_id IS NOT NULL"
        );
        let sql = format!("{select} AND m.status NOT IN {}", *OPEN);
        self.read_long(move |db| bots_at_work(db, &sql, &[])).await
    }

    /// The meetings of a user; a long read.
    pub async fn meeting_ids(&self, user_id: UserId) -> Result<Vec<MeetingId>> {
        self.read_long(move |db| {
            let mut ids =
                db.prepare_cached("SELECT id FROM meetings WHERE user_id = ?1 ORDER BY id")?;
            ids.query_map([user_id], |row| row.get(0))?.collect()
        })
        .await
    }
}
