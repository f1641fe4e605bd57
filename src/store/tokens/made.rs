//! Tokens that a holder makes: never wider than the holder's own.

use crate::domain::{
    Action, Hint, Permission, Scope, Subject, Time, Token, TokenChanges, TokenHash, TokenId,
    TokenTerms, UserId,
};
use crate::error::{Error, Result};
use crate::store::audit::audited::Audited;
use crate::store::audit::log::Snapshot;
use crate::store::tokens::chain::{Chain, check_made};
use crate::store::tokens::verbs::{CreateToken, insert, lifetime};
use crate::store::writer::verb::Verb;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

/// Most tokens of a user that holders have made and that are not over.
pub(crate) const MADE_MAX: i64 = 50;

/// Makes a token for the holder of another. It begins a chain of its own, and what ends or shortens
/// the chain of the other does the same to it.
#[derive(Debug, Serialize, Deserialize)]
pub struct MakeToken {
    /// The token of the request.
    pub by: TokenId,
    /// BLAKE3 of the new one.
    pub hash: TokenHash,
    /// The first characters of the new one.
    pub hint: Hint,
    /// What differs from the terms of the other.
    pub terms: TokenChanges,
    /// What the new one is limited to.
    pub scope: Scope,
    /// The time of the change.
    pub now: Time,
}

impl MakeToken {
    /// How many tokens of a user's that holders have made are not over; of a chain its newest.
    fn made_by_user(&self, db: &Connection, user_id: UserId) -> Result<i64> {
        let mut count = db.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM tokens
               WHERE user_id = ?1 AND instr(scope, '\"made_by\"') AND replaced_by IS NULL
                 AND coalesce(expires_at > ?2, 1)
                 AND coalesce(coalesce(last_used_at, created_at) + 1000 * disuse_seconds > ?2, 1)
               LIMIT ?3)",
        )?;
        Ok(count.query_row(params![user_id, self.now, MADE_MAX], |row| row.get(0))?)
    }

    /// The terms of the new token. What it may do is no more than its maker may, who may do
    /// everything; its time is no longer either.
    fn terms(&self, chain: &Chain) -> Result<TokenTerms> {
        let maker = &chain.meant.token.terms;
        let mut scope = Scope { made_by: Some(chain.first), ..self.scope.clone() };
        if scope.may_transcribe() && !maker.scope.may_transcribe() {
            if scope.transcribe == Some(true) || scope.transcribe_only {
                let why = "This token may not have sound transcribed, nor one that it makes.";
                return Err(Error::NotAllowed(why.to_owned()));
            }
            scope.transcribe = Some(false);
        }
        let mut terms = TokenTerms {
            name: None,
            expires_at: maker.expires_at,
            disuse_seconds: maker.disuse_seconds,
            scope,
        };
        self.terms.apply(&mut terms);
        if let Some(end) = maker.expires_at
            && terms.expires_at.is_none_or(|own_end| own_end > end)
        {
            let why = format!("This token ends on {end}, and one that it makes no later.");
            return Err(Error::NotAllowed(why));
        }
        if let Some(seconds) = maker.disuse_seconds
            && terms.disuse_seconds.is_none_or(|own_seconds| own_seconds > seconds)
        {
            let why = format!(
                "This token ends when it is unused for {seconds} s, and one that it makes no later."
            );
            return Err(Error::NotAllowed(why));
        }
        Ok(terms)
    }
}

impl Verb for MakeToken {
    type Answer = Token;

    fn apply(&self, db: &Connection) -> Result<Token> {
        let chain = Chain::of_maker(db, self.by)?;
        let maker = &chain.meant.token;
        // It may have been narrowed since the request came in.
        maker.terms.scope.check(Permission::WriteAll).map_err(Error::NotAllowed)?;
        check_made(db, maker.user_id, self.now)?;
        chain.check_rotations(db, self.now)?;
        if self.made_by_user(db, maker.user_id)? >= MADE_MAX {
            return Err(Error::TooManyTokens { max: MADE_MAX });
        }
        let terms = self.terms(&chain)?;
        let lifetime_seconds = lifetime(terms.expires_at, self.now);
        let (hash, hint) = (self.hash, self.hint.clone());
        let new = CreateToken { user_id: maker.user_id, hash, hint, terms, now: self.now };
        insert(db, &new, lifetime_seconds, None)
    }
}

impl Audited for MakeToken {
    const ACTION: Action = Action::TokenCreate;

    fn after(&self, token: &Token) -> Option<(Subject, Option<Snapshot>)> {
        Some((Subject::Token(token.id), Snapshot::of(token)))
    }
}
