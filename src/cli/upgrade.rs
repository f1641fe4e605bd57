//! `vomeet upgrade`: upgrades a database that no server has open, or says what that would do.

use crate::cli::Place;
use crate::cli::output::Output;
use crate::cli::print::{note, say};
use crate::cli::reach::shown;
use crate::cli::table::{Column, card, table};
use crate::exit::StartupError;
use crate::store::{Stop, UpgradePlan, Upgraded, plan_upgrade, resolve, upgrade_resting};
use clap::Args;
use rustix::fs::Mode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const PLAN: &[Column] = &[
    ("Database", "/database"),
    ("File version", "/from"),
    ("Becomes", "/to"),
    ("Bytes", "/bytes"),
    ("Seconds, about", "/seconds"),
    ("Bytes needed", "/needed_bytes"),
    ("Bytes free", "/free_bytes"),
    ("Old file", "/kept"),
];
const STEPS: &[Column] = &[("TO", "/to"), ("SECONDS", "/seconds"), ("WHAT", "/about")];
const DONE: &[Column] = &[
    ("Database", "/database"),
    ("File version", "/to"),
    ("Was", "/from"),
    ("Old file", "/kept"),
    ("Seconds", "/seconds"),
];

/// How the seconds are computed.
const COMPUTED: &str = "The seconds are two copies at 200 MB/s, and the rows of each table times what \
                        a row costs, as measured on two cores with a solid-state disk; another \
                        machine may be some times as fast or as slow.";

/// Arguments of `upgrade`.
#[derive(Args)]
pub(super) struct UpgradeArgs {
    #[command(flatten)]
    place: Place,
    /// The database [default: that of the settings]
    file: Option<PathBuf>,
    /// Change nothing: show the steps, how long they take, and the room that they need
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(super) fn run(args: UpgradeArgs) -> Result<(), StartupError> {
    let UpgradeArgs { place, file, check } = args;
    let output = place.output;
    let database = match file {
        Some(file) => file,
        None => place.load()?.config.database,
    };
    let plan = plan_upgrade(&database)?;
    let Some(plan) = plan else { return nothing_to_do(output, &database) };
    if check {
        print_plan(output, &plan)?;
        return plan.require_room();
    }
    rustix::process::umask(Mode::from_bits_truncate(0o077));
    match upgrade_resting(&resolve(&database)?, &Stop::default())? {
        Some(upgraded) => print_done(output, &upgraded),
        None => nothing_to_do(output, &database),
    }
}

fn nothing_to_do(output: Output, database: &Path) -> Result<(), StartupError> {
    note(&format!("{} has the file version of this program: nothing is to do.", shown(database)));
    match output {
        Output::Json => say("null\n"),
        Output::Table => Ok(()),
    }
}

fn print_plan(output: Output, plan: &UpgradePlan) -> Result<(), StartupError> {
    let mut body = json!(plan);
    show_paths(&mut body);
    if output == Output::Json {
        return say(format_args!("{body}\n"));
    }
    let mut steps = Vec::new();
    for step in &plan.steps {
        let seconds = step.microseconds.div_ceil(1_000_000);
        steps.push(json!({ "to": step.to, "seconds": seconds, "about": step.about }));
    }
    say(card(PLAN, &body))?;
    say("\n")?;
    say(table(STEPS, &steps))?;
    note(COMPUTED);
    Ok(())
}

fn print_done(output: Output, upgraded: &Upgraded) -> Result<(), StartupError> {
    let mut body = json!(upgraded);
    show_paths(&mut body);
    note("The database is upgraded. Delete the old file when you need it no more.");
    match output {
        Output::Json => say(format_args!("{body}\n")),
        Output::Table => say(card(DONE, &body)),
    }
}

fn show_paths(body: &mut Value) {
    for member in ["database", "kept"] {
        if let Some(path) = body[member].as_str() {
            body[member] = Value::from(shown(path.as_ref()));
        }
    }
}
