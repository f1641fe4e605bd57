//! `vomeet usage`: usage by day, user or token.

use crate::cli::client::{Client, Target};
use crate::cli::output::Output;
use crate::cli::print::say;
use crate::cli::resolve;
use crate::cli::table::{Column, plain_lines};
use crate::exit::StartupError;
use clap::Args;

const COLUMNS: &[Column] = &[
    ("DAY", "/day"),
    ("USER", "/user_id"),
    ("E-MAIL", "/user_email"),
    ("TOKEN", "/token_id"),
    ("REQUESTS", "/requests"),
    ("BOTS", "/bots"),
    ("BOT MINUTES", "/bot_minutes"),
    ("TRANSCRIPT MINUTES", "/transcript_minutes"),
    ("SOUND MINUTES", "/sound_minutes"),
];

/// Filters of `usage`.
#[derive(Args)]
pub(super) struct Usage {
    /// Only the usage of this user
    #[arg(long)]
    user: Option<String>,
    /// Only the usage with this token
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    token: Option<i64>,
    /// Group by day, user or token
    #[arg(long)]
    by: Option<String>,
    /// Only from this day on, such as 2025-10-01 [default: the last 30 days]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Only up to this day
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Print comma-separated values (CSV)
    #[arg(long, conflicts_with = "output")]
    csv: bool,
}

/// Runs the command.
pub(super) async fn run(
    client: &mut Client,
    output: Output,
    usage: Usage,
) -> Result<(), StartupError> {
    let user = resolve::user_id(client, usage.user.as_deref()).await?;
    let target = Target::path(["admin", "usage"])
        .with("user_id", user)
        .with("by", usage.by)
        .with("token_id", usage.token)
        .with("from", usage.from)
        .with("to", usage.to);
    if usage.csv {
        let target = target.with("format", Some("csv"));
        let print = |lines: &str| {
            let lines = lines.replace("\r\n", "\n");
            say(plain_lines(&lines))
        };
        return client.get_lines(target, print).await;
    }
    let response = client.get(target).await?;
    output.list_of_users(client, &response, COLUMNS, |_| None).await
}
