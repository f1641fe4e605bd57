//! Tickets: what stands in an address in place of a key. A browser cannot send headers with a
//! WebSocket, and an address is kept where a key must not be: in a browser's history, in the log of
//! a proxy. A ticket is of use for one path and for a short time; that of a socket is of use once.

use crate::domain::ticket::TicketPath;
use crate::domain::{Time, TokenHash, UserId};
use crate::error::{Error, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most tickets of a user that wait for their use; the oldest makes room.
const TICKETS_USER_MAX: usize = 20;
/// Most tickets in all.
const TICKETS_MAX: usize = 20_000;

/// A ticket that waits for its use.
struct Ticket {
    /// BLAKE3 of the token that asked for it.
    token: TokenHash,
    user_id: UserId,
    path: TicketPath,
    expires_at: Time,
}

/// The tickets that wait for their use, in memory.
#[derive(Default)]
pub(crate) struct Tickets(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// By BLAKE3 of the ticket.
    tickets: HashMap<TokenHash, Ticket>,
    /// The tickets of each user, the oldest first.
    of_users: HashMap<UserId, VecDeque<TokenHash>>,
}

impl Tickets {
    /// Keeps a new ticket of a user, for this path and by this token; returns its end.
    /// [`Error::Busy`] where too many wait.
    pub(crate) fn add(
        &self,
        hash: TokenHash,
        user_id: UserId,
        token: TokenHash,
        path: TicketPath,
        now: Time,
    ) -> Result<Time> {
        let expires_at = now.plus_seconds(path.seconds());
        let mut waiting = self.lock();
        if waiting.tickets.len() >= TICKETS_MAX {
            waiting.drop_ended(now);
        }
        let of_user = waiting.of_users.get(&user_id).map_or(0, VecDeque::len);
        if of_user >= TICKETS_USER_MAX {
            waiting.drop_oldest(user_id);
        }
        if waiting.tickets.len() >= TICKETS_MAX {
            return Err(Error::Busy);
        }
        waiting.of_users.entry(user_id).or_default().push_back(hash);
        waiting.tickets.insert(hash, Ticket { token, user_id, path, expires_at });
        Ok(expires_at)
    }

    /// Takes a ticket: BLAKE3 of its token, if it is for this path and has not ended. It is gone
    /// then, unless it was accepted and is for a path that takes it again.
    pub(crate) fn take(&self, hash: &TokenHash, path: TicketPath, now: Time) -> Option<TokenHash> {
        let mut waiting = self.lock();
        let ticket = waiting.tickets.get(hash)?;
        let (is_right, token) = (ticket.path == path && now < ticket.expires_at, ticket.token);
        if path.is_once() || !is_right {
            waiting.remove(hash);
        }
        is_right.then_some(token)
    }

    // A panic while the lock was held leaves maps that are whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn remove(&mut self, hash: &TokenHash) -> Option<Ticket> {
        let ticket = self.tickets.remove(hash)?;
        if let Some(of_user) = self.of_users.get_mut(&ticket.user_id) {
            of_user.retain(|other| other != hash);
            if of_user.is_empty() {
                self.of_users.remove(&ticket.user_id);
            }
        }
        Some(ticket)
    }

    fn drop_oldest(&mut self, user_id: UserId) {
        let oldest = self.of_users.get(&user_id).and_then(VecDeque::front).copied();
        if let Some(oldest) = oldest {
            self.remove(&oldest);
        }
    }

    fn drop_ended(&mut self, now: Time) {
        let ended = self.tickets.iter().filter(|(_, ticket)| ticket.expires_at <= now);
        let ended: Vec<TokenHash> = ended.map(|(hash, _)| *hash).collect();
        for hash in ended {
            self.remove(&hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::MeetingId;

    const PATH: TicketPath = TicketPath::Live;
    const SOUND: TicketPath = TicketPath::Sound(MeetingId(1));

    fn hash(n: usize) -> TokenHash {
        TokenHash::of(&n.to_le_bytes())
    }

    fn at(seconds: i64) -> Time {
        Time::from_millis(0).plus_seconds(seconds)
    }

    fn add(tickets: &Tickets, n: usize, user: i64, seconds: i64) -> Result<Time> {
        tickets.add(hash(n), UserId(user), hash(1_000_000 + n), PATH, at(seconds))
    }

    #[test]
    fn a_ticket_is_of_use_once_for_its_path_and_time() {
        let tickets = Tickets::default();
        for n in 0..4 {
            assert_eq!(add(&tickets, n, 1, 0).expect("room"), at(60));
        }
        assert_eq!(tickets.take(&hash(0), PATH, at(59)), Some(hash(1_000_000)));
        assert_eq!(tickets.take(&hash(0), PATH, at(59)), None, "used twice");
        assert_eq!(tickets.take(&hash(1), PATH, at(60)), None, "used after its end");
        assert_eq!(tickets.take(&hash(2), SOUND, at(1)), None, "used for another path");
        assert_eq!(tickets.take(&hash(2), PATH, at(1)), None, "not gone after that");
        assert_eq!(tickets.take(&hash(9), PATH, at(1)), None, "never made");
        assert_eq!(tickets.take(&hash(3), PATH, at(1)), Some(hash(1_000_003)));
        let waiting = tickets.lock();
        assert_eq!((waiting.tickets.len(), waiting.of_users.len()), (0, 0));
    }

    #[test]
    fn a_ticket_of_a_sound_is_of_use_for_ten_minutes() {
        let tickets = Tickets::default();
        let ends = tickets.add(hash(1), UserId(1), hash(2), SOUND, at(0)).expect("room");
        assert_eq!(ends, at(600));
        for seconds in [0, 1, 599] {
            assert_eq!(tickets.take(&hash(1), SOUND, at(seconds)), Some(hash(2)), "{seconds}");
        }
        assert_eq!(tickets.take(&hash(1), SOUND, at(600)), None, "used after its end");
        assert_eq!(tickets.lock().tickets.len(), 0);
        tickets.add(hash(3), UserId(1), hash(2), SOUND, at(0)).expect("room");
        let other = TicketPath::Sound(MeetingId(2));
        assert_eq!(tickets.take(&hash(3), other, at(1)), None, "used for another meeting");
        assert_eq!(tickets.take(&hash(3), SOUND, at(1)), None, "not gone after that");
    }

    #[test]
    fn a_user_has_some_and_all_users_have_a_bounded_number() {
        let tickets = Tickets::default();
        for n in 0..=TICKETS_USER_MAX {
            add(&tickets, n, 1, 0).expect("room");
        }
        assert_eq!(tickets.take(&hash(0), PATH, at(1)), None, "the oldest makes room");
        assert!(tickets.take(&hash(1), PATH, at(1)).is_some());
        let mut user = 1;
        for n in 100..=100 + TICKETS_MAX - TICKETS_USER_MAX {
            user += i64::from(n % TICKETS_USER_MAX == 0);
            add(&tickets, n, 10 + user, 0).expect("room");
        }
        assert!(matches!(add(&tickets, 50, 9, 59), Err(Error::Busy)));
        add(&tickets, 51, 9, 60).expect("the ended ones make room");
        assert_eq!(tickets.lock().tickets.len(), 1);
        assert_eq!(tickets.lock().of_users.len(), 1);
    }
}
