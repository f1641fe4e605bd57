//! Tokens as they are kept: rows, pages, uses. The token itself never comes here, only its hash.

use crate::domain::{Time, Token, TokenHash, TokenId, TokenTerms, User, UserId};
use crate::error::{Error, Result};
use crate::exit::{Code, StartupError};
use crate::store::columns::columns;
use crate::store::doors::Store;
use crate::store::failure::unusable;
use crate::store::sessions::read::seats_within;
use crate::store::users::read::{USER_COLUMNS, data_columns, user_at, user_columns};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// How many of a user's tokens are read where the request runs; what is more goes to the blocking
/// pool.
const TOKENS_INLINE_MAX: usize = 100;

columns!(term_columns, terms_at: TokenTerms of "t" { name, expires_at, disuse_seconds, scope }
    written term_names, term_marks, term_values);

columns!(token_columns, token_at: Token of "t" {
    id, user_id, hint, created_at, last_used_at, last_address, disabled_at, replaced_by,
} then terms: terms_at of term_columns);

columns!(stored_token_columns, stored_token_at: StoredToken of "t"
    { hash, lifetime_seconds, is_foreign }
    then token: token_at of token_columns);

/// A token with what is never shown of it.
#[derive(Debug, Clone)]
pub(crate) struct StoredToken {
    /// BLAKE3 of it.
    pub hash: TokenHash,
    /// How long it is meant to live; `None` for ever.
    pub lifetime_seconds: Option<i64>,
    /// Whether another installation issued it.
    pub is_foreign: bool,
    /// The token.
    pub token: Token,
}

/// The token with this id.
pub(crate) fn find(db: &Connection, id: TokenId) -> rusqlite::Result<Option<Token>> {
    let mut statement =
        db.prepare_cached(concat!("SELECT ", token_columns!(), " FROM tokens t WHERE t.id = ?1"))?;
    statement.query_row([id], |row| token_at(row, 0)).optional()
}

/// A user and at most `max` of their tokens; one statement, so as of one moment.
fn find_with_tokens(
    db: &Connection,
    id: UserId,
    max: usize,
) -> rusqlite::Result<Option<(User, Vec<Token>)>> {
    let mut statement = db.prepare_cached(concat!(
        "SELECT ",
        user_columns!(),
        ", ",
        token_columns!(),
        " FROM users u LEFT JOIN tokens t ON t.user_id = u.id
          WHERE u.id = ?1 AND u.erasing_at IS NULL ORDER BY t.id"
    ))?;
    let mut rows = statement.query([id])?;
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
    /// How many seats the user's bots take in meetings within the token's scope.
    pub seats: i64,
}

/// Which tokens are asked for; always in the order of their ids.
#[derive(Debug, Clone, Copy)]
pub struct TokenPage {
    /// Whose; everybody's where absent.
    pub user_id: Option<UserId>,
    /// Only ids above this one.
    pub after: Option<TokenId>,
    /// How many at most.
    pub limit: i64,
}

impl Store {
    /// The user with this id and all their tokens: a few are read here and now, many on the
    /// blocking pool.
    pub async fn user_with_tokens(&self, id: UserId) -> Result<(User, Vec<Token>)> {
        let few = self
            .read(|db| find_with_tokens(db, id, TOKENS_INLINE_MAX + 1))?
            .ok_or(Error::UserNotFound)?;
        if few.1.len() <= TOKENS_INLINE_MAX {
            return Ok(few);
        }
        self.read_long(move |db| find_with_tokens(db, id, usize::MAX))
            .await?
            .ok_or(Error::UserNotFound)
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
            let known = |row: &Row<'_>| Ok((user_at(row, 0)?, token_at(row, USER_COLUMNS)?));
            let Some((user, token)) = statement.query_row([hash], known).optional()? else {
                return Ok(None);
            };
            let seats = seats_within(db, user.id, &token.terms.scope)?;
            Ok(Some(KnownToken { token, user, seats }))
        })
    }

    /// When the key with this hash ended, if it did and is remembered.
    pub fn revoked_key(&self, hash: &TokenHash) -> Result<Option<Time>> {
        self.read(|db| {
            let mut statement =
                db.prepare_cached("SELECT ended_at FROM ended_keys WHERE hash = ?1")?;
            statement.query_row([hash], |row| row.get(0)).optional()
        })
    }

    /// Whether there is, or was, a token that another installation issued; for a start, which says
    /// what is wrong with the file.
    pub(crate) fn has_foreign_keys(&self) -> std::result::Result<bool, StartupError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM tokens WHERE is_foreign = 1)
                     OR EXISTS (SELECT 1 FROM ended_keys WHERE is_foreign = 1)";
        let found = self.read(|db| Ok(db.query_row(sql, [], |row| row.get(0))));
        let found = found.map_err(|error| {
            let message = format!("Cannot read the tokens ({}).", error.store_cause());
            StartupError::new(Code::DatabaseUnusable, message)
        })?;
        found.map_err(|error| unusable(self.path(), &error))
    }

    /// The token with this id.
    pub fn token(&self, id: TokenId) -> Result<Token> {
        self.read(|db| find(db, id))?.ok_or(Error::TokenNotFound)
    }

    /// A page of tokens; a long read.
    pub async fn tokens(&self, page: TokenPage) -> Result<Vec<Token>> {
        self.read_long(move |db| {
            let whose = if page.user_id.is_some() { "t.user_id = :user" } else { ":user IS NULL" };
            let mut statement = db.prepare_cached(&format!(
                "SELECT {} FROM tokens t WHERE {whose} AND t.id > :after ORDER BY t.id LIMIT :limit",
                token_columns!()
            ))?;
            let values = named_params! {
                ":user": page.user_id,
                ":after": page.after.map_or(0, |id| id.0),
                ":limit": page.limit,
            };
            statement.query_map(values, |row| token_at(row, 0))?.collect()
        })
        .await
    }
}
