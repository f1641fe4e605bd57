//! `vomeet restore`: puts a backup in the place of the database, and keeps what is there.

use crate::auth::actor;
use crate::cli::Place;
use crate::cli::confirm::Consent;
use crate::cli::identity;
use crate::cli::output::Output;
use crate::cli::print::{note, say};
use crate::cli::reach::{runtime, shown};
use crate::cli::stopping::Stopping;
use crate::cli::table::{Column, card};
use crate::clock::Clock;
use crate::exit::{Code, StartupError};
use crate::http::peer::user_name;
use crate::store::{Plan, Restore, Wanted};
use clap::Args;
use rustix::fs::Mode;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::thread::Builder;
use tokio::sync::oneshot;

const DONE: &[Column] = &[
    ("Database", "/database"),
    ("Backup", "/backup"),
    ("As of", "/as_of"),
    ("Old file", "/kept"),
    ("Audit entry", "/audit_entry"),
];

/// Ids of a kind that are listed; more are in the audit log.
const LISTED_MAX: usize = 10;

/// What is applied again, in words.
const APPLIED: [(&str, &str); 15] = [
    ("users_erased", "users erased"),
    ("meetings_erased", "meetings erased"),
    ("transcripts_erased", "transcripts erased"),
    ("users_disabled", "users disabled"),
    ("users_limited", "users with fewer bots"),
    ("plans_changed", "planned bots that were moved, cancelled or sent"),
    ("webhooks_changed", "users with another webhook"),
    ("webhooks_deleted", "further webhooks deleted"),
    ("webhooks_updated", "further webhooks changed"),
    ("tokens_revoked", "tokens revoked or rotated"),
    ("shares_revoked", "share links revoked"),
    ("tokens_restricted", "tokens disabled, ended sooner or limited"),
    ("admin_keys_revoked", "admin keys revoked"),
    ("admin_keys_rotated", "admin keys rotated or ended"),
    ("events_settled", "webhook events delivered or given up"),
];

/// Arguments of the command.
#[derive(Args)]
pub(super) struct RestoreArgs {
    #[command(flatten)]
    pub place: Place,
    /// The backup
    backup: PathBuf,
    /// The file of the private key of an encrypted backup (mode 0600)
    #[arg(long, value_name = "KEY")]
    identity: Option<PathBuf>,
    /// Read this file too for what is newer than the backup, beside the database; may be repeated,
    /// and the newest file has the last word
    #[arg(long, value_name = "FILE")]
    since: Vec<PathBuf>,
    /// Restore where what is newer cannot be known, because no file tells of it: whoever lost access
    /// after the backup has it again
    #[arg(long)]
    without_old_file: bool,
    #[command(flatten)]
    consent: Consent,
}

/// Runs the command.
pub(super) fn run(args: RestoreArgs) -> Result<(), StartupError> {
    let RestoreArgs { place, backup, identity, since, without_old_file, consent } = args;
    let identity = identity::read(identity.as_deref())?;
    let output = place.output;
    let settings = place.load()?;
    rustix::process::umask(Mode::from_bits_truncate(0o077));
    let user = user_name(rustix::process::getuid().as_raw());
    let actor = actor(format!("local:{user}"), None, Clock::system().now());
    let actor = actor.map_err(|error| failed(&error))?;
    let database = settings.config.database;
    let question = format!("Put {} in the place of {}?", shown(&backup), shown(&database));
    runtime()?.block_on(async {
        let mut stopping = Stopping::new()?;
        let stop = stopping.stop();
        let wanted = Wanted { database, backup, identity, since, without_old_file, actor, stop };
        let begun = stopping.blocking(move || Restore::begin(wanted)).await?;
        // Before the work that it takes to know more.
        consent.require_answer(&question)?;
        let as_of = begun.as_of();
        let prepared = stopping.blocking(move || begun.prepare()).await?;
        stopping.work(prepared.scrub()).await?;
        note(&format!("The backup is good, and as of {}.", age(as_of)));
        for line in lines(&prepared.plan) {
            note(&line);
        }
        ask(consent, question, &mut stopping).await?;
        let plan = stopping.blocking(move || prepared.finish()).await?;
        note("The backup is restored. Start the server, and look at `vomeet audit list`.");
        print(output, &plan)
    })
}

