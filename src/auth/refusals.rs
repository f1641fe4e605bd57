//! Refused keys since the start, in memory: how many of each kind, and the newest.

use crate::domain::{Hint, Time};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use utoipa::ToSchema;

/// How many refusals are kept.
pub(crate) const REFUSALS_MAX: usize = 200;

/// Refused keys of one kind, from one address, on one route: a caller who tries again and again
/// takes one place.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Refusal {
    /// When the last of them came.
    pub at: Time,
    /// When the first of them came.
    pub first_at: Time,
    /// How many came.
    #[schema(minimum = 1, example = 3)]
    pub count: u64,
    /// From which address; null where they came by the admin socket.
    #[schema(required, value_type = Option<String>, example = "192.0.2.1")]
    pub address: Option<IpAddr>,
    /// What was refused: `token`, `admin_key` or `bot`.
    #[schema(example = "token")]
    pub key: &'static str,
    /// Why, as the caller was told.
    #[schema(example = "expired")]
    pub code: &'static str,
    /// The method of the route.
    #[schema(example = "GET")]
    pub method: &'static str,
    /// The path of the route, with the names of its parameters.
    #[schema(example = "/user")]
    pub path: &'static str,
    /// The first four characters of the last key; null unless it has the form of a key.
    #[schema(required)]
    pub hint: Option<Hint>,
}

impl Refusal {
    fn is_like(&self, other: &Self) -> bool {
        let place = (self.address, self.key, self.code, self.method, self.path);
        place == (other.address, other.key, other.code, other.method, other.path)
    }
}

/// The refused keys of a server.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Refused>);

/// How many keys were refused, and the newest of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refused {
    /// How many for each reason.
    pub by_code: BTreeMap<&'static str, u64>,
    /// The oldest first.
    pub newest: VecDeque<Refusal>,
}

impl Refused {
    /// How many in all.
    pub(crate) fn total(&self) -> u64 {
        self.by_code.values().sum()
    }
}

impl Refusals {
    /// Notes a refused key.
    pub(crate) fn note(&self, mut refusal: Refusal) {
        let mut refused = self.lock();
        *refused.by_code.entry(refusal.code).or_default() += 1;
        let newest = &mut refused.newest;
        let like = newest.iter().rposition(|other| other.is_like(&refusal));
        if let Some(before) = like.and_then(|at| newest.remove(at)) {
            refusal.count += before.count;
            refusal.first_at = before.first_at;
        } else if newest.len() >= REFUSALS_MAX {
            newest.pop_front();
        }
        newest.push_back(refusal);
    }

    /// How many keys were refused for each reason.
    pub(crate) fn by_code(&self) -> BTreeMap<&'static str, u64> {
        self.lock().by_code.clone()
    }

    /// Everything that is known.
    pub(crate) fn all(&self) -> Refused {
        self.lock().clone()
    }

    // A panic while the lock was held leaves counts and a list that are whole.
    fn lock(&self) -> MutexGuard<'_, Refused> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn refusal(at: i64, address: u32, code: &'static str) -> Refusal {
        let at = Time::from_millis(at);
        Refusal {
            at,
            first_at: at,
            count: 1,
            address: Some(Ipv4Addr::from_bits(address).into()),
            key: "token",
            code,
            method: "GET",
            path: "/user",
            hint: None,
        }
    }

    #[test]
    fn one_caller_takes_one_place_and_the_list_does_not_grow() {
        let refusals = Refusals::default();
        for n in 0..1000_u32 {
            refusals.note(refusal(n.into(), 7, "expired"));
            refusals.note(refusal(n.into(), n % 300 + 1000, "unknown"));
        }
        let all = refusals.all();
        assert_eq!(
            (all.by_code["expired"], all.by_code["unknown"], all.total()),
            (1000, 1000, 2000)
        );
        assert_eq!(all.newest.len(), REFUSALS_MAX);
        let of_one = all.newest.iter().find(|refusal| refusal.code == "expired").expect("kept");
        let (first, last) = (of_one.first_at.as_millis(), of_one.at.as_millis());
        assert_eq!((of_one.count, first, last), (1000, 0, 999));
    }
}
