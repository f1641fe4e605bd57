//! `vomeet backup drill`: a copy of a backup is served by a process of its own, and what it says is
//! held against the backup. The copy starts no bots, sends no webhooks and deletes nothing.

use crate::backups::list;
use crate::cli::client::{Client, Response, Target};
use crate::cli::identity;
use crate::cli::output::Output;
use crate::cli::print::{note, say};
use crate::cli::progress;
use crate::cli::reach::{RETRY_PAUSE, find_server, runtime, shown};
use crate::cli::scratch::{self, DRILL, Scratch, random};
use crate::cli::serve;
use crate::cli::stopping::Stopping;
use crate::cli::table::{Column, table};
use crate::cli::{FlagArgs, Place};
use crate::config::Settings;
use crate::encryption::Identity;
use crate::exit::{Code, StartupError};
use crate::store::{
    BackupReport, Stop, check, create_new, decrypt_to, is_encrypted, upgrade_scratch, verify,
};
use clap::Args;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::{Path, PathBuf, absolute};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// Longest wait until the copy is served: it may have to be upgraded first.
const START_TIME_MAX: Duration = Duration::from_hours(1);
/// Longest wait until its server has stopped.
const STOP_TIME_MAX: Duration = Duration::from_mins(1);
/// The log of the server of the copy.
const LOG: &str = "log";

const COMPARED: &[Column] =
    &[("COMPARED", "/what"), ("BACKUP", "/backup"), ("SERVED", "/served"), ("SAME", "/same")];

