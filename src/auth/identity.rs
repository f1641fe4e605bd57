//! An authenticated token with its user, as it is kept in memory.

use crate::auth::counter::Counter;
use crate::domain::{KeyRejection, Time, Token, User};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

/// A token that the database knows, and its user.
#[derive(Debug)]
pub struct Identity {
    /// The token.
    pub token: Token,
    /// The user, shared by the identities of all their tokens.
    pub user: Arc<User>,
    /// How many seats the user's bots take.
    pub seats: i64,
    /// The body of `GET /user`, written by the first request: an identity never changes, it is
    /// replaced by another.
    pub view: OnceLock<Bytes>,
    /// The last use that was recorded, in seconds since 1970; 0 where there was none since the
    /// identity was loaded.
    pub(crate) last_use_seconds: AtomicI64,
    /// The requests that are not gathered into a batch yet.
    pub(crate) requests: Arc<Counter>,
    /// Shared by the identities of a user.
    pub(crate) outdated: Arc<Outdated>,
}

impl Identity {
    /// Whether the token is accepted now, and if not why.
    pub fn check(&self, now: Time) -> Result<(), KeyRejection> {
        if let Some(at) = self.user.disabled_at {
            return Err(KeyRejection::UserDisabled(at));
        }
        let seconds = self.last_use_seconds.load(Ordering::Relaxed);
        let last_use = if seconds > 0 { Some(Time::from_millis(seconds * 1000)) } else { None };
        self.token.check(last_use, now)
    }
}

/// Set once the user of some identities has changed.
#[derive(Debug, Default)]
pub(crate) struct Outdated(pub(crate) AtomicBool);
