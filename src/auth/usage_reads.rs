//! Every read of usage for callers. Usage is counted in memory first
//! ([`PendingUsage`]); these functions apply what is pending, so that no handler can forget to.
//!
//! [`PendingUsage`]: crate::auth::pending_usage::PendingUsage

use crate::auth::authenticator::Auth;
use crate::domain::export::{ExportedToken, ExportedUsage};
use crate::domain::{Day, TokenId, UserId};
use crate::error::{Error, Result};
use crate::store::{Page, Store, UsageFilter, UsagePage};

impl Auth {
    /// A page of usage up to this request. Nothing is written: what is in memory is added to what
    /// the database has.
    pub async fn usage_page(&self, store: &Store, filter: UsageFilter) -> Result<UsagePage> {
        // While it is held, nothing goes from memory into the database.
        let _turn = self.usage().turn().await;
        store.usage(filter, self.usage().gathered()).await
    }

    /// The same of days that ended long ago: nothing of them is in memory any more, so the counters
    /// need not stand still for it.
    pub async fn past_usage_page(&self, store: &Store, filter: UsageFilter) -> Result<UsagePage> {
        store.usage(filter, Vec::new()).await
    }

    /// A page of a user's usage for an export, up to this moment; a long read.
    pub async fn export_usage(
        &self,
        id: UserId,
        after: (Day, TokenId),
        store: &Store,
    ) -> Result<Page<ExportedUsage>> {
        self.write_counts(store).await?;
        store.export_usage(id, after).await
    }

    /// A page of a user's tokens for an export, with their last uses; a long read.
    pub async fn export_tokens(
        &self,
        id: UserId,
        after: TokenId,
        store: &Store,
    ) -> Result<Page<ExportedToken>> {
        let mut page = store.export_tokens(id, after).await?;
        for token in &mut page.rows {
            let (used_at, address) = (&mut token.last_used_at, &mut token.last_address);
            self.usage().apply_last_use(token.id, token.created_at, used_at, address);
        }
        Ok(page)
    }

    /// Writes what is counted; where that cannot be stored now, a reader gets what was stored
    /// before.
    async fn write_counts(&self, store: &Store) -> Result<()> {
        match self.usage().write_counts(store).await {
            Ok(()) | Err(Error::Busy | Error::DiskFull) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