/// Arguments of `backup drill`.
#[derive(Args)]
pub(super) struct DrillArgs {
    /// The backup [default: the newest good one in the configured folder]
    file: Option<PathBuf>,
    /// The file of the private key of an encrypted backup (mode 0600)
    #[arg(long, value_name = "KEY")]
    identity: Option<PathBuf>,
    /// Where the scratch copy is made; it takes as much room as the backup, and up to three times as
    /// much where that is of an older version [default: the system's temporary folder]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// Serves the database for a drill, until standard input ends.
pub(super) fn serve_scratch(place: Place) -> Result<(), StartupError> {
    let Place { config, database, socket, .. } = place;
    let listen = Some("127.0.0.1:0".to_owned());
    serve::run_at_rest(FlagArgs { config, listen, database, socket }.load_to_serve()?)
}

/// Runs the drill. Whatever happens, the copy is removed.
pub(super) fn run(place: Place, output: Output, args: &DrillArgs) -> Result<(), StartupError> {
    let identity = identity::read(args.identity.as_deref())?;
    let settings = place.load()?;
    let runtime = runtime()?;
    let file = match &args.file {
        Some(file) => file.clone(),
        None => newest(&runtime.block_on(folder(&settings))?)?,
    };
    let compared = runtime.block_on(async {
        let mut stopping = Stopping::new()?;
        let drill = drill(&file, identity, args.scratch.clone(), stopping.stop());
        tokio::select! {
            done = progress::shown(drill) => done,
            () = stopping.stopped() => Err(failed("it was interrupted")),
        }
    })?;
    let passed = compared.iter().all(|row| row["same"] == true);
    match output {
        Output::Json => {
            let body = json!({ "file": shown(&file), "passed": passed, "compared": compared });
            say(format_args!("{body}\n"))?;
        }
        Output::Table => say(table(COMPARED, &compared))?,
    }
    if !passed {
        let message =
            format!("What was served is not what {} holds; use another backup.", shown(&file));
        return Err(StartupError::new(Code::DrillFailed, message));
    }
    note(&format!("The drill has passed: {} can be restored.", shown(&file)));
    Ok(())
}

/// The folder of the running server, which may have other settings; that of the settings here where
/// none runs.
async fn folder(settings: &Settings) -> Result<PathBuf, StartupError> {
    let folder = match find_server(settings).await? {
        Some(mut client) => {
            let listed = client.get_json(Target::path(["admin", "backups"])).await;
            client.close();
            listed?["folder"].as_str().map(PathBuf::from)
        }
        None => settings.config.backup.folder.clone(),
    };
    folder.ok_or_else(|| {
        let message = "Name the backup, or set folder in section [backup] of vomeet.toml.";
        StartupError::new(Code::NotFound, message)
    })
}

/// The newest good backup in a folder.
fn newest(folder: &Path) -> Result<PathBuf, StartupError> {
    let listed = list(folder).map_err(|error| failed(&error.to_string()))?;
    let good = listed.into_iter().find(|backup| backup.verified);
    let Some(good) = good else {
        let message = format!("There is no good backup in {}.", shown(folder));
        return Err(StartupError::new(Code::NotFound, message));
    };
    let path = folder.join(good.file);
    Ok(absolute(&path).unwrap_or(path))
}

/// Verifies the backup, serves a copy of it, and compares.
async fn drill(
    file: &Path,
    identity: Option<Identity>,
    scratch: Option<PathBuf>,
    stop: Stop,
) -> Result<Vec<Value>, StartupError> {
    let folder = scratch.unwrap_or_else(std::env::temp_dir);
    scratch::sweep(&folder);
    let path = Scratch::new_path(&folder, DRILL)
        .map_err(|why| failed(&format!("{why}; choose another with --scratch")))?;
    let (scratch, report) = if is_encrypted(file) {
        let scratch = Scratch::make(path).map_err(|why| failed(&why))?;
        decrypt(file.to_owned(), identity, scratch.database(), stop.clone()).await?;
        let report = verified(scratch.database(), stop.clone()).await;
        let report = report.map_err(|error| error.naming(&scratch.database(), file))?;
        (scratch, report)
    } else {
        let report = verified(file.to_owned(), stop.clone()).await?;
        let scratch = Scratch::make(path).map_err(|why| failed(&why))?;
        let (from, to) = (file.to_owned(), scratch.database());
        let copied = blocking(move || Ok(fs::copy(from, to))).await?;
        copied.map_err(|error| failed(&format!("{} cannot be copied ({error})", shown(file))))?;
        (scratch, report)
    };
    // Here: its server would keep the file of before.
    let copy = scratch.database();
    blocking(move || upgrade_scratch(&copy)).await?;
    let mut server = ScratchServer::start(&scratch)?;
    let mut client = server.client(&scratch).await?;
    let mut compared = Vec::new();
    let asked = ask(&mut client, &report, &mut compared).await;
    client.close();
    server.stop().await?;
    asked?;
    // What the server has made of it; an older file was upgraded.
    let after = verified(scratch.database(), stop).await?;
    compare_rows(&report, &after, &mut compared);
    Ok(compared)
}

async fn verified(file: PathBuf, stop: Stop) -> Result<BackupReport, StartupError> {
    blocking(move || verify(&file, &stop)).await
}

/// Decrypts a backup to this path. Without its private key no more is known than whether it is as it
/// was written.
async fn decrypt(
    file: PathBuf,
    identity: Option<Identity>,
    to: PathBuf,
    stop: Stop,
) -> Result<(), StartupError> {
    blocking(move || {
        let Some(identity) = identity else {
            check(&file, &stop)?;
            return Err(failed(&format!(
                "{} is encrypted; it has the length and the SHA-256 that it had when it was written, \
                 and no more can be told without the file of its private key; name that with \
                 --identity",
                shown(&file)
            )));
        };
        let new = create_new(&to)
            .map_err(|error| failed(&format!("{} cannot be made ({error})", shown(&to))))?;
        decrypt_to(&file, &identity, &new, &stop)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartupError> + Send + 'static,
) -> Result<T, StartupError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| failed(&error.to_string()))?
}

/// Asks the server of the copy for what the report says too, and for some rows.
async fn ask(
    client: &mut Client,
    report: &BackupReport,
    compared: &mut Vec<Value>,
) -> Result<(), StartupError> {
    let health = client.get_json(Target::path(["healthz"])).await?;
    compare("tokens by /healthz", report.rows("tokens"), &health["server"]["tokens"], compared);
    let audit = client.get_json(Target::path(["admin", "audit", "verify"])).await?;
    compare("audit log is intact", true, &audit["intact"], compared);
    compare("audit entries", report.audit_entries, &audit["entries"], compared);
    if report.audit_entries > 0 {
        compare("audit head", report.audit_head.as_str(), &audit["head"], compared);
    }
    let users = Target::path(["admin", "users"]).with("limit", Some(1));
    let users: Response = client.get(users).await?;
    let users = users.json()?;
    if let Some(id) = users[0]["id"].as_i64() {
        let path = Target::path(["admin", "users", &id.to_string()]);
        let user = client.get_json(path).await?;
        compare("the first user", id, &user["id"], compared);
    }
    let meetings = Target::path(["admin", "analytics", "meetings"]).with("limit", Some(1));
    let meetings = client.get_json(meetings).await?;
    if let Some(id) = meetings[0]["id"].as_i64() {
        let id_text = id.to_string();
        let path = Target::path(["admin", "analytics", "meetings", &id_text, "telematics"]);
        let meeting = client.get_json(path).await?;
        compare("the newest meeting", id, &meeting["meeting"]["id"], compared);
    }
    Ok(())
}

fn compare(what: &str, backup: impl Into<Value>, served: &Value, compared: &mut Vec<Value>) {
    let backup = backup.into();
    let same = backup == *served;
    compared.push(json!({ "what": what, "backup": backup, "served": served, "same": same }));
}

/// Of an older version only those tables are compared that no upgrade makes anew.
fn compare_rows(report: &BackupReport, served: &BackupReport, compared: &mut Vec<Value>) {
    let is_same_version = report.file_version == served.file_version;
    for (name, rows) in &report.tables {
        let is_kept = matches!(name.as_str(), "users" | "tokens" | "meetings" | "segments");
        if is_same_version || is_kept {
            compare(&format!("rows of {name}"), *rows, &served.rows(name).into(), compared);
        }
    }
}

/// The process that serves the copy; it ends with this one.
struct ScratchServer(Child);

impl ScratchServer {
    fn start(scratch: &Scratch) -> Result<Self, StartupError> {
        let key = random().map_err(|why| failed(&why))?;
        let start = || {
            let log = File::create(scratch.path().join(LOG))?;
            // In a folder without settings, and in an empty environment.
            Command::new(std::env::current_exe()?)
                .args(["backup", "--database", "vomeet.db", "serve-scratch"])
                .current_dir(scratch.path())
                .env_clear()
                .env("ADMIN_API_TOKEN", &key)
                .env("VOMEET_LOG", "warn")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(log)
                .kill_on_drop(true)
                .spawn()
        };
        let child = start().map_err(|error: std::io::Error| {
            failed(&format!("no server could be started on the copy ({error})"))
        })?;
        Ok(Self(child))
    }

