//! Sessions of the console that a link begins: `vomeet open` makes the link over the admin socket,
//! and a browser on this machine redeems it. Links and sessions are in memory alone, so a restart
//! of the server revokes them all, and so does a reload that takes an admin key away. What is kept of
//! them is their hash.

use crate::domain::{Time, TokenHash};
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a link waits for its use, in seconds.
const LINK_SECONDS: i64 = 60;
/// How long a session is accepted, in seconds.
const SESSION_SECONDS: i64 = 8 * 60 * 60;
/// Most links that wait; the oldest makes room.
const LINKS_MAX: usize = 20;
/// Most sessions; the oldest makes room.
const SESSIONS_MAX: usize = 100;

/// A link, or a session.
struct Held {
    hash: TokenHash,
    /// The name of its administrator, as the audit log writes it.
    name: Arc<str>,
    expires_at: Time,
}

/// The links that wait for their use, and the sessions.
#[derive(Default)]
pub(crate) struct ConsoleSessions(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The oldest first.
    links: VecDeque<Held>,
    /// The oldest first.
    sessions: VecDeque<Held>,
}

impl ConsoleSessions {
    /// Keeps a new link of an administrator; returns its end.
    pub(crate) fn add_link(&self, hash: TokenHash, name: &str, now: Time) -> Time {
        let expires_at = now.plus_seconds(LINK_SECONDS);
        push(&mut self.lock().links, LINKS_MAX, Held { hash, name: name.into(), expires_at });
        expires_at
    }

    /// Takes a link, and begins a session in its place: the name of its administrator, and when the
    /// session ends. The link is gone then. [`Error::OpenLinkNotFound`] where there is none.
    pub(crate) fn redeem(
        &self,
        link: &TokenHash,
        session: TokenHash,
        now: Time,
    ) -> Result<(Arc<str>, Time)> {
        let mut inner = self.lock();
        let place = inner.links.iter().position(|held| held.hash == *link);
        let found = place.and_then(|place| inner.links.remove(place));
        let Some(found) = found.filter(|found| now < found.expires_at) else {
            return Err(Error::OpenLinkNotFound);
        };
        let expires_at = now.plus_seconds(SESSION_SECONDS);
        let name = Arc::clone(&found.name);
        push(
            &mut inner.sessions,
            SESSIONS_MAX,
            Held { hash: session, name: found.name, expires_at },
        );
        Ok((name, expires_at))
    }

    /// The name of the administrator whose session this secret is of, if it has not ended.
    pub(super) fn name_of(&self, presented: &[u8], now: Time) -> Option<Arc<str>> {
        let inner = self.lock();
        if inner.sessions.is_empty() {
            return None;
        }
        let hash = TokenHash::of(presented);
        let found = inner.sessions.iter().find(|held| held.hash == hash)?;
        (now < found.expires_at).then(|| Arc::clone(&found.name))
    }

    /// Ends all sessions, and the links that wait.
    pub(super) fn end_all(&self) {
        *self.lock() = Inner::default();
    }

    // A panic while the lock was held leaves lists that are whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push(list: &mut VecDeque<Held>, max: usize, held: Held) {
    if list.len() >= max {
        list.pop_front();
    }
    list.push_back(held);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(n: usize) -> [u8; 8] {
        (n as u64).to_le_bytes()
    }

    fn hash(n: usize) -> TokenHash {
        TokenHash::of(&secret(n))
    }

    fn at(seconds: i64) -> Time {
        Time::from_millis(0).plus_seconds(seconds)
    }

    #[test]
    fn a_link_is_of_use_once_and_for_a_minute() {
        let sessions = ConsoleSessions::default();
        for n in [1, 2] {
            assert_eq!(sessions.add_link(hash(n), "local:ada", at(0)), at(60));
        }
        let (name, end) = sessions.redeem(&hash(1), hash(11), at(59)).expect("a session");
        assert_eq!((&*name, end), ("local:ada", at(59 + 8 * 3600)));
        for (n, seconds) in [(1, 59), (2, 60), (2, 1), (3, 1)] {
            let again = sessions.redeem(&hash(n), hash(12), at(seconds));
            assert!(matches!(again, Err(Error::OpenLinkNotFound)), "{n} at {seconds}");
        }
        assert_eq!(sessions.name_of(&secret(11), at(100)).as_deref(), Some("local:ada"));
        assert_eq!(sessions.name_of(&secret(11), end), None, "accepted after its end");
        for other in [1, 2, 12] {
            assert_eq!(sessions.name_of(&secret(other), at(100)), None, "{other} is no session");
        }
    }

    #[test]
    fn there_is_a_bounded_number_of_both() {
        let sessions = ConsoleSessions::default();
        for n in 0..=LINKS_MAX {
            sessions.add_link(hash(n), "local:ada", at(0));
        }
        assert!(sessions.redeem(&hash(0), hash(1000), at(1)).is_err(), "the oldest makes room");
        assert!(sessions.redeem(&hash(1), hash(1000), at(1)).is_ok());
        for n in 2001..=2000 + SESSIONS_MAX {
            sessions.add_link(hash(n), "local:ada", at(1));
            sessions.redeem(&hash(n), hash(n + 1000), at(1)).expect("a session");
        }
        assert_eq!(sessions.name_of(&secret(1000), at(2)), None, "the oldest makes room");
        assert!(sessions.name_of(&secret(3001), at(2)).is_some());
        assert_eq!(sessions.lock().sessions.len(), SESSIONS_MAX);
        sessions.end_all();
        assert_eq!(sessions.name_of(&secret(3001), at(2)), None, "accepted after the end of all");
        assert!(sessions.redeem(&hash(2), hash(1), at(2)).is_err(), "so are links");
    }
}