/// Asks, unless `--yes` was given, until there is an answer or a signal.
async fn ask(
    consent: Consent,
    question: String,
    stopping: &mut Stopping,
) -> Result<(), StartupError> {
    // Nobody waits for this thread: a terminal that is read cannot be left.
    let (told, answer) = oneshot::channel();
    let thread = Builder::new().spawn(move || {
        let _ = told.send(consent.ask(&question));
    });
    thread.map_err(|error| failed(&error))?;
    tokio::select! {
        answer = answer => answer.map_err(|error| failed(&error))?,
        () = stopping.stopped() => {
            let message = "The restore was stopped; nothing was changed.";
            Err(StartupError::new(Code::Unavailable, message))
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> StartupError {
    StartupError::new(Code::Unavailable, format!("The restore has failed ({error})."))
}

/// The time, and how long ago that is.
fn age(at: crate::domain::Time) -> String {
    let seconds = (Clock::system().now().as_millis() - at.as_millis()).max(0) / 1000;
    let ago = match seconds {
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!("{at}, {ago} ago")
}

/// What the restore does, a line for each part of it.
fn lines(plan: &Plan) -> Vec<String> {
    let Plan { users, tokens, meetings, .. } = plan;
    let mut lines = vec![format!(
        "It has {}, {} and {}.",
        counted(*users, "users"),
        counted(*tokens, "tokens"),
        counted(*meetings, "meetings")
    )];
    for file in &plan.since {
        lines.push(format!("Read for what is newer: {}", shown(file)));
    }
    lines.extend(plan.not_read.iter().map(|why| format!("Not read: {why}")));
    if plan.since.is_empty() {
        lines.push(
            "Nothing was read for what is newer: tokens that were revoked and people who were \
             disabled or erased after the backup are there again, and ids may be given again."
                .to_owned(),
        );
    }
    let lost: Vec<String> = plan
        .lost
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(what, count)| counted(*count, what))
        .collect();
    if !lost.is_empty() {
        lines.push(format!("Newer than the backup, and lost: {}", lost.join(", ")));
    }
    for meeting in &plan.open_meetings_lost {
        let container = meeting.bot_container_id.as_deref().unwrap_or("not known");
        lines.push(format!(
            "Lost while it was open: meeting {}; stop its bot by hand (container {container})",
            meeting.id
        ));
    }
    for (name, said) in APPLIED {
        let ids = plan.applied.get(name).map_or(&[][..], Vec::as_slice);
        lines.extend(listed("Applied again", said, ids));
    }
    lines.extend(listed("Ended", "meetings left open", &plan.meetings_failed));
    lines.extend(listed(
        "Given up",
        "webhook events that may have been sent",
        &plan.events_given_up,
    ));
    if let Some(fault) = &plan.audit_log_fault {
        lines.push(format!(
            "The audit log of the file that was read was changed ({fault}), so that of the backup \
             goes on."
        ));
    }
    lines
}

/// One kind of change with its ids; none where there are none.
fn listed(verb: &str, what: &str, ids: &[i64]) -> Option<String> {
    if ids.is_empty() {
        return None;
    }
    let shown: Vec<String> = ids.iter().take(LISTED_MAX).map(i64::to_string).collect();
    let more = if ids.len() > LISTED_MAX { ", …" } else { "" };
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    Some(format!("{verb}: {} ({}{more})", counted(count, what), shown.join(", ")))
}

/// So many of these; of one, the first word with an `s` at its end is without it.
fn counted(count: i64, what: &str) -> String {
    let mut words: Vec<&str> = what.split(' ').collect();
    if count == 1
        && let Some(noun) = words.iter_mut().find(|word| word.ends_with('s'))
    {
        *noun = noun.trim_end_matches('s');
    }
    format!("{count} {}", words.join(" "))
}

fn print(output: Output, plan: &Plan) -> Result<(), StartupError> {
    let mut body = json!(plan);
    for member in ["database", "backup", "kept"] {
        if let Some(path) = body[member].as_str() {
            body[member] = Value::from(shown(path.as_ref()));
        }
    }
    match output {
        Output::Json => say(format_args!("{body}\n")),
        Output::Table => say(card(DONE, &body)),
    }
}
