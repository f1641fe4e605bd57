//! `vomeet usage`: who used how much.

use crate::cli::client::{Client, Target};
use crate::cli::output::Output;
use crate::cli::table::{Column, plain_lines};
use crate::cli::{resolve, say};
use crate::exit::StartupError;
use clap::Args;

const COLUMNS: &[Column] = &[
    ("DAY", "/day"),
    ("USER", "/user_id"),
    ("TOKEN", "/token_id"),
    ("REQUESTS", "/requests"),
    ("BOTS", "/bots"),
    ("BOT MINUTES", "/bot_minutes"),
    ("TRANSCRIPT MINUTES", "/transcript_minutes"),
];

/// Which use.
#[derive(Args)]
pub struct Usage {
    /// Only that of this user
    #[arg(long)]
    user: Option<String>,
    /// Only that by this token
    #[arg(long, value_name = "ID")]
    token: Option<i64>,
    /// What it is summed by: day, user or token
    #[arg(long)]
    by: Option<String>,
    /// Only from this day on, such as 2025-10-01 [default: the last 30 days]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Only up to this day
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// As comma-separated values
    #[arg(long, conflicts_with = "output")]
    csv: bool,
}

/// Shows it.
pub async fn run(client: &mut Client, output: Output, usage: Usage) -> Result<(), StartupError> {
    let user = resolve::user_id(client, usage.user.as_deref()).await?;
    let target = Target::path(["admin", "usage"]).with("user_id", user).with("by", usage.by);
    let target = target.with("token_id", usage.token);
    let target = target.with("from", usage.from).with("to", usage.to).with("format", usage.csv.then_some("csv"));
    if usage.csv {
        return client.get_lines(target, |lines| say(plain_lines(&lines.replace("\r\n", "\n")))).await;
    }
    output.list(&client.get(target).await?, COLUMNS, |_| None)
}
