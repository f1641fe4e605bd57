//! Users as they are read.

use crate::domain::text::fold;
use crate::domain::{Data, Email, User, UserId};
use crate::error::{Error, Result};
use crate::store::columns::columns;
use crate::store::doors::Store;
use crate::store::positions::{Start, Table};
use crate::store::webhooks::settings::URL;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use std::sync::Arc;

/// What a user's data is made of.
macro_rules! data_columns {
    () => {
        "u.data, u.webhook_url"
    };
}

pub(crate) use data_columns;

columns!(user_columns, user_at: User of "u" {
    id, email, name, image_url, max_concurrent_bots, created_at, disabled_at,
} then data: data_at of data_columns);

/// How many columns those are.
pub(crate) const USER_COLUMNS: usize = 9;

/// A user's data from a row that has [`data_columns`] from `first` on: where their events go stands
/// in it, as clients expect.
fn data_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Data> {
    let data: Data = row.get(first)?;
    let webhook_url: Option<String> = row.get(first + 1)?;
    match webhook_url {
        Some(url) => Ok(data.with(URL, Some(&url))),
        None => Ok(data),
    }
}

/// The users who are being erased, for `NOT IN` in a list of what belongs to users: theirs is found
/// no more.
pub(crate) const BEING_ERASED: &str = "(SELECT id FROM users WHERE erasing_at IS NOT NULL)";

/// Whether any user is being erased.
pub(crate) fn is_any_being_erased(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM users WHERE erasing_at IS NOT NULL")?.exists([])
}

/// The user with this id; one who is being erased is found no more.
pub(crate) fn find(db: &Connection, id: UserId) -> rusqlite::Result<Option<User>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u WHERE id = ?1 AND erasing_at IS NULL"
    ))?;
    statement.query_row([id], |row| user_at(row, 0)).optional()
}

/// The user with the address of this key.
pub(crate) fn find_by_email(db: &Connection, key: &str) -> rusqlite::Result<Option<User>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        user_columns!(),
        " FROM users u WHERE email_key = ?1 AND erasing_at IS NULL"
    ))?;
    statement.query_row([key], |row| user_at(row, 0)).optional()
}

/// Whether a text, without case, is in e-mail or name; null where it is not and there is no name.
pub(crate) const MATCHING: &str =
    "(instr(fold(email), :text) OR instr(email_key, :text) OR instr(fold(name), :text))";

/// Which users are asked for; always in the order of their ids.
#[derive(Debug, Clone)]
pub struct UserPage {
    /// Only ids above this one: pages by key, at constant cost.
    pub after: Option<UserId>,
    /// How many to leave out first; where a text is given that costs as much as reading them.
    pub skip: i64,
    /// How many at most.
    pub limit: i64,
    /// Only those with this text in e-mail or name, without case.
    pub matching: Option<String>,
}

impl Store {
    /// The users whose erasure is decided and not finished; a small read.
    pub fn users_being_erased(&self) -> Result<Vec<UserId>> {
        self.read(|db| {
            let mut list =
                db.prepare_cached("SELECT id FROM users WHERE erasing_at IS NOT NULL ORDER BY id")?;
            list.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// The user with this address, however it is spelled.
    pub fn user_by_email(&self, email: &Email) -> Result<User> {
        self.read(|db| find_by_email(db, &email.key()))?.ok_or(Error::UserNotFound)
    }

    /// A page of users; a long read.
    pub async fn users(&self, page: UserPage) -> Result<Vec<User>> {
        let positions = Arc::clone(&self.positions);
        self.read_long(move |db| {
            // The counts and the page as of one moment.
            let db = db.unchecked_transaction()?;
            let db = &*db;
            let after = page.after.map_or(0, |id| id.0);
            // Of those that do not match nothing is known without looking.
            let (filter, start) = match page.matching {
                Some(_) => {
                    let start = Start { id: after, skip: page.skip };
                    (format!("AND {MATCHING}"), start)
                }
                None => (
                    "AND :text IS NULL".to_owned(),
                    positions.behind_first(db, Table::Users, after, page.skip)?,
                ),
            };
            let mut statement = db.prepare_cached(&format!(
                "SELECT {} FROM users u WHERE id > :after AND erasing_at IS NULL {filter}
                 ORDER BY id LIMIT :limit OFFSET :skip",
                user_columns!()
            ))?;
            let values = named_params! {
                ":after": start.id,
                ":text": page.matching.as_deref().map(fold),
                ":limit": page.limit,
                ":skip": start.skip,
            };
            statement.query_map(values, |row| user_at(row, 0))?.collect()
        })
        .await
    }
}
