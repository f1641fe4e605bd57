//! The open connections: how many there may be, how many of one address, how long each may take,
//! and which one is evicted when there are too many.
//!
//! By hand, for what limits connections in crates (tower's layers) sees requests, and turns the
//! newest away.
//!
//! A cap that turned newcomers away would let slow clients shut everybody out. So a connection on
//! which nothing is in progress is evicted ([`Rank`]), and never one in the middle of a request.
//! One address holds at most a quarter of the places, and evicts its own connections when it wants
//! more; this machine and the trusted proxies, behind which many clients may be, may have all.

use crate::config::Http as Limits;
use crate::http::connection_activity::{ConnectionActivity, Rank};
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// One address may hold one of so many parts of the places.
const ADDRESS_SHARES: usize = 4;
/// One of so many parts of the places is evicted at once: finding those that have waited longest
/// is not cheap.
const EVICTED_SHARES: usize = 128;
/// At most one of so many parts of the fresh connections is evicted at once.
const FRESH_SHARES: usize = 8;
/// Fresh connections in more than one of so many parts of the places are a flood, and evict each
/// other before anybody else.
const FLOOD_SHARES: usize = 4;

/// Every open connection.
pub struct Connections {
    limits: ArcSwap<Limits>,
    open: Mutex<Open>,
    /// Numbers accepted connections and finished requests, in their order, from 1 on.
    events: AtomicU64,
    /// Counts ticks, from 1 on.
    ticks: Arc<AtomicU32>,
    evicted: AtomicU64,
}

#[derive(Default)]
struct Open {
    permits: HashMap<u64, Permit>,
    /// How many connections each address has; none for those without a limit.
    of_address: HashMap<IpAddr, usize>,
}

/// Why a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A new one needs its place.
    Evicted,
    /// Its request did not come, or its response was not read, in time.
    Late,
    /// The server stops.
    Stopping,
}

/// Why a new connection gets no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// All connections are in the middle of a request; one of them may end soon.
    Full,
    /// Its address has as many connections as it may have, all in the middle of a request.
    ShareUsed,
}

struct Permit {
    activity: Arc<ConnectionActivity>,
    end: oneshot::Sender<End>,
    /// The address whose share it takes from.
    address: Option<IpAddr>,
}

/// A connection's place; it is free again when this is dropped.
pub struct ConnectionGuard {
    /// What the connection waits for.
    pub activity: Arc<ConnectionActivity>,
    number: u64,
    all: Arc<Connections>,
}

