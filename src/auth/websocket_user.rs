//! Authenticates a user where a browser cannot send headers: who opens a WebSocket, or plays a
//! sound.

use crate::auth::authenticator::{Auth, User, token_missing};
use crate::auth::headers::{Single, USER_HEADER, single};
use crate::auth::identity::Identity;
use crate::domain::ticket::TicketPath;
use crate::domain::{KeyRejection, Scope, SentInstead, Time, TokenHash};
use crate::error::{Error, Result};
use crate::store::Store;
use hyper::http::request::Parts;
use std::net::IpAddr;
use std::sync::Arc;

/// What stands in the query in place of the header, which a browser cannot send.
pub(crate) struct InQuery<'a> {
    /// A ticket.
    pub ticket: Option<&'a str>,
    /// A token.
    pub key: Option<&'a str>,
    /// What a ticket must be for; `None` where none is taken.
    pub path: Option<TicketPath>,
}

impl Auth {
    /// Authenticates a user by the token in the header, or else by what is in the query: a ticket,
    /// or else a token.
    pub(crate) fn websocket_user(
        &self,
        head: &Parts,
        in_query: &InQuery<'_>,
        store: &Store,
        address: Option<IpAddr>,
        now: Time,
    ) -> Result<User> {
        let presented = match (single(&head.headers, &USER_HEADER), in_query) {
            (Single::Value(value), _) => value.as_bytes(),
            (Single::Repeated, _) => return Err(Error::TokenRefused(KeyRejection::Repeated)),
            (Single::Missing, InQuery { ticket: Some(ticket), path, .. }) => {
                let (identity, hash) = self.by_ticket(ticket, *path, store, now)?;
                return Ok(User { identity, hash, address });
            }
            (Single::Missing, InQuery { key: Some(value), .. }) => value.as_bytes(),
            (Single::Missing, _) => return Err(token_missing(head)),
        };
        if presented.is_empty() {
            return Err(Error::TokenMissing(SentInstead::Empty));
        }
        let (identity, hash) = self.authenticate(presented, store, now)?;
        Ok(User { identity, hash, address })
    }

    /// Whether a token that was accepted before has this scope still.
    pub(crate) fn has_scope(&self, hash: &TokenHash, scope: &Scope, store: &Store) -> bool {
        let known = self.by_hash(hash, store);
        known.is_ok_and(|known| known.is_some_and(|now| now.token.terms.scope == *scope))
    }

    /// The identity behind a ticket, which takes it. Whatever is wrong with a ticket, its
    /// holder is told the same.
    fn by_ticket(
        &self,
        ticket: &str,
        path: Option<TicketPath>,
        store: &Store,
        now: Time,
    ) -> Result<(Arc<Identity>, TokenHash)> {
        let refused = Error::TokenRefused(KeyRejection::Ticket);
        let hash = TokenHash::of(ticket.as_bytes());
        let bound_to = path.and_then(|path| self.tickets().take(&hash, path, now));
        let Some(hash) = bound_to else { return Err(refused) };
        match self.by_hash(&hash, store)? {
            Some(identity) if identity.check(now).is_ok() => Ok((identity, hash)),
            _ => Err(refused),
        }
    }
}