    /// A client, once it serves.
    async fn client(&mut self, scratch: &Scratch) -> Result<Client, StartupError> {
        let place = Place {
            config: None,
            database: Some(scratch.database().to_string_lossy().into_owned()),
            socket: Some(scratch.socket().to_string_lossy().into_owned()),
            output: Output::Json,
        };
        let settings = place.load()?;
        let end = Instant::now() + START_TIME_MAX;
        while Instant::now() < end {
            if let Some(client) = find_server(&settings).await? {
                return Ok(client);
            }
            if let Ok(Some(status)) = self.0.try_wait() {
                let said = fs::read_to_string(scratch.path().join(LOG)).unwrap_or_default();
                let said = said.lines().last().unwrap_or_default();
                return Err(failed(&format!("the server of the copy has ended, {status}: {said}")));
            }
            sleep(RETRY_PAUSE).await;
        }
        Err(failed("the copy was not served in an hour"))
    }

    /// Ends its standard input, at which it stops.
    async fn stop(&mut self) -> Result<(), StartupError> {
        drop(self.0.stdin.take());
        match timeout(STOP_TIME_MAX, self.0.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            ended => Err(failed(&format!("the server of the copy did not stop well ({ended:?})"))),
        }
    }
}

fn failed(why: &str) -> StartupError {
    StartupError::new(Code::DrillFailed, format!("The drill could not be done: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn report(file_version: i64, tables: &[(&str, i64)]) -> BackupReport {
        let tables = tables.iter().map(|(name, rows)| ((*name).to_owned(), *rows));
        let tables: BTreeMap<String, i64> = tables.collect();
        let audit_head = String::new();
        BackupReport { bytes: 1, file_version, tables, audit_entries: 0, audit_head }
    }

    #[test]
    fn a_row_that_is_missing_is_not_the_same() {
        let backup = report(6, &[("users", 2), ("usage", 5)]);
        for (served, expected) in [
            (report(6, &[("users", 2), ("usage", 5)]), [("usage", true), ("users", true)].to_vec()),
            (report(6, &[("users", 1)]), [("usage", false), ("users", false)].to_vec()),
            (report(7, &[("users", 1)]), [("users", false)].to_vec()),
        ] {
            let mut compared = Vec::new();
            compare_rows(&backup, &served, &mut compared);
            let row =
                |(name, same): &(&str, bool)| (format!("rows of {name}").into(), (*same).into());
            let expected: Vec<(Value, Value)> = expected.iter().map(row).collect();
            let found: Vec<(Value, Value)> =
                compared.iter().map(|row| (row["what"].clone(), row["same"].clone())).collect();
            assert_eq!(found, expected);
        }
    }
}
