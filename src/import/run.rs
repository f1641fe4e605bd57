//! `vomeet import`: a dump is read, becomes a database beside the present one, is verified, and
//! takes its place.

use crate::domain::Actor;
use crate::domain::import::{Remark, Remarks};
use crate::exit::StartupError;
use crate::import::dump::Dump;
use crate::import::lines::not_imported;
use crate::import::reading::Reading;
use crate::import::tables;
use crate::import::zone::Zone;
use crate::store::{ImportTerms, Imported, Importing, Verified, import_failed};
use ipnet::IpNet;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

/// What an import is told.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// The database, which must have no users.
    pub database: PathBuf,
    /// The dump; `-` is standard input.
    pub dump: PathBuf,
    /// Whether everything is done but the last step.
    pub dry_run: bool,
    /// Whether users whose addresses are one become one user.
    pub merge_same_email: bool,
    /// Whether keys under 16 characters come in as they are.
    pub keep_weak_keys: bool,
    /// The zone of times without an offset.
    pub zone: Zone,
    /// What planned bots call themselves whose plan does not say it.
    pub bot_name: String,
    /// The networks that webhooks may reach besides public ones.
    pub allowed: Vec<IpNet>,
    /// Who imports, and when.
    pub actor: Actor,
}

/// A remark with what it is about.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ReportedRemark {
    /// The word for it.
    pub remark: &'static str,
    /// Whether nothing is lost or other than it was.
    pub is_note: bool,
    /// How many rows.
    pub count: u64,
    /// What is said of them.
    pub about: &'static str,
    /// The first of them.
    pub examples: Vec<String>,
}

/// What an import did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The database.
    pub database: PathBuf,
    /// Whether it was only tried.
    pub dry_run: bool,
    /// BLAKE3 of the dump, in hexadecimal.
    pub dump_blake3: String,
    /// The length of the dump, in bytes.
    pub dump_bytes: u64,
    /// How many rows each table of the dump has.
    pub dump_rows: BTreeMap<String, u64>,
    /// How many rows were written.
    pub imported: Imported,
    /// What was verified.
    pub verified: Verified,
    /// What somebody should read.
    pub remarks: Vec<ReportedRemark>,
    /// Whether there are none but notes.
    pub is_clean: bool,
}

/// Imports a dump. `progress` is told what is done, and how much of it.
pub(crate) fn run(
    wanted: &Wanted,
    progress: &mut dyn FnMut(&str, u64),
) -> Result<Report, StartupError> {
    let bot_name = wanted.bot_name.clone();
    let terms = ImportTerms { merge_same_email: wanted.merge_same_email, bot_name };
    let source = open(&wanted.dump)?;
    let importing = Importing::begin(&wanted.database, wanted.actor.clone(), terms)?;
    let mut dump = Dump::open(source)?;
    let mut reading = Reading {
        importing: &importing,
        zone: wanted.zone.clone(),
        keep_weak_keys: wanted.keep_weak_keys,
        allowed: &wanted.allowed,
        remarks: Remarks::default(),
        rows: BTreeMap::new(),
        chunk_segments: 0,
        progress: &mut *progress,
    };
    tables::read(&mut dump, &mut reading)?;
    let dump_rows = reading.dump_rows();
    let Reading { mut remarks, rows, .. } = reading;
    if !rows.contains_key("users") {
        return Err(not_imported("The dump has no table users: it is of another program."));
    }
    if rows.get("accounts").is_some_and(|rows| *rows > 0) {
        let disabled = importing.disable_keys_of_users().map_err(import_failed)?;
        remarks.add_many(Remark::KeyOfUserDisabled, disabled, || "all tokens of users".to_owned());
    }
    let imported = importing.load(&mut remarks, &mut |what, count| progress(what, count))?;
    let mut report = Report {
        database: importing.database().to_owned(),
        dry_run: wanted.dry_run,
        dump_blake3: dump.hash().to_string(),
        dump_bytes: dump.bytes(),
        dump_rows: rows,
        imported,
        verified: Verified::default(),
        remarks: reported(&remarks),
        is_clean: remarks.is_clean(),
    };
    importing.note(&entry(&report))?;
    importing.commit()?;
    progress("segments to verify", imported.segments);
    report.verified = importing.verify(&imported, &dump_rows, &remarks)?;
    if !wanted.dry_run {
        importing.finish()?;
    }
    Ok(report)
}

/// The dump itself, or standard input.
pub(super) fn open(dump: &Path) -> Result<Box<dyn Read>, StartupError> {
    if dump == Path::new("-") {
        return Ok(Box::new(stdin().lock()));
    }
    let cannot = |why: &dyn std::fmt::Display| {
        not_imported(format!("{} cannot be read ({why}).", dump.display()))
    };
    if dump.is_dir() {
        return Err(cannot(&"it is a folder; a plain dump is one file"));
    }
    let file = File::open(dump).map_err(|error| cannot(&error))?;
    Ok(Box::new(file))
}

fn reported(remarks: &Remarks) -> Vec<ReportedRemark> {
    let mut reported = Vec::new();
    for (remark, noted) in remarks.all() {
        reported.push(ReportedRemark {
            remark: remark.as_str(),
            is_note: remark.is_note(),
            count: noted.count,
            about: remark.about(),
            examples: noted.examples.clone(),
        });
    }
    reported
}

/// What the audit log says of the import; no row of a person.
fn entry(report: &Report) -> Value {
    let mut remarks = Map::new();
    for remark in &report.remarks {
        remarks.insert(remark.remark.to_owned(), remark.count.into());
    }
    json!({
        "dump_blake3": report.dump_blake3,
        "dump_bytes": report.dump_bytes,
        "dump_rows": report.dump_rows,
        "imported": report.imported,
        "remarks": remarks,
    })
}
