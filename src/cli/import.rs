//! `vomeet import`: users, keys and meetings of another installation, out of its dump; and whether
//! its keys open the same on both servers.

use crate::auth::actor;
use crate::cli::Place;
use crate::cli::output::Output;
use crate::cli::print::{note, say};
use crate::cli::reach::{runtime, shown};
use crate::cli::serve::scheme;
use crate::cli::status::reachable;
use crate::cli::table::{Column, card, plain_lines};
use crate::clock::Clock;
use crate::exit::{Code, StartupError};
use crate::http::peer::user_name;
use crate::import::compare::{self, Comparison};
use crate::import::run::{Report, Wanted, run as import};
use crate::import::zone::Zone;
use clap::{Args, Subcommand};
use rustix::fs::Mode;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the progress is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

const DONE: &[Column] = &[
    ("Database", "/database"),
    ("Dump", "/dump_blake3"),
    ("Users", "/imported/users"),
    ("Keys", "/imported/tokens"),
    ("Meetings", "/imported/meetings"),
    ("Streams", "/imported/streams"),
    ("Segments", "/imported/segments"),
];

const COMPARED: &[Column] = &[
    ("Keys", "/keys"),
    ("Same on both", "/same"),
    ("Differ", "/differ"),
    ("Meetings", "/meetings"),
    ("Transcripts", "/transcripts"),
    ("Refused by both", "/transcripts_refused"),
];

/// Arguments of the command.
#[derive(Args)]
#[command(subcommand_negates_reqs = true)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    command: Option<ImportCommand>,
    #[command(flatten)]
    place: Place,
    /// The plain dump of the former database; - is standard input
    #[arg(required = true)]
    dump: Option<PathBuf>,
    /// Do everything but the last step, and say what would come of it
    #[arg(long)]
    dry_run: bool,
    /// Join users whose addresses differ by case alone; else the younger one has another address
    #[arg(long)]
    merge_same_email: bool,
    /// Accept keys shorter than 16 characters as before; else they come in disabled
    #[arg(long)]
    keep_weak_keys: bool,
    /// Zone of times without an offset, such as Europe/Berlin or +02:00
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    time_zone: String,
}

#[derive(Subcommand)]
enum ImportCommand {
    /// Ask the former server and this one with every key of a dump, and compare what they answer
    Verify(VerifyArgs),
}

#[derive(Args)]
struct VerifyArgs {
    /// Address of the former server: https, or http to this machine
    #[arg(long, value_name = "URL")]
    old: String,
    /// Address of this server [default: where the settings say that it listens]
    #[arg(long, value_name = "URL")]
    new: Option<String>,
    /// The dump that has the keys; - is standard input
    #[arg(long, value_name = "DUMP")]
    keys_from: PathBuf,
    /// Send keys over http to other machines too, where whoever is on the way reads them
    #[arg(long)]
    plain: bool,
}

/// Runs the command.
pub(super) fn run(args: ImportArgs) -> Result<(), StartupError> {
    let ImportArgs { command, place, dump, dry_run, merge_same_email, keep_weak_keys, time_zone } =
        args;
    if let Some(ImportCommand::Verify(args)) = command {
        if dump.is_some() || dry_run || merge_same_email || keep_weak_keys {
            let message = "`vomeet import verify` imports nothing; name the dump with --keys-from.";
            return Err(StartupError::new(Code::Invalid, message));
        }
        return verify(place, args);
    }
    let output = place.output;
    let zone = Zone::named(&time_zone);
    let zone = zone.map_err(|why| StartupError::new(Code::Invalid, why))?;
    let settings = place.load()?;
    rustix::process::umask(Mode::from_bits_truncate(0o077));
    let user = user_name(rustix::process::getuid().as_raw());
    let actor = actor(format!("local:{user}"), None, Clock::system().now());
    let actor = actor.map_err(|error| {
        StartupError::new(Code::Unavailable, format!("The import has failed ({error})."))
    })?;
    let wanted = Wanted {
        database: settings.config.database,
        dump: dump.unwrap_or_default(),
        dry_run,
        merge_same_email,
        keep_weak_keys,
        zone,
        bot_name: settings.config.bots.name,
        allowed: settings.config.webhooks.allowed_networks,
        actor,
    };
    let report = import(&wanted, &mut Progress::default().teller())?;
    print(output, &report)?;
    ended(&report)
}

/// Says on standard error how far the work is.
#[derive(Default)]
struct Progress {
    shown_at: Option<Instant>,
}

impl Progress {
    fn teller(mut self) -> impl FnMut(&str, u64) {
        move |what, count| {
            let now = Instant::now();
            let is_due = self.shown_at.is_none_or(|at| now - at >= SHOWN_EVERY);
            if is_due {
                self.shown_at = Some(now);
                note(&format!("{what}: {count}"));
            }
        }
    }
}

/// The last word on an import.
fn ended(report: &Report) -> Result<(), StartupError> {
    let done = match report.dry_run {
        true => "Tried, and nothing was changed",
        false => "Imported and verified",
    };
    if report.is_clean {
        note(&format!("{done}. Start the server, and try a key."));
        return Ok(());
    }
    let remarks = report.remarks.iter().filter(|remark| !remark.is_note).count();
    let message = format!("{done}, with {remarks} kinds of remarks; read them before the move.");
    Err(StartupError::new(Code::ImportedWithRemarks, message))
}

fn print(output: Output, report: &Report) -> Result<(), StartupError> {
    let mut body = json!(report);
    body["database"] = Value::from(shown(&report.database));
    if output == Output::Json {
        return say(format_args!("{}\n", plain_lines(&body.to_string())));
    }
    let mut text = card(DONE, &body);
    let verified = report.verified;
    // Writing into a string does not fail.
    let _ = write!(
        text,
        "\nVerified: {} keys open their user, {} meetings with {} segments are as in the dump and in \
         the word index.\n",
        verified.keys, verified.meetings, verified.segments
    );
    for remark in &report.remarks {
        let examples = remark.examples.join("; ");
        let more = if remark.count > remark.examples.len() as u64 { "; …" } else { "" };
        let _ =
            writeln!(text, "{:>9} {}\n          ({examples}{more})", remark.count, remark.about);
    }
    // Addresses and names of tables are of the dump, and may hold whatever a terminal obeys.
    say(plain_lines(&text))
}

fn verify(place: Place, args: VerifyArgs) -> Result<(), StartupError> {
    let VerifyArgs { old, new, keys_from, plain } = args;
    let output = place.output;
    let new = if let Some(new) = new {
        new
    } else {
        let config = place.load()?.config;
        format!("{}://{}", scheme(&config), reachable(config.listen))
    };
    let wanted = compare::Wanted { old, new, keys_from, plain };
    let mut tell = Progress::default().teller();
    let compared = runtime()?.block_on(compare::run(&wanted, &mut tell))?;
    for difference in &compared.differences {
        note(difference);
    }
    let body = json!(compared);
    match output {
        Output::Json => say(format_args!("{}\n", plain_lines(&body.to_string())))?,
        Output::Table => say(card(COMPARED, &body))?,
    }
    let Comparison { keys, same, .. } = compared;
    note(&format!("keys that open the same meetings: {same} of {keys}"));
    if same == keys {
        return Ok(());
    }
    let message = format!("{} of {keys} keys differ between the two servers.", keys - same);
    Err(StartupError::new(Code::KeysDiffer, message))
}
