//! Users, accounts and their keys: from the scratch tables into the new database.

use crate::domain::import::{Remark, Remarks};
use crate::domain::{Data, Email, Hint, Scope, Time, TokenHash, WebhookSecret};
use crate::error::Result;
use crate::store::import::work::{Imported, Importing};
use crate::store::users::read::find_by_email;
use rusqlite::{OptionalExtension, Row, params};

/// A user as the scratch tables have one.
struct Waiting {
    is_account: bool,
    id: i64,
    email: String,
    name: Option<String>,
    image_url: Option<String>,
    max_concurrent_bots: i64,
    data: Data,
    webhook_url: Option<String>,
    webhook_secret: Option<WebhookSecret>,
    is_disabled: bool,
    created_at: Option<Time>,
}

fn waiting_at(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        is_account: row.get(0)?,
        id: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        image_url: row.get(4)?,
        max_concurrent_bots: row.get(5)?,
        data: row.get(6)?,
        webhook_url: row.get(7)?,
        webhook_secret: row.get(8)?,
        is_disabled: row.get(9)?,
        created_at: row.get(10)?,
    })
}

impl Importing {
    pub(super) fn load_people(&self, imported: &mut Imported, remarks: &mut Remarks) -> Result<()> {
        self.give_webhooks(remarks)?;
        // Accounts come behind all users, whose ids are kept.
        let highest = "SELECT ifnull(max(id), 0) FROM old.users WHERE is_account = 0";
        let highest: i64 = self.db.query_row(highest, [], |row| row.get(0))?;
        let mut list = self.db.prepare("SELECT * FROM old.users ORDER BY is_account, id")?;
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            let user = waiting_at(row)?;
            let new_id = if user.is_account { highest + user.id } else { user.id };
            let joined = self.load_user(&user, new_id, remarks)?;
            imported.users += u64::from(joined.is_none());
            let user_id = joined.unwrap_or(new_id);
            let mut own = self.db.prepare_cached("INSERT INTO old.owners VALUES (?1, ?2, ?3)")?;
            own.execute(params![user.is_account, user.id, user_id])?;
        }
        self.load_tokens(imported, remarks)
    }

    /// Gives each user without a webhook the first one that stands in a table of its own.
    fn give_webhooks(&self, remarks: &mut Remarks) -> Result<()> {
        let mut list =
            self.db.prepare("SELECT id, user_id, url, secret FROM old.webhooks ORDER BY id")?;
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            let (id, user_id, url): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let secret: Option<String> = row.get(3)?;
            let mut give = self.db.prepare_cached(
                "UPDATE old.users SET webhook_url = ?2, webhook_secret = ?3
                 WHERE is_account = 0 AND id = ?1 AND webhook_url IS NULL",
            )?;
            if give.execute(params![user_id, url, secret])? == 0 {
                remarks.add(Remark::WebhookMore, || format!("webhook {id} of user {user_id}"));
            }
        }
        Ok(())
    }

    /// Inserts a user; the id of an older one, where both are one now.
    fn load_user(&self, user: &Waiting, new_id: i64, remarks: &mut Remarks) -> Result<Option<i64>> {
        let mut email = Email::stored(user.email.clone());
        if let Some(older) = find_by_email(&self.db, &email.key())? {
            let older_id = older.id.0;
            if self.terms.merge_same_email {
                remarks.add(Remark::EmailJoined, || {
                    format!("user {} ({}) with user {older_id}", user.id, user.email)
                });
                return Ok(Some(older_id));
            }
            email = self.other_email(user)?;
            remarks.add(Remark::EmailChanged, || {
                format!(
                    "user {}: {} is {} now (user {older_id})",
                    user.id,
                    user.email,
                    email.as_str()
                )
            });
        }
        let mut insert = self.db.prepare_cached(
            "INSERT INTO main.users (id, email, email_key, name, image_url, max_concurrent_bots, data, created_at,
               disabled_at, webhook_url)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        let now = self.actor.at;
        insert.execute(params![
            new_id,
            email,
            email.key(),
            user.name,
            user.image_url,
            user.max_concurrent_bots,
            user.data,
            user.created_at.unwrap_or(now),
            user.is_disabled.then_some(now),
            user.webhook_url
        ])?;
        if let Some(secret) = &user.webhook_secret {
            let mut keep = self.db.prepare_cached(
                "INSERT INTO main.webhook_secrets (user_id, secret) VALUES (?1, ?2)",
            )?;
            keep.execute(params![new_id, secret])?;
        }
        Ok(None)
    }

    /// An address that nobody has: `local+<old id>@domain`.
    fn other_email(&self, user: &Waiting) -> Result<Email> {
        let (local, domain) =
            user.email.rsplit_once('@').unwrap_or((&user.email, "import.invalid"));
        let mut number = 1;
        loop {
            let more = if number == 1 { String::new() } else { format!(".{number}") };
            let email = Email::stored(format!("{local}+{}{more}@{domain}", user.id));
            if find_by_email(&self.db, &email.key())?.is_none() {
                return Ok(email);
            }
            number += 1;
        }
    }

    /// Inserts the keys; those of accounts first, for they opened something.
    fn load_tokens(&self, imported: &mut Imported, remarks: &mut Remarks) -> Result<()> {
        let highest = "SELECT ifnull(max(id), 0) FROM old.tokens WHERE is_account = 0";
        let highest: i64 = self.db.query_row(highest, [], |row| row.get(0))?;
        let mut list = self.db.prepare(
            "SELECT is_account, id, owner_id, hash, hint, name, read_only, is_disabled, created_at, last_used_at,
               expires_at FROM old.tokens ORDER BY is_account DESC, id",
        )?;
        let mut find =
            self.db.prepare("SELECT user_id FROM old.owners WHERE is_account = ?1 AND id = ?2")?;
        let mut insert = self.db.prepare(
            "INSERT OR IGNORE INTO main.tokens (id, user_id, hash, hint, name, scope, disabled_at, created_at,
               last_used_at, expires_at, lifetime_seconds, is_foreign)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 1)",
        )?;
        let now = self.actor.at;
        let mut rows = list.query([])?;
        while let Some(row) = rows.next()? {
            let (is_account, id, owner_id): (bool, i64, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let owner: Option<i64> =
                find.query_row(params![is_account, owner_id], |row| row.get(0)).optional()?;
            let Some(user_id) = owner else {
                remarks.add(Remark::TokenOfNobody, || format!("token {id} of user {owner_id}"));
                continue;
            };
            let new_id = if is_account { highest + id } else { id };
            let hash: TokenHash = row.get(3)?;
            let hint: Hint = row.get(4)?;
            let name: Option<String> = row.get(5)?;
            let scope = Scope { read_only: row.get(6)?, ..Scope::default() };
            let is_disabled: bool = row.get(7)?;
            let created_at = row.get::<_, Option<Time>>(8)?.unwrap_or(now);
            let last_used_at: Option<Time> = row.get(9)?;
            let expires_at: Option<Time> = row.get(10)?;
            let inserted = insert.execute(params![
                new_id,
                user_id,
                hash,
                hint,
                name,
                scope.to_stored(),
                is_disabled.then_some(now),
                created_at,
                last_used_at,
                expires_at,
                expires_at.map(|end| (end.as_millis() - created_at.as_millis()).max(0) / 1000)
            ])?;
            match inserted {
                0 => remarks.add(Remark::KeyTwice, || format!("token {id} of user {owner_id}")),
                _ => imported.tokens += 1,
            }
        }
        Ok(())
    }
}
