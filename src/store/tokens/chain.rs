//! Chains: a token, and all that its holder rotated it to. A chain is one: whoever revokes, disables
//! or shortens one of its tokens does the same to all of them, because whoever had one of them can
//! have the others. A token that a holder makes begins a chain of its own, below the holder's: what
//! is done to a chain is done to those below it, and not to the one above.

use crate::domain::{Time, TokenHash, TokenId, UserId};
use crate::error::{Error, Result};
use crate::store::tokens::read::{
    StoredToken, stored_token_at, stored_token_columns, term_columns, term_marks, term_names,
    term_values, token_columns,
};
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

/// Most rotations of a chain by its holder in an hour.
const ROTATIONS_MAX: i64 = 5;
/// The time in which they are counted, in seconds.
const ROTATIONS_PERIOD_SECONDS: i64 = 3600;
/// Most tokens that holders of a user's tokens make in that time.
const MADE_IN_PERIOD_MAX: usize = 5;

/// The tokens of a chain that are there.
pub(crate) struct Chain {
    /// The id of its first token, whether that is there or not.
    pub first: TokenId,
    /// The token that was asked for, or the newest of the chain where that one is gone.
    pub meant: StoredToken,
    /// The others in the order of their ids.
    pub others: Vec<StoredToken>,
}

impl Chain {
    /// The chain of the token with this id: [`Error::TokenNotFound`] where none of it is left.
    pub(crate) fn of(db: &Connection, id: TokenId) -> Result<Self> {
        let mut find = db.prepare_cached(
            "SELECT coalesce(chain_id, id) FROM tokens WHERE id = ?1
             UNION ALL SELECT chain_id FROM ended_keys WHERE token_id = ?1",
        )?;
        let first = find.query_row([id], |row| row.get(0)).optional()?;
        let first: TokenId = first.ok_or(Error::TokenNotFound)?;
        let mut list = db.prepare_cached(concat!(
            "SELECT ",
            stored_token_columns!(),
            " FROM tokens t WHERE t.id = ?1 OR t.chain_id = ?1 ORDER BY t.id"
        ))?;
        let tokens = list.query_map([first], |row| stored_token_at(row, 0))?;
        let mut others: Vec<StoredToken> = tokens.collect::<rusqlite::Result<_>>()?;
        let meant = match others.iter().position(|kept| kept.token.id == id) {
            Some(at) => others.remove(at),
            None => others.pop().ok_or(Error::TokenNotFound)?,
        };
        Ok(Self { first, meant, others })
    }

    /// The chain of a token that makes something: [`Error::TokenNotFound`] where it is gone itself,
    /// [`Error::TokenDisabled`] where it is disabled.
    pub(crate) fn of_maker(db: &Connection, id: TokenId) -> Result<Self> {
        let chain = Self::of(db, id)?;
        let maker = &chain.meant.token;
        if maker.id != id {
            return Err(Error::TokenNotFound);
        }
        if maker.disabled_at.is_some() {
            return Err(Error::TokenDisabled);
        }
        Ok(chain)
    }

    /// Fails where the holder has rotated it, or made tokens by it, too often of late.
    pub(crate) fn check_rotations(&self, db: &Connection, now: Time) -> Result<()> {
        let mut newest = db.prepare_cached(
            "SELECT created_at AS at FROM tokens WHERE chain_id = ?1
             UNION ALL SELECT issued_at FROM ended_keys WHERE chain_id = ?1 AND token_id <> ?1
             UNION ALL SELECT created_at FROM tokens
               WHERE user_id = ?3 AND id > ?1 AND chain_id IS NULL
               AND CASE WHEN json_valid(scope) THEN json_extract(scope, '$.made_by') = ?1 END
             ORDER BY at DESC LIMIT 1 OFFSET ?2",
        )?;
        let before = params![self.first, ROTATIONS_MAX - 1, self.meant.token.user_id];
        let last = newest.query_row(before, |row| row.get::<_, Time>(0)).optional()?;
        check_period(last, now)
    }

