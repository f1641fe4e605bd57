//! A token that opens doors, and its user.

use crate::auth::counter::Counter;
use crate::domain::{KeyRejection, Time, Token, User};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

/// A token that opens doors, and its user.
#[derive(Debug)]
pub struct Identity {
    /// The token.
    pub token: Token,
    /// The user.
    pub user: User,
    /// How many seats the user's bots take.
    pub seats: i64,
    /// The answer to `GET /user`, written at the first one: a caller never changes, a changed one is another.
    pub view: OnceLock<Bytes>,
    /// The second of the last use that was noted.
    pub(crate) noted: AtomicI64,
    /// The requests that were not gathered yet.
    pub(crate) requests: Arc<Counter>,
    pub(crate) outdated: Arc<Outdated>,
}

impl Identity {
    /// Whether the token opens doors now.
    pub fn check(&self, now: Time) -> Result<(), KeyRejection> {
        if let Some(at) = self.user.disabled_at {
            return Err(KeyRejection::UserDisabled(at));
        }
        let noted = self.noted.load(Ordering::Relaxed);
        self.token.check((noted > 0).then(|| Time::from_millis(noted * 1000)), now)
    }
}

/// Set once the user of some callers has changed.
#[derive(Debug, Default)]
pub(crate) struct Outdated(pub(crate) AtomicBool);
