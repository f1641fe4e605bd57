//! Tokens: rows and verbs. The token itself never comes here, only its hash.

use super::users::{USER_COLUMNS, user_at, user_columns};
use super::{Change, Store, Verb};
use crate::domain::{Hint, Time, Token, TokenHash, TokenId, User, UserId};
use crate::error::{Error, Result};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// How many of a user's tokens are read where the request runs; what is more goes to the blocking pool.
const TOKENS_INLINE_MAX: usize = 100;

/// The columns of [`token_at`], of the table `t`.
macro_rules! token_columns {
    () => {
        "t.id, t.user_id, t.name, t.hint, t.created_at, t.expires_at, t.last_used_at"
    };
}

/// A token from a row that holds [`token_columns`], the first of them at `at`.
fn token_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Token> {
    let time = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Time::from_millis));
    Ok(Token {
        id: TokenId(row.get(at)?),
        user_id: UserId(row.get(at + 1)?),
        name: row.get(at + 2)?,
        hint: Hint(row.get(at + 3)?),
        created_at: Time::from_millis(row.get(at + 4)?),
        expires_at: time(at + 5)?,
        last_used_at: time(at + 6)?,
    })
}

/// A user and at most `max` of their tokens; one statement, so as of one moment.
fn find_with_tokens(db: &Connection, id: UserId, max: usize) -> rusqlite::Result<Option<(User, Vec<Token>)>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        user_columns!(),
        ", ",
        token_columns!(),
        " FROM users u LEFT JOIN tokens t ON t.user_id = u.id WHERE u.id = ?1 ORDER BY t.id"
    ))?;
    let mut rows = statement.query([id.0])?;
    let (mut user, mut tokens) = (None, Vec::new());
    while tokens.len() < max
        && let Some(row) = rows.next()?
    {
        if user.is_none() {
            user = Some(user_at(row, 0)?);
        }
        if row.get::<_, Option<i64>>(USER_COLUMNS)?.is_some() {
            tokens.push(token_at(row, USER_COLUMNS)?);
        }
    }
    Ok(user.map(|user| (user, tokens)))
}

/// A token that is in the file, and whom it speaks for.
#[derive(Debug, Clone)]
pub struct KnownToken {
    /// The token.
    pub token: Token,
    /// Its user.
    pub user: User,
}

impl Store {
    /// The user with this id and all their tokens: a few are read here and now, many on the blocking pool.
    pub async fn user_with_tokens(&self, id: UserId) -> Result<(User, Vec<Token>)> {
        let few = self.read(|db| find_with_tokens(db, id, TOKENS_INLINE_MAX + 1))?.ok_or(Error::UserNotFound)?;
        if few.1.len() <= TOKENS_INLINE_MAX {
            return Ok(few);
        }
        self.read_long(move |db| find_with_tokens(db, id, usize::MAX)).await?.ok_or(Error::UserNotFound)
    }

    /// The token with this hash and its user; a small read.
    pub fn known_token(&self, hash: &TokenHash) -> Result<Option<KnownToken>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(concat!(
                "SELECT ",
                user_columns!(),
                ", ",
                token_columns!(),
                " FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = ?1"
            ))?;
            let known = |row: &Row<'_>| Ok(KnownToken { user: user_at(row, 0)?, token: token_at(row, USER_COLUMNS)? });
            statement.query_row([hash.0], known).optional()
        })
    }
}

/// Adds a token to a user.
#[derive(Debug, Serialize)]
pub struct CreateToken {
    /// Whose.
    pub user_id: UserId,
    /// BLAKE3 of the token.
    pub hash: TokenHash,
    /// Its first characters.
    pub hint: Hint,
    /// What it is for.
    pub name: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Time>,
    /// When.
    pub now: Time,
}

impl Verb for CreateToken {
    type Answer = Token;

    fn apply(&self, db: &Connection) -> Result<Token> {
        if !db.prepare_cached("SELECT 1 FROM users WHERE id = ?1")?.exists([self.user_id.0])? {
            return Err(Error::UserNotFound);
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO tokens (user_id, hash, name, hint, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        insert.execute(params![
            self.user_id.0,
            self.hash.0,
            self.name,
            self.hint.0,
            self.now.as_millis(),
            self.expires_at.map(Time::as_millis)
        ])?;
        Ok(Token {
            id: TokenId(db.last_insert_rowid()),
            user_id: self.user_id,
            name: self.name.clone(),
            hint: self.hint.clone(),
            created_at: self.now,
            expires_at: self.expires_at,
            last_used_at: None,
        })
    }
}

/// Removes a token for good.
#[derive(Debug, Serialize)]
pub struct RevokeToken {
    /// Which.
    pub id: TokenId,
}

impl Verb for RevokeToken {
    /// The hash that is refused from now on.
    type Answer = TokenHash;

    const ESSENTIAL: bool = true;

    fn apply(&self, db: &Connection) -> Result<TokenHash> {
        let mut find = db.prepare_cached("SELECT hash FROM tokens WHERE id = ?1")?;
        let hash = find.query_row([self.id.0], |row| row.get(0)).optional()?.ok_or(Error::TokenNotFound)?;
        db.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([self.id.0])?;
        Ok(TokenHash(hash))
    }

    fn change(&self, hash: &TokenHash) -> Option<Change> {
        Some(Change::TokenRevoked(*hash))
    }
}

/// Notes when and from where tokens were last used; those that are gone are passed over.
#[derive(Debug, Serialize)]
pub struct TouchTokens {
    /// Which, when, and from which address.
    pub used: Vec<(TokenId, Time, Option<String>)>,
}

impl Verb for TouchTokens {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let mut update = db.prepare_cached("UPDATE tokens SET last_used_at = ?2, last_address = ?3 WHERE id = ?1")?;
        for (id, at, address) in &self.used {
            update.execute(params![id.0, at.as_millis(), address])?;
        }
        Ok(())
    }
}