    /// The tokens that holders have made by a chain, and by the chains of those: whoever had one
    /// token of a chain can have made them.
    pub(crate) fn made(&self, db: &Connection) -> Result<Vec<StoredToken>> {
        made(db, self.meant.token.user_id, self.first)
    }
}

/// Fails where the last of the acts that are counted is of the present period.
fn check_period(last: Option<Time>, now: Time) -> Result<()> {
    let Some(last) = last else { return Ok(()) };
    let next = last.plus_seconds(ROTATIONS_PERIOD_SECONDS);
    if next <= now {
        return Ok(());
    }
    let wait = (next.as_millis() - now.as_millis()).unsigned_abs();
    Err(Error::TooManyRequests { retry_after: wait.div_ceil(1000) })
}

/// Fails where holders of a user's tokens have made too many of late, whatever became of those. A
/// made token that was rotated counts by its newest one.
pub(crate) fn check_made(db: &Connection, user_id: UserId, now: Time) -> Result<()> {
    let since = now.plus_seconds(-ROTATIONS_PERIOD_SECONDS);
    let mut times: Vec<Time> = Vec::new();
    // Ids are in the order of time: the first older one ends it.
    let mut newest = db.prepare_cached(
        "SELECT created_at, coalesce(instr(scope, '\"made_by\"'), 0) FROM tokens
         WHERE user_id = ?1 ORDER BY id DESC",
    )?;
    let mut rows = newest.query([user_id])?;
    while let Some(row) = rows.next()? {
        let (at, is_made): (Time, bool) = (row.get(0)?, row.get(1)?);
        if at <= since {
            break;
        }
        if is_made {
            times.push(at);
        }
    }
    let mut ended = db.prepare_cached(
        "SELECT issued_at FROM ended_keys
         WHERE user_id = ?1 AND chain_id IS NULL AND issued_at > ?2",
    )?;
    let mut rows = ended.query(params![user_id, since])?;
    while let Some(row) = rows.next()? {
        times.push(row.get(0)?);
    }
    times.sort_unstable();
    let fifth_newest = times.len().checked_sub(MADE_IN_PERIOD_MAX);
    check_period(fifth_newest.and_then(|at| times.get(at).copied()), now)
}

fn made(db: &Connection, user_id: UserId, first: TokenId) -> Result<Vec<StoredToken>> {
    // What is made is younger than the first of its maker's chain.
    let mut list = db.prepare_cached(concat!(
        "SELECT coalesce(t.chain_id, t.id), ",
        stored_token_columns!(),
        " FROM tokens t WHERE t.user_id = ?1 AND t.id > ?2 AND instr(t.scope, '\"made_by\"')
          ORDER BY t.id"
    ))?;
    let rows =
        list.query_map(params![user_id, first], |row| Ok((row.get(0)?, stored_token_at(row, 1)?)))?;
    let mut rest: Vec<(TokenId, StoredToken)> = rows.collect::<rusqlite::Result<_>>()?;
    let (mut chains, mut found) = (vec![first], Vec::new());
    let mut at = 0;
    while let Some(&chain) = chains.get(at) {
        let is_made =
            |(_, kept): &(TokenId, StoredToken)| kept.token.terms.scope.made_by == Some(chain);
        for (of_chain, kept) in rest.extract_if(.., |one| is_made(one)) {
            if !chains.contains(&of_chain) {
                chains.push(of_chain);
            }
            found.push(kept);
        }
        at += 1;
    }
    Ok(found)
}

/// Whether the chain that begins with a token is disabled.
pub(crate) fn is_disabled(db: &Connection, first: TokenId) -> Result<bool> {
    let mut find = db.prepare_cached(
        "SELECT 1 FROM tokens WHERE (id = ?1 OR chain_id = ?1) AND disabled_at IS NOT NULL",
    )?;
    Ok(find.exists([first])?)
}

/// Whether vomeet.toml configures a token of the chain that begins with a token.
pub(crate) fn is_declared(db: &Connection, first: TokenId) -> Result<bool> {
    let mut find = db
        .prepare_cached("SELECT 1 FROM tokens WHERE (id = ?1 OR chain_id = ?1) AND declared = 1")?;
    Ok(find.exists([first])?)
}

