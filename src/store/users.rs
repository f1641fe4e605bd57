//! Users: rows and verbs.

use super::audit::Recorded;
use super::{Change, Store, Verb};
use crate::domain::text::fold;
use crate::domain::{Action, Data, Email, Subject, Time, User, UserId};
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::Serialize;

/// The columns of [`user_at`], of the table `u`.
macro_rules! user_columns {
    () => {
        "u.id, u.email, u.name, u.image_url, u.max_concurrent_bots, u.data, u.created_at, u.disabled_at"
    };
}
pub(super) use user_columns;

/// How many columns those are.
pub const USER_COLUMNS: usize = 8;

/// A user from a row that holds [`user_columns`], the first of them at `at`.
pub fn user_at(row: &Row<'_>, at: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get(at)?),
        email: Email::stored(row.get(at + 1)?),
        name: row.get(at + 2)?,
        image_url: row.get(at + 3)?,
        max_concurrent_bots: row.get(at + 4)?,
        data: Data::stored(row.get(at + 5)?),
        created_at: Time::from_millis(row.get(at + 6)?),
        disabled_at: row.get::<_, Option<i64>>(at + 7)?.map(Time::from_millis),
    })
}

/// The user with this id.
pub fn find(db: &Connection, id: UserId) -> rusqlite::Result<Option<User>> {
    let mut statement = db.prepare_cached(concat!("SELECT ", user_columns!(), " FROM users u WHERE id = ?1"))?;
    statement.query_row([id.0], |row| user_at(row, 0)).optional()
}

/// The user with the address of this key.
pub(super) fn find_by_email(db: &Connection, key: &str) -> rusqlite::Result<Option<User>> {
    let mut statement = db.prepare_cached(concat!("SELECT ", user_columns!(), " FROM users u WHERE email_key = ?1"))?;
    statement.query_row([key], |row| user_at(row, 0)).optional()
}

/// Which users are asked for; always in the order of their ids.
#[derive(Debug, Clone)]
pub struct UserPage {
    /// Only ids above this one: pages by key, at constant cost.
    pub after: Option<UserId>,
    /// How many to leave out first; costs as much as reading them.
    pub skip: i64,
    /// How many at most.
    pub limit: i64,
    /// Only those with this text in e-mail or name, without case.
    pub matching: Option<String>,
}

impl Store {
    /// The user with this address, however it is spelled.
    pub fn user_by_email(&self, email: &Email) -> Result<User> {
        self.read(|db| find_by_email(db, &email.key()))?.ok_or(Error::UserNotFound)
    }

    /// A page of users; a long read.
    pub async fn users(&self, page: UserPage) -> Result<Vec<User>> {
        self.read_long(move |db| {
            let filter = match page.matching {
                Some(_) => "AND (instr(email_key, :text) OR instr(fold(name), :text))",
                None => "AND :text IS NULL",
            };
            let mut statement = db.prepare_cached(&format!(
                "SELECT {} FROM users u WHERE id > :after {filter} ORDER BY id LIMIT :limit OFFSET :skip",
                user_columns!()
            ))?;
            let values = named_params! {
                ":after": page.after.map_or(0, |id| id.0),
                ":text": page.matching.as_deref().map(fold),
                ":limit": page.limit,
                ":skip": page.skip,
            };
            statement.query_map(values, |row| user_at(row, 0))?.collect()
        })
        .await
    }
}

/// Adds a user, or finds the one who has the address.
#[derive(Debug, Serialize)]
pub struct CreateUser {
    /// The address; unique without case.
    pub email: Email,
    /// Display name.
    pub name: Option<String>,
    /// Address of a picture.
    pub image_url: Option<String>,
    /// How many bots at once.
    pub max_concurrent_bots: i64,
    /// Free-form data.
    pub data: Data,
    /// When.
    pub now: Time,
}

impl Verb for CreateUser {
    /// The user, and whether it is a new one.
    type Answer = (User, bool);

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let key = self.email.key();
        if let Some(known) = find_by_email(db, &key)? {
            return Ok((known, false));
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO users (email, email_key, name, image_url, max_concurrent_bots, data, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        insert.execute(params![
            self.email.as_str(),
            key,
            self.name,
            self.image_url,
            self.max_concurrent_bots,
            self.data.as_json(),
            self.now.as_millis()
        ])?;
        let user = User {
            id: UserId(db.last_insert_rowid()),
            email: self.email.clone(),
            name: self.name.clone(),
            image_url: self.image_url.clone(),
            max_concurrent_bots: self.max_concurrent_bots,
            data: self.data.clone(),
            created_at: self.now,
            disabled_at: None,
        };
        Ok((user, true))
    }
}

impl Recorded for CreateUser {
    const ACTION: Action = Action::UserCreate;

