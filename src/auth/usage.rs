//! When tokens were last used: noted in memory, written in batches, never by a request.

use super::Caller;
use crate::domain::{Time, Token, TokenId};
use crate::error::Result;
use crate::store::{Store, TouchTokens};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Tokens in one write.
const TOKENS_PER_WRITE: usize = 1000;

/// Uses that are not in the file yet.
#[derive(Default)]
pub struct Usage(Mutex<HashMap<TokenId, Time>>);

impl Usage {
    /// Notes a use; the first in each second takes a lock, the others only look.
    pub fn note(&self, caller: &Caller, now: Time) {
        let second = now.as_millis() / 1000;
        if caller.noted.load(Ordering::Relaxed) != second {
            caller.noted.store(second, Ordering::Relaxed);
            self.lock().insert(caller.token.id, Time::from_millis(second * 1000));
        }
    }

    /// Puts uses that are not in the file yet into what was read from it.
    pub fn freshen(&self, tokens: &mut [Token]) {
        let noted = self.lock();
        for token in tokens {
            token.last_used_at = noted.get(&token.id).copied().max(token.last_used_at);
        }
    }

    /// Writes what was noted. It is forgotten only after its commit, and only if no later use was noted meanwhile.
    pub async fn write(&self, store: &Store) -> Result<()> {
        let used: Vec<_> = self.lock().iter().map(|(&id, &at)| (id, at)).collect();
        for chunk in used.chunks(TOKENS_PER_WRITE) {
            store.write(TouchTokens { used: chunk.to_vec() }).await?;
            let mut noted = self.lock();
            for (id, at) in chunk {
                if noted.get(id) == Some(at) {
                    noted.remove(id);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenId, Time>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
