//! `vomeet audit`: the record of every administrative change.

use crate::cli::client::{Client, Target};
use crate::cli::output::Output;
use crate::cli::table::{Column, plain_lines, table};
use crate::cli::{resolve, say};
use crate::exit::{Code, StartupError};
use clap::{Args, Subcommand};

/// What was there before would make the lines too long; JSON has it.
const COLUMNS: &[Column] = &[
    ("ENTRY", "/id"),
    ("AT", "/at"),
    ("WHO", "/actor"),
    ("FROM", "/address"),
    ("ACTION", "/action"),
    ("SUBJECT", "/subject"),
    ("ID", "/subject_id"),
    ("USER", "/user_id"),
    ("AFTER", "/after"),
];
const VERIFIED: &[Column] =
    &[("Intact", "/intact"), ("Entries", "/entries"), ("First", "/first_id"), ("Last", "/last_id"), ("Head", "/head")];
const FAULTS: &[Column] = &[("ENTRY", "/id"), ("FAULT", "/what")];

/// What is done with the record.
#[derive(Subcommand)]
pub enum AuditCommand {
    /// List entries, newest first
    List(List),
    /// Find entries that were changed, removed or reordered
    Verify,
    /// Print every entry as a line of JSON, oldest first
    Export,
}

/// Which entries.
#[derive(Args)]
pub struct List {
    /// Only what concerns this user
    #[arg(long)]
    user: Option<String>,
    /// Only this kind of change
    #[arg(long)]
    action: Option<String>,
    /// Only what this key or user of the machine did
    #[arg(long)]
    actor: Option<String>,
    /// Only from this time on, such as 2025-10-10T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Most entries
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Only entries with a greater id
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
    /// Only entries with a smaller id
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

/// Does it.
pub async fn run(client: &mut Client, output: Output, command: AuditCommand) -> Result<(), StartupError> {
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
    let target = Target::path(["admin", "audit"]).with("limit", Some(list.limit));
    let target = target.with("after", list.after).with("before", list.before).with("user_id", user);
    let target = target.with("action", list.action).with("actor", list.actor);
    let answer = client.get(target.with("from", list.from).with("to", list.to)).await?;
    let next = answer.json()?["next"].as_i64();
    output.list(&answer, COLUMNS, |_| next.map(|next| format!("--before {next}")))
}

async fn verify(client: &mut Client, output: Output) -> Result<(), StartupError> {
    let answer = client.get(Target::path(["admin", "audit", "verify"])).await?;
    output.one(&answer, VERIFIED)?;
    let verified = answer.json()?;
    if verified["intact"] == true {
        return Ok(());
    }
    let faults = resolve::rows(&verified["faults"]);
    if output == Output::Table {
        say(format_args!("\n{}", table(FAULTS, faults)));
    }
    Err(StartupError::new(
        Code::RecordBroken,
        "The record was changed; compare it with an export that was made before.",
    ))
}