    fn changed(&self, (user, is_new): &Self::Answer) -> Option<Subject> {
        is_new.then_some(Subject::User(user.id))
    }
}

/// What happens to a field that may be empty.
#[derive(Debug, Clone, Serialize)]
pub enum Patch<T> {
    /// It stays.
    Keep,
    /// It becomes empty.
    Clear,
    /// It becomes this.
    Set(T),
}

impl<T> Patch<T> {
    pub(super) fn apply(&self, field: &mut Option<T>)
    where
        T: Clone,
    {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value.clone()),
        }
    }
}

/// Changes what is given of a user.
#[derive(Debug, Serialize)]
pub struct UpdateUser {
    /// Who.
    pub id: UserId,
    /// Must be the present address, if given.
    pub email: Option<Email>,
    /// Display name.
    pub name: Patch<String>,
    /// Address of a picture.
    pub image_url: Patch<String>,
    /// How many bots at once.
    pub max_concurrent_bots: Option<i64>,
    /// Free-form data, replaced whole.
    pub data: Option<Data>,
    /// Whether all their tokens are refused until the user is enabled again.
    pub disabled: Option<bool>,
    /// When.
    pub now: Time,
}

impl Verb for UpdateUser {
    type Answer = User;

    fn apply(&self, db: &Connection) -> Result<User> {
        let mut user = find(db, self.id)?.ok_or(Error::UserNotFound)?;
        if self.email.as_ref().is_some_and(|email| email.key() != user.email.key()) {
            return Err(Error::EmailFixed);
        }
        self.name.apply(&mut user.name);
        self.image_url.apply(&mut user.image_url);
        user.max_concurrent_bots = self.max_concurrent_bots.unwrap_or(user.max_concurrent_bots);
        user.data = self.data.clone().unwrap_or(user.data);
        user.disabled_at = match self.disabled {
            None => user.disabled_at,
            Some(false) => None,
            Some(true) => user.disabled_at.or(Some(self.now)),
        };
        let mut update = db.prepare_cached(
            "UPDATE users SET name = ?2, image_url = ?3, max_concurrent_bots = ?4, data = ?5, disabled_at = ?6 WHERE id = ?1",
        )?;
        update.execute(params![
            user.id.0,
            user.name,
            user.image_url,
            user.max_concurrent_bots,
            user.data.as_json(),
            user.disabled_at.map(Time::as_millis)
        ])?;
        Ok(user)
    }

    fn change(&self, user: &User) -> Option<Change> {
        let shuts_out = user.disabled_at.is_some();
        Some(if shuts_out { Change::UserDisabled(user.id) } else { Change::UserChanged(user.id) })
    }
}

impl Recorded for UpdateUser {
    const ACTION: Action = Action::UserUpdate;

    fn target(&self) -> Option<Subject> {
        Some(Subject::User(self.id))
    }

    fn changed(&self, user: &User) -> Option<Subject> {
        Some(Subject::User(user.id))
    }
}

/// Writes a user's data, which has changed.
pub fn replace_data(db: &Connection, user: &User) -> rusqlite::Result<()> {
    let mut update = db.prepare_cached("UPDATE users SET data = ?2 WHERE id = ?1")?;
    update.execute(params![user.id.0, user.data.as_json()]).map(drop)
}

/// Refuses where there is no such user, or a bot of theirs is in a meeting.
pub fn check_removable(db: &Connection, id: UserId) -> Result<()> {
    let mut open =
        db.prepare_cached("SELECT 1 FROM meetings WHERE user_id = ?1 AND status NOT IN ('completed', 'failed')")?;
    match open.exists([id.0])? {
        true => Err(Error::BotInMeeting),
        false => find(db, id)?.map(drop).ok_or(Error::UserNotFound),
    }
}

/// Removes a user with their tokens, meetings and transcripts.
#[derive(Debug, Serialize)]
pub struct DeleteUser {
    /// Who.
    pub id: UserId,
}

impl Verb for DeleteUser {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        check_removable(db, self.id)?;
        match db.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([self.id.0])? {
            0 => Err(Error::UserNotFound),
            _ => Ok(super::erasure::owe(db)?),
        }
    }

    fn change(&self, (): &()) -> Option<Change> {
        Some(Change::UserRemoved(self.id))
    }
}

impl Recorded for DeleteUser {
    const ACTION: Action = Action::UserDelete;

    fn changed(&self, (): &()) -> Option<Subject> {
        Some(Subject::User(self.id))
    }
}
