//! Compaction: free pages of the database are given back to the disk.

use crate::app::App;
use crate::auth::Admin;
use crate::error::{Error, Result};
use crate::http::Json;
use crate::http::request::input::input;
use crate::store::Compacted;
use std::sync::Arc;

input! {
    /// Body of `POST /admin/compact`; no body is needed.
    pub(crate) struct CompactInput, body Optional {
        /// Whether to compact also while meetings are open, whose bots then wait.
        optional now: Option<bool>,
    }
}

/// Gives the free pages of the database back to the disk, and waits for it: every write waits as
/// well. Only by the admin socket; over the network there is no such route.
pub(crate) async fn compact_database(
    app: Arc<App>,
    admin: Admin,
    input: CompactInput,
) -> Result<Json<Compacted>> {
    let Some(name) = admin.socket_name() else {
        return Err(Error::PageNotFound);
    };
    let name = name.to_owned();
    let compacted = app.store.compact(input.now.unwrap_or(false)).await?;
    log::info!(
        "{name} has compacted the database: {} bytes instead of {}, in {} s",
        compacted.bytes_after,
        compacted.bytes_before,
        compacted.seconds
    );
    Ok(Json(compacted))
}
