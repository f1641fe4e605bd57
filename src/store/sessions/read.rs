//! Sessions of bots as they are read, and the seats that they take.

use crate::domain::{Meeting, MeetingId, Scope, TokenHash, UserId};
use crate::error::Result;
use crate::store::doors::Store;
use crate::store::meetings::read::{by_id, meeting_at, meeting_columns};
use crate::store::meetings::states::{OPEN, SEATED};
use crate::store::meetings::within::{Within, within};
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

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
        "SELECT count(*) FROM meetings m INDEXED BY seats WHERE m.user_id = :user AND m.status IN {} AND {}",
        *SEATED,
        within!()
    ))?;
    seats.query_row(values.as_slice(), |row| row.get(0))
}

/// How many seats a user's bots take: those that were not told to leave.
pub(crate) fn seats_taken(db: &Connection, user_id: UserId) -> rusqlite::Result<i64> {
    let mut seats = db.prepare_cached(&format!(
        "SELECT count(*) FROM meetings INDEXED BY seats WHERE user_id = ?1 AND status IN {}",
        *SEATED
    ))?;
    seats.query_row([user_id], |row| row.get(0))
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
}

/// What [`bots_at_work`] reads.
macro_rules! bot_select {
    ($from:literal) => {
        concat!("SELECT ", meeting_columns!(), ", s.uid, s.bot_name ", $from)
    };
}

/// The meetings of a query that begins with [`bot_select`].
fn bots_at_work(
    db: &Connection,
    sql: &str,
    values: &[(&str, &dyn ToSql)],
) -> rusqlite::Result<Vec<BotAtWork>> {
    let at_work = |row: &Row<'_>| {
        Ok(BotAtWork { meeting: meeting_at(row, 0)?, uid: row.get(12)?, bot_name: row.get(13)? })
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

    /// The meetings that are not over, oldest first; a long read.
    pub async fn open_meetings(&self) -> Result<Vec<BotAtWork>> {
        let select = bot_select!("FROM meetings m JOIN sessions s ON s.meeting_id = m.id");
        let sql = format!("{select} WHERE m.status IN {} ORDER BY m.id", *OPEN);
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
