//! Every read of tokens for callers. The last use of a token is recorded in memory first
//! ([`PendingUsage`]); these functions apply it to what the database says, so that no handler can
//! forget to.
//!
//! [`PendingUsage`]: crate::auth::pending_usage::PendingUsage

use crate::auth::authenticator::Auth;
use crate::domain::found::{FoundToken, FoundUser};
use crate::domain::{KeyRejection, Time, Token, TokenHash, TokenId, User, UserId};
use crate::error::{Error, Result};
use crate::store::{Looked, Store, TokenPage, TokenSearch, UserSearch};

/// What [`Auth::explain`] says of a token.
pub struct Explained {
    /// The token, if there is one.
    pub token: Option<Token>,
    /// Its user.
    pub user: Option<User>,
    /// Why it is refused; `None` where it is accepted.
    pub rejection: Option<KeyRejection>,
}

impl Auth {
    /// The token with this id, or [`Error::TokenNotFound`]; a small read.
    pub fn token(&self, id: TokenId, store: &Store) -> Result<Token> {
        let token = store.token(id)?;
        Ok(self.with_pending(token))
    }

    /// A page of tokens in the order of their ids; a long read.
    pub async fn tokens(&self, page: TokenPage, store: &Store) -> Result<Vec<Token>> {
        let mut tokens = store.tokens(page).await?;
        self.usage().apply_pending(&mut tokens);
        Ok(tokens)
    }

    /// The users who fit, with when they last used a token; a long read.
    pub async fn search_users(
        &self,
        search: UserSearch,
        store: &Store,
    ) -> Result<Looked<FoundUser>> {
        let mut looked = store.search_users(search).await?;
        self.usage().apply_to_users(&mut looked.found);
        Ok(looked)
    }

    /// The tokens that fit, by their last uses up to now; a long read.
    pub async fn search_tokens(
        &self,
        search: TokenSearch,
        store: &Store,
    ) -> Result<Looked<FoundToken>> {
        let mut looked = store.search_tokens(search.clone()).await?;
        for found in &mut looked.found {
            self.usage().apply_pending(std::slice::from_mut(&mut found.token));
            found.ends_at = found.token.ends_at(None);
        }
        looked.found.retain(|found| search.fits(&found.token));
        Ok(looked)
    }

    /// A user and all their tokens, or [`Error::UserNotFound`].
    pub async fn user_with_tokens(&self, id: UserId, store: &Store) -> Result<(User, Vec<Token>)> {
        let (user, mut tokens) = store.user_with_tokens(id).await?;
        self.usage().apply_pending(&mut tokens);
        Ok((user, tokens))
    }

    /// Whether a token is accepted now, and if not why; this is no use of the token.
    pub fn explain(&self, presented: &[u8], store: &Store, now: Time) -> Result<Explained> {
        let identity = match self.identity(presented, TokenHash::of(presented), store) {
            Ok(identity) => identity,
            Err(Error::TokenRefused(rejection)) => {
                let rejection = Some(rejection);
                return Ok(Explained { token: None, user: None, rejection });
            }
            Err(error) => return Err(error),
        };
        let token = self.with_pending(identity.token.clone());
        let user = User::clone(&identity.user);
        let rejection = identity.check(now).err();
        Ok(Explained { token: Some(token), user: Some(user), rejection })
    }

    /// A token that a verb has returned, with its last use.
    pub fn with_pending(&self, mut token: Token) -> Token {
        self.usage().apply_pending(std::slice::from_mut(&mut token));
        token
    }
}
