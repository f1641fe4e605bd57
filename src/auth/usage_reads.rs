//! Every read of usage for callers. Usage is counted in memory first
//! ([`PendingUsage`]); these functions bring it into the database before they read, and apply what
//! is still pending, so that no handler can forget to.
//!
//! [`PendingUsage`]: crate::auth::pending_usage::PendingUsage

use crate::auth::authenticator::Auth;
use crate::domain::export::{ExportedToken, ExportedUsage};
use crate::domain::{Day, TokenId, UserId};
use crate::error::{Error, Result};
use crate::store::{Page, Store, UsageFilter, UsagePage};

impl Auth {
    /// A page of usage, up to this moment; a long read.
    pub async fn usage_lines(&self, filter: UsageFilter, store: &Store) -> Result<UsagePage> {
        self.write_counts(store).await?;
        store.usage(filter).await
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
