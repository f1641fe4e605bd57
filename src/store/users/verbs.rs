//! Writes of users: create, update, delete.

use crate::domain::{Action, Data, Email, Patch, Subject, Time, User, UserId};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::meetings::states::OPEN;
use crate::store::sounds::verbs::mark_sounds_of_user;
use crate::store::users::read::{find, find_by_email};
use crate::store::webhooks::settings::{URL, keep_url, split};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Adds a user, or finds the one who has the address.
#[derive(Debug, Serialize, Deserialize)]
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
    /// The time of the change.
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
            "INSERT INTO users (email, email_key, name, image_url, max_concurrent_bots, data, created_at, webhook_url)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let (data, webhook_url) = split(&self.data);
        insert.execute(params![
            self.email,
            key,
            self.name,
            self.image_url,
            self.max_concurrent_bots,
            data,
            self.now,
            webhook_url
        ])?;
        let user = User {
            id: UserId(db.last_insert_rowid()),
            email: self.email.clone(),
            name: self.name.clone(),
            image_url: self.image_url.clone(),
            max_concurrent_bots: self.max_concurrent_bots,
            data: data.with(URL, webhook_url.as_ref()),
            created_at: self.now,
            disabled_at: None,
        };
        Ok((user, true))
    }
}

impl Audited for CreateUser {
    const ACTION: Action = Action::UserCreate;

    fn after(&self, (user, is_new): &Self::Answer) -> Option<(Subject, Option<Snapshot>)> {
        is_new.then(|| (Subject::User(user.id), Snapshot::of(user)))
    }
}

/// Changes what is given of a user.
#[derive(Debug, Serialize, Deserialize)]
pub struct UpdateUser {
    /// The id of the user.
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
    /// The time of the change.
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
        if let Some(data) = &self.data {
            user.data = keep_url(data, &user.data);
        }
        user.disabled_at = match self.disabled {
            None => user.disabled_at,
            Some(false) => None,
            Some(true) => user.disabled_at.or(Some(self.now)),
        };
        let mut update = db.prepare_cached(
            "UPDATE users SET name = ?2, image_url = ?3, max_concurrent_bots = ?4, disabled_at = ?5 WHERE id = ?1",
        )?;
        update.execute(params![
            user.id,
            user.name,
            user.image_url,
            user.max_concurrent_bots,
            user.disabled_at
        ])?;
        if self.data.is_some() {
            replace_data(db, &mut user)?;
        }
        Ok(user)
    }

    fn change(&self, user: &User) -> Option<Change> {
        match user.disabled_at {
            Some(_) => Some(Change::UserDisabled(user.id)),
            None => Some(Change::UserChanged(user.id)),
        }
    }
}

impl Audited for UpdateUser {
    const ACTION: Action = Action::UserUpdate;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        Ok(find(db, self.id)?.as_ref().and_then(Snapshot::of))
    }

    fn after(&self, user: &User) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::User(user.id), Snapshot::of(user)))
    }
}

/// Stores the data of a user after a change, with where their events go, and shows it as it will
/// be read.
pub(crate) fn replace_data(db: &Connection, user: &mut User) -> rusqlite::Result<()> {
    let (data, webhook_url) = split(&user.data);
    let mut update =
        db.prepare_cached("UPDATE users SET data = ?2, webhook_url = ?3 WHERE id = ?1")?;
    update.execute(params![user.id, data, webhook_url])?;
    user.data = if webhook_url.is_some() { data.with(URL, webhook_url.as_ref()) } else { data };
    Ok(())
}

/// Checks that a user may be deleted: there is one with this id, who may be being erased already,
/// and none of their bots is in a meeting.
pub(crate) fn check_deletable(db: &Connection, id: UserId) -> Result<()> {
    let sql = format!("SELECT 1 FROM meetings WHERE user_id = ?1 AND status IN {}", *OPEN);
    let mut open = db.prepare_cached(&sql)?;
    if open.exists([id])? {
        return Err(Error::BotInMeeting);
    }
    match db.prepare_cached("SELECT 1 FROM users WHERE id = ?1")?.exists([id])? {
        true => Ok(()),
        false => Err(Error::UserNotFound),
    }
}

/// Decides that a user is erased, which nothing can change afterwards: their tokens are gone, no bot
/// can be sent for them, nobody finds them, and their address is free. What they said and their
/// row follow in steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct BeginErasure {
    /// The id of the user.
    pub id: UserId,
    /// The time of the change.
    pub now: Time,
}

impl Verb for BeginErasure {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        find(db, self.id)?.ok_or(Error::UserNotFound)?;
        check_deletable(db, self.id)?;
        let mut mark = db.prepare_cached(
            "UPDATE users SET erasing_at = ?2, email_key = 'erased:' || id, webhook_url = NULL,
               webhook_events = NULL WHERE id = ?1",
        )?;
        mark.execute(params![self.id, self.now])?;
        for sql in [
            "DELETE FROM tokens WHERE user_id = ?1",
            "DELETE FROM deliveries WHERE user_id = ?1",
            "DELETE FROM webhook_secrets WHERE user_id = ?1",
            "DELETE FROM shares WHERE user_id = ?1",
            "DELETE FROM webhooks WHERE user_id = ?1",
        ] {
            db.prepare_cached(sql)?.execute([self.id])?;
        }
        // What is left of it in the files is scrubbed after the last step.
        Ok(())
    }

    fn change(&self, (): &()) -> Option<Change> {
        Some(Change::UserRemoved(self.id))
    }
}

impl Audited for BeginErasure {
    const ACTION: Action = Action::UserDelete;

    fn after(&self, (): &()) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::User(self.id), None))
    }
}

/// Deletes a user with their tokens, meetings and transcripts: the last step of an erasure.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteUser {
    /// The id of the user.
    pub id: UserId,
}

impl Verb for DeleteUser {
    type Answer = ();

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<()> {
        check_deletable(db, self.id)?;
        mark_sounds_of_user(db, self.id)?;
        match db.prepare_cached("DELETE FROM users WHERE id = ?1")?.execute([self.id])? {
            0 => Err(Error::UserNotFound),
            _ => Ok(crate::store::scrub::mark_for_scrub(db)?),
        }
    }

    fn change(&self, (): &()) -> Option<Change> {
        Some(Change::UserRemoved(self.id))
    }
}

impl Audited for DeleteUser {
    const ACTION: Action = Action::UserDelete;

    fn after(&self, (): &()) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::User(self.id), None))
    }
}
