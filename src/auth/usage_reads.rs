//! Reads of usage: what the database has, and what is counted in memory.

use crate::auth::authenticator::Auth;
use crate::error::Result;
use crate::store::{Store, UsageFilter, UsagePage};

impl Auth {
    /// A page of usage up to this request. Nothing is written: what is in memory is added to what
    /// the database has.
    pub async fn usage_page(&self, store: &Store, filter: UsageFilter) -> Result<UsagePage> {
        // While it is held, nothing goes from memory into the database.
        let _turn = self.usage().turn().await;
        store.usage(filter, self.usage().gathered()).await
    }
}
