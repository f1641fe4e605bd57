//! Records what a server writes, and holds its file against the same verbs applied again.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use vomeet::store::{Recorded, Recorder, ReplayMode, replay};

/// How many recordings were replayed and found equal.
pub static REPLAYED: AtomicUsize = AtomicUsize::new(0);

/// What a server writes, and the file that it began with.
pub struct Recording {
    folder: TempDir,
    pub recorder: Recorder,
}

impl Recording {
    /// Call it before the server opens the file, and hand it the recorder.
    pub fn begin(database: &Path) -> (Recorder, Self) {
        let folder = tempfile::tempdir().expect("a folder");
        copy(database, &folder.path().join("before.db"));
        let recorder = Recorder::default();
        (recorder.clone(), Self { folder, recorder })
    }

    /// Call it when the server has closed the file.
    pub fn check(self, database: &Path) {
        self.check_verbs(database, &self.recorder.take());
    }

    pub fn check_verbs(&self, database: &Path, verbs: &[Recorded]) {
        for mode in [ReplayMode::OneBatch, ReplayMode::OneByOne] {
            let other = self.begun_again(&format!("{mode:?}.db"));
            if let Err(error) = replay(&other, verbs, mode) {
                panic!("{mode:?}: {error:?}");
            }
            let differences = self.differences(database, &other);
            assert!(
                differences.is_empty(),
                "{mode:?}: the file (-) and its replay (+) differ: {differences:#?}"
            );
        }
        REPLAYED.fetch_add(1, Ordering::Relaxed);
    }

    /// A copy of the file that the server began with; nothing where it began with nothing.
    pub fn begun_again(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        copy(&self.folder.path().join("before.db"), &path);
        path
    }

    /// Rows that only one of the files has.
    pub fn differences(&self, database: &Path, other: &Path) -> Vec<String> {
        // A server may still have it open, and would keep others out.
        let closed = self.folder.path().join("after.db");
        copy(database, &closed);
        let (one, two) = (rows(&closed), rows(other));
        let gone = one.difference(&two).map(|row| format!("- {row}"));
        let new = two.difference(&one).map(|row| format!("+ {row}"));
        gone.chain(new).take(20).collect()
    }
}

/// Copies a database with its log, if it is there.
fn copy(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if beside(from).exists() {
            std::fs::copy(beside(from), beside(to)).expect("a copy of the database");
        } else {
            let _ = std::fs::remove_file(beside(to));
        }
    }
}

/// Every row of every table as text; of the word index, every word in its place.
fn rows(database: &Path) -> BTreeSet<String> {
    let connection = Connection::open(database).expect("a database");
    connection
        .execute_batch("CREATE VIRTUAL TABLE temp.places USING fts5vocab (main, words, instance)")
        .expect("the words of the index");
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'words%'
                    AND name NOT IN ('erasures', 'vocabulary')
                  UNION ALL VALUES ('places'), ('words')";
    let mut statement = connection.prepare(tables).expect("tables");
    let names = statement.query_map([], |row| row.get::<_, String>(0)).expect("tables");
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>().expect("names of tables");
    assert!(names.len() > 12, "{names:?}");
    let mut found = BTreeSet::new();
    for name in names {
        let mut table = connection.prepare(&format!("SELECT * FROM {name}")).expect("a table");
        let columns = table.column_count();
        let mut rows = table.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            let mut text = name.clone();
            for column in 0..columns {
                let value = match row.get_ref(column).expect("a value") {
                    ValueRef::Text(value) => format!("{:?}", String::from_utf8_lossy(value)),
                    value => format!("{value:?}"),
                };
                text.push(' ');
                text.push_str(&value);
            }
            found.insert(text);
        }
    }
    found
}
