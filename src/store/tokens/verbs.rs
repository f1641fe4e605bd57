//! Writes of tokens: create, update, rotate, revoke, and when they were last used.

use crate::domain::{
    Action, Hint, Subject, Time, Token, TokenChanges, TokenHash, TokenId, TokenTerms, UserId,
};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::tokens::read::{find, term_marks, term_names, term_values};
use crate::store::writer::verb::{Change, Verb};
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};
use serde::{Deserialize, Serialize};

/// Adds a token to a user.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateToken {
    /// The user whom it speaks for.
    pub user_id: UserId,
    /// BLAKE3 of the token.
    pub hash: TokenHash,
    /// Its first characters.
    pub hint: Hint,
    /// What it is for, how long it is accepted, and what it may do.
    pub terms: TokenTerms,
    /// The time of the change.
    pub now: Time,
}

impl Verb for CreateToken {
    type Answer = Token;

    fn apply(&self, db: &Connection) -> Result<Token> {
        let mut user =
            db.prepare_cached("SELECT 1 FROM users WHERE id = ?1 AND erasing_at IS NULL")?;
        if !user.exists([self.user_id])? {
            return Err(Error::UserNotFound);
        }
        let mut insert = db.prepare_cached(concat!(
            "INSERT INTO tokens (user_id, hash, hint, created_at, ",
            term_names!(),
            ") VALUES (?, ?, ?, ?, ",
            term_marks!(),
            ")"
        ))?;
        let fixed: [&dyn ToSql; 4] = [&self.user_id, &self.hash, &self.hint, &self.now];
        insert.execute(params_from_iter(fixed.into_iter().chain(term_values(&self.terms))))?;
        Ok(Token {
            id: TokenId(db.last_insert_rowid()),
            user_id: self.user_id,
            hint: self.hint.clone(),
            created_at: self.now,
            last_used_at: None,
            last_address: None,
            disabled_at: None,
            replaced_by: None,
            terms: self.terms.clone(),
        })
    }
}

impl Audited for CreateToken {
    const ACTION: Action = Action::TokenCreate;

    fn after(&self, token: &Token) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Token(token.id), Snapshot::of(token)))
    }
}

/// A token as the audit log tells of it.
fn snapshot(db: &Connection, id: TokenId) -> Result<Option<Snapshot>> {
    Ok(find(db, id)?.as_ref().and_then(Snapshot::of))
}

/// A token as it is kept, and its hash.
fn find_with_hash(db: &Connection, id: TokenId) -> Result<(Token, TokenHash)> {
    let mut hash = db.prepare_cached("SELECT hash FROM tokens WHERE id = ?1")?;
    let hash = hash.query_row([id], |row| row.get(0)).optional()?;
    find(db, id)?.zip(hash).ok_or(Error::TokenNotFound)
}

/// Deletes a token, and remembers its hash for whoever still uses it.
pub(crate) fn revoke_row(
    db: &Connection,
    token: &Token,
    hash: &TokenHash,
    now: Time,
) -> Result<()> {
    let mut remember = db.prepare_cached(
        "INSERT OR REPLACE INTO ended_keys (hash, user_id, ended_at) VALUES (?1, ?2, ?3)",
    )?;
    remember.execute(params![hash, token.user_id, now])?;
    db.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([token.id])?;
    Ok(())
}

/// Changes what is given of a token.
#[derive(Debug, Serialize, Deserialize)]
pub struct UpdateToken {
    /// The token.
    pub id: TokenId,
    /// What changes of its terms.
    pub terms: TokenChanges,
    /// Whether it is refused until it is enabled again.
    pub disabled: Option<bool>,
    /// The time of the change.
    pub now: Time,
}

impl Verb for UpdateToken {
    type Answer = (Token, TokenHash);

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<Self::Answer> {
        let (mut token, hash) = find_with_hash(db, self.id)?;
        self.terms.apply(&mut token.terms);
        token.disabled_at = match self.disabled {
            None => token.disabled_at,
            Some(false) => None,
            Some(true) => token.disabled_at.or(Some(self.now)),
        };
        let mut update = db.prepare_cached(concat!(
            "UPDATE tokens SET (",
            term_names!(),
            ", disabled_at) = (",
            term_marks!(),
            ", ?) WHERE id = ?"
        ))?;
        let fixed: [&dyn ToSql; 2] = [&token.disabled_at, &token.id];
        update.execute(params_from_iter(term_values(&token.terms).chain(fixed)))?;
        Ok((token, hash))
    }

    fn change(&self, (token, hash): &Self::Answer) -> Option<Change> {
        match token.disabled_at {
            Some(_) => Some(Change::TokenRevoked(*hash)),
            None => Some(Change::TokenChanged(*hash)),
        }
    }
}

