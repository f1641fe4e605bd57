//! `vomeet meetings`: what bots do.

use crate::cli::client::{Client, Target};
use crate::cli::output::Output;
use crate::cli::resolve;
use crate::cli::table::Column;
use crate::exit::StartupError;
use clap::{Args, Subcommand};
use hyper::Method;

const COLUMNS: &[Column] = &[
    ("MEETING", "/id"),
    ("USER", "/user_id"),
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

/// What is done with meetings.
#[derive(Subcommand)]
pub enum MeetingsCommand {
    /// List meetings, newest first
    List(List),
    /// Show how a meeting went
    Show(Which),
    /// Tell the bot of a meeting to leave
    Stop(Which),
}

/// A meeting.
#[derive(Args)]
pub struct Which {
    /// Id, or platform and the platform's id such as google_meet/abc-defg-hij, of which the newest is meant
    meeting: String,
}

/// Which meetings.
#[derive(Args)]
pub struct List {
    /// Only those of this user
    #[arg(long)]
    user: Option<String>,
    /// Only those on this platform
    #[arg(long)]
    platform: Option<String>,
    /// Most meetings
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// How many of the newest to leave out
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    skip: usize,
}

/// Does it.
pub async fn run(client: &mut Client, output: Output, command: MeetingsCommand) -> Result<(), StartupError> {
    match command {
        MeetingsCommand::List(list) => self::list(client, output, list).await,
        MeetingsCommand::Show(which) => {
            let id = resolve::meeting(client, &which.meeting).await?;
            let target = Target::path(["admin", "analytics", "meetings", &id, "telematics"]);
            let target = target.with("include_sessions", Some(true)).with("include_transcriptions", Some(true));
            output.one(&client.get(target).await?, FIELDS)
        }
        MeetingsCommand::Stop(which) => {
            let id = resolve::meeting(client, &which.meeting).await?;
            let answer = client.send(Method::POST, Target::path(["admin", "meetings", &id, "stop"]), None).await?;
            output.done(&answer, &format!("The bot of meeting {id} is told to leave."));
            Ok(())
        }
    }
}

async fn list(client: &mut Client, output: Output, list: List) -> Result<(), StartupError> {
    let List { user, platform, limit, skip } = list;
    let user = resolve::user_id(client, user.as_deref()).await?;
    let target = Target::path(["admin", "analytics", "meetings"]).with("user_id", user).with("platform", platform);
    let answer = client.get(target.with("limit", Some(limit)).with("skip", Some(skip))).await?;
    output.list(&answer, COLUMNS, |rows| (rows.len() >= limit).then(|| format!("--skip {}", skip + limit)))
}
