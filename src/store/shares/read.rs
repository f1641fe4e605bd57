//! Share links as they are read.

use crate::domain::{Meeting, Scope, Share, ShareHash, ShareId, Time, Token, User, UserId};
use crate::error::Result;
use crate::store::columns::columns;
use crate::store::doors::Store;
use crate::store::meetings::read::by_id;
use crate::store::meetings::within::{Within, within};
use crate::store::pages::{Page, page};
use crate::store::tokens::read::{term_columns, token_at, token_columns};
use crate::store::users::read::find as find_user;
use rusqlite::{Connection, OptionalExtension, ToSql, params};

/// Most share links of a user that have not ended.
pub(crate) const SHARES_MAX: i64 = 100;

columns!(share_columns, share_at: Share of "s" {
    id, user_id, meeting_id, made_by, created_at, expires_at,
});

/// A share link with all that decides whether it opens anything now.
pub(crate) struct FoundShare {
    /// The link.
    pub share: Share,
    /// Its meeting.
    pub meeting: Meeting,
    /// Its user.
    pub user: User,
    /// The tokens of its maker's chain that are there.
    pub tokens: Vec<Token>,
}

/// The share link with this id, unless its user is being erased.
pub(crate) fn find(db: &Connection, id: ShareId) -> rusqlite::Result<Option<Share>> {
    let sql = concat!(
        "SELECT ",
        share_columns!(),
        " FROM shares s JOIN users u ON u.id = s.user_id AND u.erasing_at IS NULL WHERE s.id = ?1"
    );
    db.prepare_cached(sql)?.query_row([id], |row| share_at(row, 0)).optional()
}

fn find_by_hash(db: &Connection, hash: &ShareHash) -> rusqlite::Result<Option<FoundShare>> {
    let sql = concat!("SELECT ", share_columns!(), " FROM shares s WHERE s.hash = ?1");
    let share: Option<Share> =
        db.prepare_cached(sql)?.query_row([hash], |row| share_at(row, 0)).optional()?;
    let Some(share) = share else { return Ok(None) };
    let Some(meeting) = by_id(db, share.meeting_id)? else { return Ok(None) };
    let Some(user) = find_user(db, share.user_id)? else { return Ok(None) };
    let mut list = db.prepare_cached(concat!(
        "SELECT ",
        token_columns!(),
        " FROM tokens t WHERE t.id = ?1 OR t.chain_id = ?1 ORDER BY t.id"
    ))?;
    let tokens = list.query_map([share.made_by], |row| token_at(row, 0))?;
    let tokens = tokens.collect::<rusqlite::Result<_>>()?;
    Ok(Some(FoundShare { share, meeting, user, tokens }))
}

impl Store {
    /// The share link with this hash; a small read.
    pub(crate) fn share(&self, hash: &ShareHash) -> Result<Option<FoundShare>> {
        self.read(|db| find_by_hash(db, hash))
    }

    /// The share links of a user that have not ended, to meetings within a scope, newest first; a
    /// long read.
    pub(crate) async fn shares_of(
        &self,
        user_id: UserId,
        scope: Scope,
        now: Time,
    ) -> Result<Vec<Share>> {
        self.read_long(move |db| {
            let within = Within::of(&scope);
            let mut values: Vec<(&str, &dyn ToSql)> = vec![(":user", &user_id), (":now", &now)];
            values.extend(within.values());
            let mut list = db.prepare_cached(concat!(
                "SELECT ",
                share_columns!(),
                " FROM shares s JOIN meetings m ON m.id = s.meeting_id
                  WHERE s.user_id = :user AND s.expires_at > :now AND ",
                within!(),
                " ORDER BY s.id DESC"
            ))?;
            list.query_map(values.as_slice(), |row| share_at(row, 0))?.collect()
        })
        .await
    }

    /// Whether there are links that had ended before this time; a small read.
    pub(crate) fn has_share_before(&self, before: Time) -> Result<bool> {
        self.read(|db| {
            db.prepare_cached("SELECT 1 FROM shares WHERE expires_at < ?1 LIMIT 1")?
                .exists([before])
        })
    }

    /// A page of a user's share links behind this one; a long read.
    pub(crate) async fn export_shares(&self, id: UserId, after: ShareId) -> Result<Page<Share>> {
        let sql = concat!(
            "SELECT ",
            share_columns!(),
            " FROM shares s WHERE s.user_id = ?1 AND s.id > ?2 ORDER BY s.id"
        );
        self.read_long(move |db| {
            let mut statement = db.prepare_cached(sql)?;
            page(statement.query(params![id, after])?, |row| Ok((share_at(row, 0)?, 0)))
        })
        .await
    }
}