impl Audited for UpdateToken {
    const ACTION: Action = Action::TokenUpdate;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, (token, _): &Self::Answer) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Token(self.id), Snapshot::of(token)))
    }
}

/// Rotates a token: a new one with the same name and scope, and an end for the old one.
#[derive(Debug, Serialize, Deserialize)]
pub struct RotateToken {
    /// The token.
    pub id: TokenId,
    /// BLAKE3 of the new one.
    pub hash: TokenHash,
    /// The first characters of the new one.
    pub hint: Hint,
    /// How long the old one is accepted yet, in seconds, and never longer than it would have been.
    pub grace_seconds: i64,
    /// How long the new one lives, in seconds; as long as the old one was meant to where absent.
    pub expires_in: Option<i64>,
    /// The time of the change.
    pub now: Time,
}

/// A token that was rotated.
#[derive(Debug, Clone)]
pub struct Rotated {
    /// The new one.
    pub new: Token,
    /// The old one, with its end.
    pub old: Token,
    old_hash: TokenHash,
}

impl Verb for RotateToken {
    type Answer = Rotated;

    fn apply(&self, db: &Connection) -> Result<Rotated> {
        let (mut old, old_hash) = find_with_hash(db, self.id)?;
        if let Some(by) = old.replaced_by {
            return Err(Error::TokenReplaced(by));
        }
        if old.disabled_at.is_some() {
            return Err(Error::TokenDisabled);
        }
        let lifetime =
            old.terms.expires_at.map(|end| (end.as_millis() - old.created_at.as_millis()) / 1000);
        let expires_in = self.expires_in.or(lifetime);
        let expires_at = expires_in.map(|seconds| self.now.plus_seconds(seconds));
        let create = CreateToken {
            user_id: old.user_id,
            hash: self.hash,
            hint: self.hint.clone(),
            terms: TokenTerms { expires_at, ..old.terms.clone() },
            now: self.now,
        };
        let new = create.apply(db)?;
        let end = self.now.plus_seconds(self.grace_seconds);
        old.terms.expires_at = Some(old.terms.expires_at.map_or(end, |before| before.min(end)));
        old.replaced_by = Some(new.id);
        if self.grace_seconds == 0 {
            revoke_row(db, &old, &old_hash, self.now)?;
        } else {
            let mut update = db.prepare_cached(
                "UPDATE tokens SET expires_at = ?2, replaced_by = ?3 WHERE id = ?1",
            )?;
            update.execute(params![old.id, old.terms.expires_at, new.id])?;
        }
        Ok(Rotated { new, old, old_hash })
    }

    fn change(&self, rotated: &Rotated) -> Option<Change> {
        match self.grace_seconds {
            0 => Some(Change::TokenRevoked(rotated.old_hash)),
            _ => Some(Change::TokenChanged(rotated.old_hash)),
        }
    }
}

impl Audited for RotateToken {
    const ACTION: Action = Action::TokenRotate;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, rotated: &Rotated) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Token(rotated.new.id), Snapshot::of(&rotated.new)))
    }
}

/// Ends a token for good.
#[derive(Debug, Serialize, Deserialize)]
pub struct RevokeToken {
    /// The token.
    pub id: TokenId,
    /// The time of the change.
    pub now: Time,
}

impl Verb for RevokeToken {
    /// The hash that is refused from now on.
    type Answer = TokenHash;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<TokenHash> {
        let (token, hash) = find_with_hash(db, self.id)?;
        revoke_row(db, &token, &hash, self.now)?;
        Ok(hash)
    }

    fn change(&self, hash: &TokenHash) -> Option<Change> {
        Some(Change::TokenRevoked(*hash))
    }
}

impl Audited for RevokeToken {
    const ACTION: Action = Action::TokenRevoke;

    fn before(&self, db: &Connection) -> Result<Option<Snapshot>> {
        snapshot(db, self.id)
    }

    fn after(&self, _: &TokenHash) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Token(self.id), None))
    }
}

/// Notes when and from where tokens were last used; those that are gone are passed over.
#[derive(Debug, Serialize, Deserialize)]
pub struct TouchTokens {
    /// Which, when, and from which address.
    pub used: Vec<(TokenId, Time, Option<String>)>,
}

impl Verb for TouchTokens {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut update = db.prepare_cached(
            "UPDATE tokens SET last_used_at = max(?2, created_at), last_address = ?3 WHERE id = ?1",
        )?;
        for (id, at, address) in &self.used {
            update.execute(params![id, at, address])?;
        }
        Ok(())
    }
}