/// When the newest token of the chain that begins with a token ends; `None` for never.
pub(crate) fn end_of_chain(db: &Connection, first: TokenId) -> Result<Option<Time>> {
    let mut find = db.prepare_cached(
        "SELECT expires_at FROM tokens WHERE id = ?1 OR chain_id = ?1 ORDER BY id DESC LIMIT 1",
    )?;
    let end: Option<Option<Time>> = find.query_row([first], |row| row.get(0)).optional()?;
    Ok(end.flatten())
}

/// The hashes of a chain's tokens, of those too that were rotated without grace.
pub(crate) fn hashes_of_chain(db: &Connection, id: TokenId) -> rusqlite::Result<Vec<TokenHash>> {
    let mut list = db.prepare_cached(
        "WITH chain (first) AS (SELECT coalesce(chain_id, id) FROM tokens WHERE id = ?1)
         SELECT t.hash FROM chain JOIN tokens t ON t.id = first OR t.chain_id = first
         UNION ALL SELECT e.hash FROM chain JOIN ended_keys e ON e.chain_id = first",
    )?;
    list.query_map([id], |row| row.get(0))?.collect()
}

/// Who is told of what a verb did to the tokens of a chain, and what the audit log says of it.
#[derive(Debug, Clone)]
pub struct Affected {
    /// The hashes of all that are otherwise now.
    pub hashes: Vec<TokenHash>,
    /// The ids of those that are no longer as they were, besides the one that was meant.
    pub others: Vec<TokenId>,
}

impl Affected {
    /// The one that was meant alone.
    pub(crate) fn one(kept: &StoredToken) -> Self {
        Self { hashes: vec![kept.hash], others: Vec::new() }
    }

    /// Adds another of the chain.
    pub(crate) fn add(&mut self, kept: &StoredToken) {
        self.hashes.push(kept.hash);
        self.others.push(kept.token.id);
    }

    /// How many tokens that are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }
}

/// Stores what may change of a token.
pub(crate) fn store(db: &Connection, kept: &StoredToken) -> Result<()> {
    let token = &kept.token;
    let mut update = db.prepare_cached(concat!(
        "UPDATE tokens SET (",
        term_names!(),
        ", disabled_at, replaced_by, lifetime_seconds) = (",
        term_marks!(),
        ", ?, ?, ?) WHERE id = ?"
    ))?;
    let fixed: [&dyn ToSql; 4] =
        [&token.disabled_at, &token.replaced_by, &kept.lifetime_seconds, &token.id];
    update.execute(params_from_iter(term_values(&token.terms).chain(fixed)))?;
    Ok(())
}

/// Deletes a token, and remembers its hash for whoever still uses it. Of one that a holder made it
/// is remembered when that was, so that it still counts ([`check_made`]); the chain is not, for
/// nothing of it is found any more.
pub(crate) fn revoke(db: &Connection, kept: &StoredToken, now: Time) -> Result<()> {
    let StoredToken { hash, is_foreign, token, .. } = kept;
    let issued_at = token.terms.scope.made_by.map(|_| token.created_at);
    let mut remember = db.prepare_cached(
        "INSERT OR REPLACE INTO ended_keys (hash, user_id, ended_at, issued_at, is_foreign)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    remember.execute(params![hash, token.user_id, now, issued_at, is_foreign])?;
    db.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([token.id])?;
    Ok(())
}

/// The same for one that its holder has rotated: what became of it is found by its id.
pub(crate) fn revoke_rotated(
    db: &Connection,
    kept: &StoredToken,
    first: TokenId,
    now: Time,
) -> Result<()> {
    revoke(db, kept, now)?;
    let mut note = db.prepare_cached(
        "UPDATE ended_keys SET token_id = ?2, chain_id = ?3, issued_at = ?4 WHERE hash = ?1",
    )?;
    note.execute(params![kept.hash, kept.token.id, first, kept.token.created_at])?;
    Ok(())
}
