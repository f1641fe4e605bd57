//! `vomeet audit`: the audit log.

use crate::cli::client::{Client, Target};
use crate::cli::output::Output;
use crate::cli::print::say;
use crate::cli::resolve;
use crate::cli::table::{Column, plain_lines, table};
use crate::exit::{Code, StartupError};
use clap::{Args, Subcommand};
use serde_json::Value;

/// The state before a change would make the lines too long; `--output json` has it.
const COLUMNS: &[Column] = &[
    ("ENTRY", "/id"),
    ("AT", "/at"),
    ("WHO", "/actor"),
    ("FROM", "/address"),
    ("ACTION", "/action"),
    ("SUBJECT", "/subject"),
    ("ID", "/subject_id"),
    ("USER", "/user_id"),
    ("E-MAIL", "/user_email"),
    ("AFTER", "/after"),
];
const VERIFIED: &[Column] = &[
    ("Intact", "/intact"),
    ("Entries", "/entries"),
    ("First", "/first_id"),
    ("Last", "/last_id"),
    ("Head", "/head"),
];
const FAULTS: &[Column] = &[("ENTRY", "/id"), ("FAULT", "/what")];

/// Commands for the audit log.
#[derive(Subcommand)]
pub(super) enum AuditCommand {
    /// List entries, newest first
    List(List),
    /// Find entries that were changed, deleted or reordered
    Verify,
    /// Print every entry as a line of JSON, oldest first
    Export,
}

/// Filters of `list`.
#[derive(Args)]
pub(super) struct List {
    /// Only changes of this user
    #[arg(long)]
    user: Option<String>,
    /// Only this action, such as token.create
    #[arg(long)]
    action: Option<String>,
    /// Only changes by this actor: an admin key, or a user of the machine such as local:root
    #[arg(long)]
    actor: Option<String>,
    /// Only entries from this time on, such as 2025-10-10T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Most entries
    #[arg(long, default_value_t = 100, allow_negative_numbers = true)]
    limit: usize,
    /// Only entries with a greater id
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    after: Option<i64>,
    /// Only entries with a smaller id
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    before: Option<i64>,
}

/// Runs the command.
pub(super) async fn run(
    client: &mut Client,
    output: Output,
    command: AuditCommand,
) -> Result<(), StartupError> {
    match command {
        AuditCommand::List(list) => self::list(client, output, list).await,
        AuditCommand::Verify => verify(client, output).await,
        AuditCommand::Export => {
            let target = Target::path(["admin", "audit", "export"]);
            client.get_lines(target, |lines| say(plain_lines(lines))).await
        }
    }
}

async fn list(client: &mut Client, output: Output, list: List) -> Result<(), StartupError> {
    let user = resolve::user_id(client, list.user.as_deref()).await?;
    let target = Target::path(["admin", "audit"])
        .with("limit", Some(list.limit))
        .with("after", list.after)
        .with("before", list.before)
        .with("user_id", user)
        .with("action", list.action)
        .with("actor", list.actor)
        .with("from", list.from)
        .with("to", list.to);
    let response = client.get(target).await?;
    let body = response.json()?;
    let next = body["next"].as_i64();
    let more = |_: &[Value]| next.map(|next| format!("--before {next}"));
    output.list_of_users(client, &response, COLUMNS, more).await
}

async fn verify(client: &mut Client, output: Output) -> Result<(), StartupError> {
    let response = client.get(Target::path(["admin", "audit", "verify"])).await?;
    output.one(&response, VERIFIED)?;
    let verified = response.json()?;
    if verified["intact"] == true {
        return Ok(());
    }
    if output == Output::Table {
        let faults = resolve::rows(&verified["faults"]);
        say(format_args!("\n{}", table(FAULTS, faults)))?;
    }
    Err(StartupError::new(
        Code::AuditLogChanged,
        "The audit log was changed; compare it with an export that was made before.",
    ))
}
