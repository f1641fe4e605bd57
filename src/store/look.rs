//! A search without an index: rows are looked at in the order of their ids, a bounded number of
//! them for one request, and the answer says where the next request goes on.

use rusqlite::Rows;

/// Most rows that one request looks at.
const LOOK_MAX: i64 = 20_000;
/// How many rows the statement of a search gives: one more shows that something is behind them.
pub(crate) const LOOK_LIMIT: i64 = LOOK_MAX + 1;

/// What a search has found, and where the next request goes on.
#[derive(Debug)]
pub struct Looked<T> {
    /// What fits, in the order of the list.
    pub found: Vec<T>,
    /// The last id that was looked at; `None` where nothing is behind it.
    pub next: Option<i64>,
}

/// Takes the ids of the rows that fit, at most `limit`. A row has its id and whether it fits; null
/// in place of that says that nothing from there on can fit. The statement ends with
/// [`LOOK_LIMIT`].
pub(crate) fn look(mut rows: Rows<'_>, limit: i64) -> rusqlite::Result<Looked<i64>> {
    let mut looked = Looked { found: Vec::new(), next: None };
    let mut room = limit;
    let mut last = None;
    let mut left = LOOK_MAX;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let Some(fits) = row.get::<_, Option<bool>>(1)? else { break };
        if room == 0 || left == 0 {
            looked.next = last;
            break;
        }
        if fits {
            looked.found.push(id);
            room -= 1;
        }
        last = Some(id);
        left -= 1;
    }
    Ok(looked)
}

impl Looked<i64> {
    /// The same with a row for each id; one that is gone by now is left out.
    pub(crate) fn with<T>(
        self,
        read: impl Fn(i64) -> rusqlite::Result<Option<T>>,
    ) -> rusqlite::Result<Looked<T>> {
        let mut found = Vec::new();
        for id in self.found {
            found.extend(read(id)?);
        }
        Ok(Looked { found, next: self.next })
    }
}

#[cfg(test)]
pub(crate) mod plan {
    //! How SQLite finds the rows of a statement.

    use rusqlite::Connection;
    use rusqlite::types::Null;

    /// A file's tables, empty.
    pub(crate) fn tables() -> Connection {
        let db = Connection::open_in_memory().expect("a database");
        crate::store::connection::add_fold(&db).expect("fold");
        db.execute_batch(include_str!("../../schema.sql")).expect("the schema");
        db
    }

    /// The steps of a statement's plan, in a line each.
    pub(crate) fn steps(db: &Connection, sql: &str) -> String {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
        for number in 1..=plan.parameter_count() {
            plan.raw_bind_parameter(number, Null).expect("a value");
        }
        let mut rows = plan.raw_query();
        let mut steps = String::new();
        while let Some(row) = rows.next().expect("a step") {
            steps.push_str(&row.get::<_, String>(3).expect("text"));
            steps.push('\n');
        }
        steps
    }
}
