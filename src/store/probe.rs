//! A write that changes nothing and still reaches the disk: with it the health check knows that
//! writes are possible.

use crate::error::Result;
use crate::store::writer::verb::Verb;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// Writes the version of the file once more. SQLite writes the first page of the database for it,
/// also where the version stays as it is; an update of a row that changes nothing would write
/// nothing. It is not essential, so that a full disk refuses it as it refuses other writes.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProbeWrite {}

impl Verb for ProbeWrite {
    type Answer = ();

    fn apply(&self, db: &Connection) -> Result<()> {
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        db.pragma_update(None, "user_version", version)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_only_be_read_says_so() {
        let db = Connection::open_in_memory().expect("a database");
        db.pragma_update(None, "query_only", true).expect("set");
        let error = ProbeWrite {}.apply(&db).expect_err("a write");
        let cause = error.cause().expect("a cause");
        // The health check looks for these words.
        assert!(cause.contains("readonly database"), "{cause}");
    }
}
