//! `vomeet meetings`: meetings and their bots.

use crate::cli::client::{Client, Target};
use crate::cli::output::Output;
use crate::cli::print::say;
use crate::cli::resolve::{self, rows};
use crate::cli::table::{Column, table};
use crate::exit::StartupError;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

const COLUMNS: &[Column] = &[
    ("MEETING", "/id"),
    ("USER", "/user_id"),
    ("E-MAIL", "/user_email"),
    ("PLATFORM", "/platform"),
    ("PLATFORM'S ID", "/native_meeting_id"),
    ("STATUS", "/status"),
    ("CREATED", "/created_at"),
    ("BEGAN", "/start_time"),
    ("ENDED", "/end_time"),
];
const FIELDS: &[Column] = &[
    ("Meeting", "/meeting/id"),
    ("User", "/meeting/user_id"),
    ("Platform", "/meeting/platform"),
    ("Platform's id", "/meeting/native_meeting_id"),
    ("Address", "/meeting/constructed_meeting_url"),
    ("Status", "/meeting/status"),
    ("Bot", "/meeting/bot_container_id"),
    ("Created", "/meeting/created_at"),
    ("Began", "/meeting/start_time"),
    ("Ended", "/meeting/end_time"),
    ("Reason", "/meeting/data/completion_reason"),
    ("Failed in", "/meeting/data/failure_stage"),
    ("Segments", "/transcription_stats/total_transcriptions"),
];

const EXPLAINED: &[Column] = &[
    ("Meeting", "/meeting_id"),
    ("Status", "/status"),
    ("What is wrong", "/sentence"),
    ("What to do", "/what_to_do"),
    ("Windows", "/windows"),
    ("Withheld", "/withheld"),
    ("Last error of an engine", "/engine_errors/0/error"),
    ("Segments", "/words/segments"),
    ("Names", "/names"),
    ("Webhook events", "/webhooks"),
    ("Webhook error", "/webhook_error"),
];
const HAPPENED: &[Column] = &[("AT", "/at"), ("WHAT", "/what"), ("BY", "/source")];

/// Commands for meetings.
#[derive(Subcommand)]
pub(super) enum MeetingsCommand {
    /// List meetings, newest first
    List(List),
    /// Show a meeting: status, times, reason of its end, number of segments
    Show(Which),
    /// Explain a meeting: what happened, why words are missing, what to do
    Explain(Which),
    /// Stop the bot of a meeting
    Stop(Which),
}

/// Selects one meeting.
#[derive(Args)]
pub(super) struct Which {
    /// Id, or platform and the platform's id such as google_meet/abc-defg-hij (the newest of them)
    meeting: String,
}

/// Filters of `list`.
#[derive(Args)]
pub(super) struct List {
    /// Only those of this user
    #[arg(long)]
    user: Option<String>,
    /// Only those on this platform
    #[arg(long)]
    platform: Option<String>,
    /// Most meetings
    #[arg(long, default_value_t = 100, allow_negative_numbers = true)]
    limit: usize,
    /// Skip this many of the newest
    #[arg(long, value_name = "COUNT", default_value_t = 0, allow_negative_numbers = true)]
    skip: usize,
}

/// Runs the command.
pub(super) async fn run(
    client: &mut Client,
    output: Output,
    command: MeetingsCommand,
) -> Result<(), StartupError> {
    match command {
        MeetingsCommand::List(list) => self::list(client, output, list).await,
        MeetingsCommand::Show(which) => {
            let id = resolve::meeting(client, &which.meeting).await?;
            let target = Target::path(["admin", "analytics", "meetings", &id, "telematics"]);
            let target = target.with("include_sessions", Some(true));
            let target = target.with("include_transcriptions", Some(true));
            let response = client.get(target).await?;
            output.one(&response, FIELDS)
        }
        MeetingsCommand::Explain(which) => {
            let id = resolve::meeting(client, &which.meeting).await?;
            explain(client, output, &id).await
        }
        MeetingsCommand::Stop(which) => {
            let id = resolve::meeting(client, &which.meeting).await?;
            let target = Target::path(["admin", "meetings", &id, "stop"]);
            let response = client.send(Method::POST, target, None).await?;
            output.done(&response, &format!("The bot of meeting {id} is stopping."))
        }
    }
}

/// Prints what is wrong, what to do, and what happened in order.
async fn explain(client: &mut Client, output: Output, id: &str) -> Result<(), StartupError> {
    let target = Target::path(["admin", "meetings", id, "explain"]);
    let response = client.get(target).await?;
    output.one(&response, EXPLAINED)?;
    if output == Output::Json {
        return Ok(());
    }
    let explained = response.json()?;
    say(format_args!("\n{}", table(HAPPENED, rows(&explained["events"]))))
}

async fn list(client: &mut Client, output: Output, list: List) -> Result<(), StartupError> {
    let List { user, platform, limit, skip } = list;
    let user = resolve::user_id(client, user.as_deref()).await?;
    let target = Target::path(["admin", "analytics", "meetings"])
        .with("user_id", user)
        .with("platform", platform)
        .with("limit", Some(limit))
        .with("skip", Some(skip));
    let response = client.get(target).await?;
    let more = |rows: &[Value]| match rows.len() < limit {
        true => None,
        false => Some(format!("--skip {}", skip + limit)),
    };
    output.list_of_users(client, &response, COLUMNS, more).await
}
