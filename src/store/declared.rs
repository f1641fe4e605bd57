//! What the settings declare of users and tokens, brought into the file in one transaction.

use super::{Store, Verb};
use crate::domain::declared::{DeclaredToken, DeclaredUser};
use crate::domain::{Data, Email, Time, UserId};
use crate::error::Result;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

/// Makes users and tokens what the settings say. Users whom they do not name stay as they are; tokens that they named once
/// and name no more are revoked.
#[derive(Debug, Serialize)]
pub struct DeclareUsers {
    /// All of them.
    pub users: Vec<DeclaredUser>,
    /// When.
    pub now: Time,
}

/// What became of the declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Users who are new.
    pub created: usize,
    /// Users who were there and are otherwise now.
    pub changed: usize,
    /// Tokens that are new.
    pub added: usize,
    /// Tokens that are refused from now on.
    pub revoked: usize,
    /// The hints of tokens that were revoked before and stay so.
    pub ended: Vec<String>,
}

/// A token that is another user's already; then nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTaken {
    /// Who declares it.
    pub email: Email,
    /// Its first four characters.
    pub hint: String,
}

impl Verb for DeclareUsers {
    type Answer = std::result::Result<Declared, TokenTaken>;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        if let Some(taken) = self.taken(db)? {
            return Ok(Err(taken));
        }
        let mut declared = Declared { revoked: self.revoke_others(db)?, ..Declared::default() };
        for user in &self.users {
            let id = self.declare(db, user, &mut declared)?;
            for token in &user.tokens {
                self.declare_token(db, id, token, &mut declared)?;
            }
        }
        Ok(Ok(declared))
    }
}

impl DeclareUsers {
    fn taken(&self, db: &Connection) -> Result<Option<TokenTaken>> {
        let mut find = db.prepare_cached(
            "SELECT 1 FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = ?1 AND u.email_key <> ?2",
        )?;
        for user in &self.users {
            for token in &user.tokens {
                if find.exists(params![token.hash.0, user.email.key()])? {
                    return Ok(Some(TokenTaken { email: user.email.clone(), hint: token.hint.0.clone() }));
                }
            }
        }
        Ok(None)
    }

    /// Revokes what was declared once and is no more; how many those were.
    fn revoke_others(&self, db: &Connection) -> Result<usize> {
        let mut list = db.prepare_cached("SELECT id, hash, user_id FROM tokens WHERE declared = 1")?;
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?, row.get::<_, i64>(2)?));
        let known: Vec<_> = list.query_map([], row)?.collect::<rusqlite::Result<_>>()?;
        let is_declared =
            |hash: [u8; 32]| self.users.iter().flat_map(|user| &user.tokens).any(|token| token.hash.0 == hash);
        let mut revoked = 0;
        for (id, hash, user_id) in known.into_iter().filter(|(_, hash, _)| !is_declared(*hash)) {
            db.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([id])?;
            let mut end =
                db.prepare_cached("INSERT OR IGNORE INTO ended_keys (hash, user_id, ended_at) VALUES (?1, ?2, ?3)")?;
            end.execute(params![hash, user_id, self.now.as_millis()])?;
            revoked += 1;
        }
        Ok(revoked)
    }

    fn declare(&self, db: &Connection, user: &DeclaredUser, declared: &mut Declared) -> Result<UserId> {
        let mut find = db.prepare_cached("SELECT id FROM users WHERE email_key = ?1")?;
        let Some(id) = find.query_row([user.email.key()], |row| row.get(0)).optional()?.map(UserId) else {
            declared.created += 1;
            return self.insert(db, user);
        };
        // What is left out stays, and who was disabled before keeps that time.
        let mut update = db.prepare_cached(
            "UPDATE users SET name = coalesce(?2, name), max_concurrent_bots = coalesce(?3, max_concurrent_bots),
               disabled_at = CASE ?4 WHEN 1 THEN coalesce(disabled_at, ?5) WHEN 0 THEN NULL ELSE disabled_at END
             WHERE id = ?1 AND (coalesce(?2 <> coalesce(name, ''), 0) OR coalesce(?3 <> max_concurrent_bots, 0)
               OR coalesce(?4 <> (disabled_at IS NOT NULL), 0))",
        )?;
        let values = params![id.0, user.name, user.max_concurrent_bots, user.disabled, self.now.as_millis()];
        declared.changed += update.execute(values)?;
        Ok(id)
    }

    fn insert(&self, db: &Connection, user: &DeclaredUser) -> Result<UserId> {
        let mut insert = db.prepare_cached(
            "INSERT INTO users (email, email_key, name, max_concurrent_bots, data, created_at, disabled_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        insert.execute(params![
            user.email.as_str(),
            user.email.key(),
            user.name,
            user.max_concurrent_bots.unwrap_or(0),
            Data::default().as_json(),
            self.now.as_millis(),
            (user.disabled == Some(true)).then_some(self.now.as_millis())
        ])?;
        Ok(UserId(db.last_insert_rowid()))
    }

    /// What was revoked by hand stays revoked, whatever the settings say.
    fn declare_token(&self, db: &Connection, id: UserId, token: &DeclaredToken, declared: &mut Declared) -> Result<()> {
        if db.prepare_cached("SELECT 1 FROM ended_keys WHERE hash = ?1")?.exists([token.hash.0])? {
            declared.ended.push(token.hint.0.clone());
            return Ok(());
        }
        let mut find = db.prepare_cached("SELECT id, declared FROM tokens WHERE hash = ?1")?;
        let known = find.query_row([token.hash.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)));
        match known.optional()? {
            Some((_, true)) => {}
            Some((token_id, false)) => {
                db.prepare_cached("UPDATE tokens SET declared = 1 WHERE id = ?1")?.execute([token_id])?;
            }
            None => {
                let mut insert = db.prepare_cached(
                    "INSERT INTO tokens (user_id, hash, hint, created_at, declared) VALUES (?1, ?2, ?3, ?4, 1)",
                )?;
                insert.execute(params![id.0, token.hash.0, token.hint.0, self.now.as_millis()])?;
                declared.added += 1;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Whether some token in the file was declared; a small read.
    pub fn has_declared(&self) -> Result<bool> {
        self.read(|db| db.prepare_cached("SELECT 1 FROM tokens WHERE declared = 1 LIMIT 1")?.exists([]))
    }
}
