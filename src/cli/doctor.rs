//! `vomeet doctor`: everything that is wrong with a server or a database that rests, and what to do
//! about it.

use crate::api::general::VERSION;
use crate::api::health::Finding;
use crate::cli::client::{Client, Target};
use crate::cli::doctor_report::{Report, print};
use crate::cli::output::Output;
use crate::cli::reach::{self, Missing, shown};
use crate::cli::{FlagArgs, Place};
use crate::config::Settings;
use crate::exit::{Code, StartupError};
use crate::health::Severity;
use crate::store::older_version;
use clap::Args;
use serde::Deserialize;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// Longest wait for a check of all bytes, which takes as long as reading the file.
const CHECK_TIME_MAX: Duration = Duration::from_hours(24);
/// What others than the owner may not have of the database.
const OTHERS: u32 = 0o077;

/// What is said of bots that hear and have nobody to write.
pub(super) const NO_WORDS: &str = "Neither bots.whisper_live_url nor bots.transcription_url is \
    set, and no engine makes words here: the platform's bots wait for ever without words.";
/// What to do about it.
pub(super) const NO_WORDS_ADVICE: &str =
    "Set the one that your bots use, or an engine, if they do not transcribe by themselves.";

/// Arguments of `doctor`.
#[derive(Args)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    place: Place,
    /// Check all bytes of the file and the audit log too, which takes as long as reading the file
    #[arg(long)]
    deep: bool,
    /// Print JSON; the same as --output json
    #[arg(long)]
    json: bool,
}

/// What is read of the response to `GET /admin/health`.
#[derive(Deserialize)]
struct Health {
    version: String,
    findings: Vec<Finding>,
}

/// Looks at everything, and prints it; ends with [`Code::Finding`] where somebody should see to
/// something.
pub(super) fn run(args: DoctorArgs) -> Result<(), StartupError> {
    let DoctorArgs { place, deep, json } = args;
    let output = if json { Output::Json } else { place.output };
    let Place { config, database, socket, .. } = place;
    let flags = FlagArgs { config, listen: None, database, socket };
    let mut report = Report::default();
    // What a server would refuse to start with, a command may still do without.
    if let Err(error) = flags.clone().load_to_serve() {
        for line in error.message.lines() {
            report.add("settings_wrong", Severity::Dead, line, "Correct it and start again.");
        }
    }
    if let Ok(settings) = flags.load_to_look() {
        examine(settings, deep, &mut report)?;
    }
    print(&report, output)
}

fn examine(settings: Settings, deep: bool, report: &mut Report) -> Result<(), StartupError> {
    report.database = shown(&settings.config.database);
    if settings.config.has_bots_without_words() {
        report.add("bots_without_words", Severity::Note, NO_WORDS, NO_WORDS_ADVICE);
    }
    look_at_file(&settings.config.database, report);
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|error| {
        StartupError::new(Code::Unavailable, format!("Cannot start ({error}); try again."))
    })?;
    runtime.block_on(look_inside(settings, deep, report));
    Ok(())
}

/// What would keep a server from starting, and what is weak.
fn look_at_settings(settings: &Settings, report: &mut Report) {
    if let Err(error) = settings.check_admin_key() {
        report.add("admin_key_weak", Severity::Dead, &error.message, "Set a strong admin key.");
    } else if let Some(why) = settings.admin_key_weakness() {
        let message = format!("The admin key {why}: it is accepted from this machine alone.");
        let advice = "Set ADMIN_API_TOKEN before others can reach the server.";
        report.add("admin_key_weak", Severity::Note, &message, advice);
    }
}

/// Who else may read the database.
fn look_at_file(database: &Path, report: &mut Report) {
    let Ok(found) = std::fs::metadata(database) else { return };
    if found.permissions().mode() & OTHERS != 0 {
        let message = format!(
            "Others than its owner may open {} (mode {:o}).",
            shown(database),
            found.mode() & 0o777
        );
        let advice = "Take it away from them: `chmod 600`; look who has read it.";
        report.add("file_open_to_others", Severity::Warning, &message, advice);
    }
}

/// Asks the server or, where none runs, the database itself.
async fn look_inside(settings: Settings, deep: bool, report: &mut Report) {
    let database = settings.config.database.clone();
    report.is_served = UnixStream::connect(settings.config.socket_path()).await.is_ok();
    if !report.is_served {
        // A server that runs was given its key by its own environment, and says itself what it is.
        look_at_settings(&settings, report);
    }
    if !report.is_served
        && let Some((version, newest)) = older_version(&database)
    {
        let message = format!(
            "{} has file version {version}, and this program writes {newest}: it was not opened.",
            shown(&database)
        );
        let advice = "The next start upgrades it and keeps the old file; `vomeet upgrade --check` \
                      says how long that takes.";
        report.add("file_older", Severity::Note, &message, advice);
        return;
    }
    match reach::reach(settings, Missing::Refuse).await {
        Ok(mut client) => {
            report.is_served = !client.is_at_rest();
            match ask(&mut client, false).await {
                Ok(health) => client = take_all(health, client, deep, report).await,
                Err(error) => {
                    let advice = "Look at the log of the server; restart it if it hangs.";
                    report.add("no_answer", Severity::Dead, &error.message, advice);
                }
            }
            client.close();
        }
        Err(error) => report.add(word(error.code), Severity::Dead, &error.message, ADVICE),
    }
}

/// What to do where the message says it already.
const ADVICE: &str = "Do what the message says.";

/// The word for what keeps a command from the data.
fn word(code: Code) -> &'static str {
    match code {
        Code::NotRunning => "no_database",
        Code::NotPermitted => "not_permitted",
        Code::DatabaseHeld => "server_unreachable",
        Code::DatabaseForeign => "database_foreign",
        Code::DatabaseUnusable => "database_unusable",
        _ => "unreachable",
    }
}

async fn ask(client: &mut Client, deep: bool) -> Result<Health, StartupError> {
    let target = Target::path(["admin", "health"]).with("check_file", deep.then_some(true));
    let response = client.get(target).await?;
    serde_json::from_str(&response.body).map_err(|error| {
        StartupError::new(Code::Unavailable, format!("The response is not understood ({error})."))
    })
}

/// Takes the findings and, where all bytes are to be checked, those of that check in their place.
async fn take_all(health: Health, client: Client, deep: bool, report: &mut Report) -> Client {
    if !deep {
        take(health, report);
        return client;
    }
    let mut client = client.waiting_at_most(CHECK_TIME_MAX);
    match ask(&mut client, true).await {
        Ok(health) => take(health, report),
        Err(error) => {
            take(health, report);
            let advice = "The bytes of the file were not checked; try --deep again later.";
            report.add("check_not_done", Severity::Warning, &error.message, advice);
        }
    }
    client
}

fn take(health: Health, report: &mut Report) {
    if report.is_served && health.version != VERSION {
        let message = format!(
            "The server that runs has version {}, and this program {VERSION}.",
            health.version
        );
        let advice = "Restart the server to run the version that is installed.";
        report.add("version_differs", Severity::Warning, &message, advice);
    }
    report.findings.extend(health.findings);
}