impl Connections {
    /// None yet, within these limits.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits: ArcSwap::from_pointee(limits),
            open: Mutex::default(),
            events: AtomicU64::new(1),
            ticks: Arc::new(AtomicU32::new(1)),
            evicted: AtomicU64::new(0),
        })
    }

    /// Other limits from now on. Connections that are open already stay.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Takes a place for a connection from an address, or for one through the admin socket, which
    /// always has one; evicts others where there is none. The receiver says when and why the
    /// connection is to end.
    pub fn admit(
        self: &Arc<Self>,
        from: Option<IpAddr>,
    ) -> Result<(ConnectionGuard, oneshot::Receiver<End>), NoPlace> {
        let limits = self.limits.load();
        let address = from.and_then(|address| limited(&limits, address));
        let address_max = limits.connections_max.div_ceil(ADDRESS_SHARES);
        let activity = Arc::new(ConnectionActivity::new(&self.ticks));
        let (end, ended) = oneshot::channel();
        let mut open = self.lock();
        if let Some(address) = address
            && open.of_address.get(&address).copied().unwrap_or(0) >= address_max
            && !self.evict(&mut open, address_max, 1, |permit| permit.address == Some(address))
        {
            return Err(NoPlace::ShareUsed);
        }
        let places = limits.connections_max;
        let at_once = places.div_ceil(EVICTED_SHARES);
        if open.permits.len() >= places
            && !self.evict(&mut open, places, at_once, |_| true)
            && from.is_some()
        {
            return Err(NoPlace::Full);
        }
        let number = self.next_event();
        let permit = Permit { activity: Arc::clone(&activity), end, address };
        open.add(number, permit);
        drop(open);
        Ok((ConnectionGuard { activity, number, all: Arc::clone(self) }, ended))
    }

    /// Ends up to `count` connections of those that have `places` together: of those that come first
    /// in the order of [`Rank`], or in a flood of the fresh ones, those that have waited longest.
    /// Whether there was one.
    fn evict(
        &self,
        open: &mut Open,
        places: usize,
        count: usize,
        of: impl Fn(&Permit) -> bool,
    ) -> bool {
        let limits = self.limits.load();
        let mut ranked = Vec::new();
        for (&number, permit) in &open.permits {
            if of(permit)
                && let Some((rank, since)) = permit.activity.rank(number, &limits)
            {
                ranked.push((rank, since, number));
            }
        }
        let Some(&(mut first, ..)) = ranked.iter().min() else { return false };
        let fresh = ranked.iter().filter(|(rank, ..)| *rank == Rank::Fresh).count();
        if fresh > places.div_ceil(FLOOD_SHARES) {
            first = Rank::Fresh;
        }
        ranked.retain(|(rank, ..)| *rank == first);
        let count = match first {
            Rank::NeverFinished | Rank::Idle => count,
            // Those stay that have come last.
            Rank::Fresh => count.min(fresh.div_ceil(FRESH_SHARES)),
            // What is in progress is not worth ending before somebody needs its place.
            Rank::UnreadResponse | Rank::SlowBody => 1,
        };
        if ranked.len() > count {
            ranked.select_nth_unstable(count - 1);
        }
        for (_, _, number) in ranked.into_iter().take(count) {
            if let Some(permit) = open.remove(number) {
                permit.end(End::Evicted);
                self.evicted.fetch_add(1, Ordering::Relaxed);
            }
        }
        true
    }

    /// A second has passed: ends the connections whose peers take too long.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        let limits = self.limits.load();
        let mut open = self.lock();
        let mut late = Vec::new();
        for (&number, permit) in &open.permits {
            if permit.activity.is_late(&limits) {
                late.push(number);
            }
        }
        for number in late {
            if let Some(permit) = open.remove(number) {
                permit.end(End::Late);
            }
        }
    }

    /// Tells every connection that the server stops.
    pub fn stop(&self) {
        let mut open = self.lock();
        open.of_address.clear();
        for (_, permit) in open.permits.drain() {
            permit.end(End::Stopping);
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().permits.len()
    }

    /// How many were evicted since the start.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    fn next_event(&self) -> u64 {
        self.events.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The address whose share a connection takes from: of an IPv6 address its network of 64 bits, for
/// a host may have all addresses of it. This machine and trusted proxies have no limit.
fn limited(limits: &Limits, address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    let is_trusted = limits.trusted_proxies.iter().any(|network| network.contains(&address));
    if address.is_loopback() || is_trusted {
        return None;
    }
    match address {
        IpAddr::V4(_) => Some(address),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            Some(Ipv6Addr::from_bits(network).into())
        }
    }
}

impl Open {
    fn add(&mut self, number: u64, permit: Permit) {
        if let Some(address) = permit.address {
            *self.of_address.entry(address).or_default() += 1;
        }
        let before = self.permits.insert(number, permit);
        debug_assert!(before.is_none(), "every connection has a number of its own");
    }

    fn remove(&mut self, number: u64) -> Option<Permit> {
        let permit = self.permits.remove(&number)?;
        if let Some(address) = permit.address
            && let Some(count) = self.of_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
        Some(permit)
    }
}

impl Permit {
    fn end(self, reason: End) {
        // The receiver is gone where the connection has just ended by itself.
        let _ = self.end.send(reason);
    }
}

impl ConnectionGuard {
    /// A response was sent, and the next request is waited for.
    pub fn finished(&self) {
        self.activity.finished(self.all.next_event());
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.all.lock().remove(self.number);
    }
}

#[path = "connections/tests.rs"]
mod tests;
