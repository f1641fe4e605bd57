//! Logs that are kept for ever: every later build applies them and comes to the rows of their time.
//!
//! `tests/golden/<number>.jsonl` has a verb a line, as the build of its day recorded it, and how it
//! failed if it did, and the digests of the tables that it changed: what a later verb deletes is
//! compared as well. `<number>.columns.json` has the columns of that time. Columns and tables that
//! are newer are not compared, nor is the word index, whose words a tokenizer makes.

use crate::replay::{record, write_everything};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use vomeet::store::{Recorded, RecordedVerb, ReplayMode, VERBS, replay};

/// A line of a log.
#[derive(Serialize, Deserialize)]
struct Line {
    failure: Option<String>,
    /// The digest of each table that is another after it.
    changed: Digests,
    verb: Box<RawValue>,
}

/// The columns of each table.
type Columns = BTreeMap<String, BTreeSet<String>>;
/// The digest of the rows of each table, in hexadecimal.
type Digests = BTreeMap<String, String>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The logs that are kept, the oldest first.
fn logs() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for number in 1.. {
        let path = folder().join(format!("{number}.jsonl"));
        if !path.exists() {
            break;
        }
        found.push(path);
    }
    found
}

fn number_of(verb: &RawValue) -> u16 {
    serde_json::from_str::<RecordedVerb<'_>>(verb.get()).expect("a recorded verb").number
}

fn lines(log: &Path) -> Vec<Line> {
    let text = fs::read_to_string(log).expect("a log");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of a log")).collect()
}

/// The verb of a line. One whose number is gone keeps the build from applying its log.
fn recorded(line: &Line) -> Recorded {
    let number = number_of(&line.verb);
    let known = VERBS.iter().find(|(of, ..)| *of == number);
    let (_, name, _) = known.unwrap_or_else(|| panic!("no verb has number {number} any more"));
    Recorded { name, json: line.verb.get().to_owned(), failure: line.failure.clone() }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(text) => json!(String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => json!({ "bytes": bytes }),
    }
}

/// The digest of a table's rows in these columns.
fn digest_of(db: &Connection, table: &str, columns: &BTreeSet<String>) -> String {
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let query = format!("SELECT \"{}\" FROM \"{table}\"", names.join("\", \""));
    let mut statement = db.prepare(&query).expect("the columns of a log's time");
    let mut rows = statement.query([]).expect("rows");
    let mut found = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let mut members = Map::new();
        for (at, name) in names.iter().enumerate() {
            members.insert((*name).to_owned(), value(row.get_ref(at).expect("a value")));
        }
        found.push(Value::Object(members).to_string());
    }
    found.sort();
    blake3::hash(found.join("\n").as_bytes()).to_hex()[..16].to_owned()
}

fn digests(database: &Path, columns: &Columns) -> Digests {
    let db = Connection::open(database).expect("a database");
    let of = |(table, columns): (&String, &BTreeSet<String>)| {
        (table.clone(), digest_of(&db, table, columns))
    };
    columns.iter().map(of).collect()
}

/// All columns of all tables that are replicated, but for the word index.
fn tables(database: &Path) -> Columns {
    let db = Connection::open(database).expect("a database");
    let query = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'words%' AND t.name NOT LIKE 'sqlite%'
                   AND t.name NOT IN ('erasures', 'vocabulary')";
    let mut statement = db.prepare(query).expect("tables");
    let mut rows = statement.query([]).expect("tables");
    let mut found = Columns::new();
    while let Some(row) = rows.next().expect("a column") {
        let (table, column) = (row.get(0).expect("a table"), row.get(1).expect("a column"));
        found.entry(table).or_default().insert(column);
    }
    found
}

#[test]
fn every_log_that_was_kept_gives_the_rows_of_its_time() {
    let logs = logs();
    assert!(!logs.is_empty(), "the logs are gone");
    for log in logs {
        let columns = fs::read_to_string(log.with_extension("columns.json")).expect("columns");
        let columns: Columns = serde_json::from_str(&columns).expect("columns");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one_by_one.db");
        let (mut verbs, mut expected) = (Vec::new(), Digests::new());
        for (at, line) in lines(&log).into_iter().enumerate() {
            let verb = recorded(&line);
            let place = format!("{} line {}, {}", log.display(), at + 1, verb.name);
            let done = replay(&path, std::slice::from_ref(&verb), ReplayMode::OneByOne);
            done.unwrap_or_else(|error| panic!("{place}: {error:?}"));
            expected.extend(line.changed);
            assert_eq!(digests(&path, &columns), expected, "{place}");
            verbs.push(verb);
        }
        let path = folder.path().join("one_batch.db");
        replay(&path, &verbs, ReplayMode::OneBatch).expect("one batch");
        assert_eq!(digests(&path, &columns), expected, "{} in one batch", log.display());
    }
}

#[test]
fn every_replicated_verb_is_in_a_log_that_is_kept() {
    let mut kept = BTreeSet::new();
    for log in logs() {
        kept.extend(lines(&log).iter().map(|line| recorded(line).name));
    }
    let replicated = VERBS.iter().filter(|(_, _, kind)| *kind != "local");
    let missing: Vec<_> =
        replicated.map(|(_, name, _)| *name).filter(|name| !kept.contains(name)).collect();
    if !missing.is_empty() {
        let log = write_log(Path::new(env!("CARGO_TARGET_TMPDIR")));
        let log = log.display();
        panic!("no log has {missing:?}: move {log} and the columns beside it to tests/golden");
    }
}

/// Writes the log that would be the next one, with its columns, from the story that has every verb.
fn write_log(folder: &Path) -> PathBuf {
    let database = tempfile::tempdir().expect("a folder");
    let recording = record(&database, |store| async move {
        write_everything(&store).await?;
        store.close();
        Ok(())
    });
    let folder_of_copy = tempfile::tempdir().expect("a folder");
    let path = folder_of_copy.path().join("golden.db");
    replay(&path, &[], ReplayMode::OneBatch).expect("an empty file");
    let columns = tables(&path);
    let (mut text, mut before) = (String::new(), Digests::new());
    for verb in recording.recorder.take() {
        let raw = RawValue::from_string(verb.json.clone()).expect("JSON");
        let number = number_of(&raw);
        if VERBS.iter().any(|(of, _, kind)| *of == number && *kind == "local") {
            continue;
        }
        replay(&path, std::slice::from_ref(&verb), ReplayMode::OneByOne).expect("it is replayed");
        let after = digests(&path, &columns);
        let mut changed = after.clone();
        changed.retain(|table, digest| before.get(table) != Some(digest));
        before = after;
        let line = Line { failure: verb.failure, changed, verb: raw };
        writeln!(text, "{}", serde_json::to_string(&line).expect("JSON")).expect("a line");
    }
    let log = folder.join(format!("{}.jsonl", logs().len() + 1));
    let columns = serde_json::to_string_pretty(&columns).expect("JSON") + "\n";
    fs::write(log.with_extension("columns.json"), columns).expect("the columns");
    fs::write(&log, text).expect("the log");
    log
}
