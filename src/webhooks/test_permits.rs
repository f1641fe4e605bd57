//! How many webhooks may be tested at once.

use crate::domain::UserId;
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most tests of webhooks at once; a user has one at a time.
const TESTS_MAX: usize = 16;

/// The users whose webhooks are being tested.
#[derive(Default)]
pub(super) struct TestPermits(Mutex<HashSet<UserId>>);

/// The permit of one user; it is given back when this is dropped.
pub(super) struct TestPermit {
    user: UserId,
    all: Arc<TestPermits>,
}

impl TestPermits {
    /// A permit for a user, or [`Error::Busy`] while another test of theirs runs, or too many of
    /// others.
    pub(super) fn take(self: &Arc<Self>, user: UserId) -> Result<TestPermit> {
        let mut users = self.lock();
        if users.len() >= TESTS_MAX || !users.insert(user) {
            return Err(Error::Busy);
        }
        Ok(TestPermit { user, all: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<UserId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TestPermit {
    fn drop(&mut self) {
        self.all.lock().remove(&self.user);
    }
}
