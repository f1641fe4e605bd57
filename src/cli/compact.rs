//! `vomeet compact`: free pages of the database are given back to the disk.

use crate::cli::Place;
use crate::cli::client::Target;
use crate::cli::print::note;
use crate::cli::progress;
use crate::cli::reach::{Missing, reach, runtime};
use crate::cli::table::Column;
use crate::exit::StartupError;
use clap::Args;
use hyper::Method;
use serde_json::json;
use std::time::Duration;

/// Longest wait for a compaction.
const COMPACT_TIME_MAX: Duration = Duration::from_hours(24);

const DONE: &[Column] = &[
    ("Bytes before", "/bytes_before"),
    ("Bytes after", "/bytes_after"),
    ("Free before", "/free_bytes_before"),
    ("Seconds", "/seconds"),
];

/// Arguments of `compact`.
#[derive(Args)]
pub(super) struct CompactArgs {
    #[command(flatten)]
    place: Place,
    /// Compact also while meetings are open: what their bots send waits until it is done
    #[arg(long)]
    now: bool,
}

/// Asks the server that has the database open, or compacts it here, where nobody waits.
pub(super) fn run(args: CompactArgs) -> Result<(), StartupError> {
    let CompactArgs { place, now } = args;
    let output = place.output;
    let settings = place.load()?;
    runtime()?.block_on(async {
        let client = reach(settings, Missing::Refuse).await?;
        let body = json!({ "now": now || client.is_at_rest() });
        let mut client = client.waiting_at_most(COMPACT_TIME_MAX);
        let path = Target::path(["admin", "compact"]);
        let done = progress::shown(client.send(Method::POST, path, Some(body))).await;
        client.close();
        let response = done?;
        note("The database is compacted.");
        output.one(&response, DONE)
    })
}
