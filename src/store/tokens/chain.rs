//! Chains: a token, and all that its holder rotated it to. A chain is one: whoever revokes, disables
//! or shortens one of its tokens does the same to all of them, because whoever had one of them can
//! have the others. A token that a holder makes begins a chain of its own, below the holder's: what
//! is done to a chain is done to those below it, and not to the one above.

use crate::domain::{Time, TokenHash, TokenId, UserId};
use crate::error::{Error, Result};
use crate::store::tokens::read::{
    Kept, kept_at, kept_columns, term_columns, term_marks, term_names, term_values, token_columns,
};
use rusqlite::{Connection, OptionalExtension, ToSql, params, params_from_iter};

/// Most rotations of a chain by its holder in an hour.
const ROTATIONS_MAX: i64 = 5;
/// The time in which they are counted, in seconds.
const ROTATIONS_PERIOD_SECONDS: i64 = 3600;

/// The tokens of a chain that are there.
pub(crate) struct Chain {
    /// The id of its first token, whether that is there or not.
    pub first: TokenId,
    /// The token that was asked for, or the newest of the chain where that one is gone.
    pub meant: Kept,
    /// The others in the order of their ids, and then those that holders of the chain have made.
    pub others: Vec<Kept>,
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
            kept_columns!(),
            " FROM tokens t WHERE t.id = ?1 OR t.chain_id = ?1 ORDER BY t.id"
        ))?;
        let tokens = list.query_map([first], |row| kept_at(row, 0))?;
        let mut others: Vec<Kept> = tokens.collect::<rusqlite::Result<_>>()?;
        let meant = match others.iter().position(|kept| kept.token.id == id) {
            Some(at) => others.remove(at),
            None => others.pop().ok_or(Error::TokenNotFound)?,
        };
        others.extend(made(db, meant.token.user_id, first)?);
        Ok(Self { first, meant, others })
    }

    /// Fails where the holder has rotated it, or made tokens by it, too often of late.
    pub(crate) fn check_rotations(&self, db: &Connection, now: Time) -> Result<()> {
        let mut newest = db.prepare_cached(
            "SELECT created_at AS at FROM tokens WHERE chain_id = ?1
             UNION ALL SELECT issued_at FROM ended_keys WHERE chain_id = ?1 AND token_id <> ?1
             UNION ALL SELECT created_at FROM tokens WHERE user_id = ?3 AND chain_id IS NULL
               AND CASE WHEN json_valid(scope) THEN json_extract(scope, '$.made_by') = ?1 END
             ORDER BY at DESC LIMIT 1 OFFSET ?2",
        )?;
        let before = params![self.first, ROTATIONS_MAX - 1, self.meant.token.user_id];
        let last = newest.query_row(before, |row| row.get::<_, Time>(0)).optional()?;
        let Some(last) = last else { return Ok(()) };
        let next = last.plus_seconds(ROTATIONS_PERIOD_SECONDS);
        if next <= now {
            return Ok(());
        }
        let wait = (next.as_millis() - now.as_millis()).unsigned_abs();
        Err(Error::TooManyRequests { retry_after: wait.div_ceil(1000) })
    }
}

/// The tokens that holders have made by a chain, and by the chains of those: whoever had one token
/// of a chain can have made them.
fn made(db: &Connection, user_id: UserId, first: TokenId) -> Result<Vec<Kept>> {
    let mut list = db.prepare_cached(concat!(
        "SELECT coalesce(t.chain_id, t.id), ",
        kept_columns!(),
        " FROM tokens t WHERE t.user_id = ?1 AND instr(t.scope, '\"made_by\"') ORDER BY t.id"
    ))?;
    let rows = list.query_map([user_id], |row| Ok((row.get(0)?, kept_at(row, 1)?)))?;
    let mut rest: Vec<(TokenId, Kept)> = rows.collect::<rusqlite::Result<_>>()?;
    let (mut chains, mut found) = (vec![first], Vec::new());
    let mut at = 0;
    while let Some(&chain) = chains.get(at) {
        let is_made = |(_, kept): &(TokenId, Kept)| kept.token.terms.scope.made_by == Some(chain);
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
    pub(crate) fn one(kept: &Kept) -> Self {
        Self { hashes: vec![kept.hash], others: Vec::new() }
    }

    /// Adds another of the chain.
    pub(crate) fn add(&mut self, kept: &Kept) {
        self.hashes.push(kept.hash);
        self.others.push(kept.token.id);
    }

    /// How many tokens that are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }
}

/// Stores what may change of a token.
pub(crate) fn store(db: &Connection, kept: &Kept) -> Result<()> {
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

/// Deletes a token, and remembers its hash for whoever still uses it.
pub(crate) fn revoke(db: &Connection, kept: &Kept, now: Time) -> Result<()> {
    let Kept { hash, is_foreign, token, .. } = kept;
    let mut remember = db.prepare_cached(
        "INSERT OR REPLACE INTO ended_keys (hash, user_id, ended_at, is_foreign) VALUES (?1, ?2, ?3, ?4)",
    )?;
    remember.execute(params![hash, token.user_id, now, is_foreign])?;
    db.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([token.id])?;
    Ok(())
}

/// The same for one that its holder has rotated: what became of it is found by its id.
pub(crate) fn revoke_rotated(
    db: &Connection,
    kept: &Kept,
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
