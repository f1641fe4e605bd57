//! A search without an index: rows are looked at in the order of their ids, a bounded number of
//! them for one request, and the answer says where the next request goes on.

use rusqlite::Rows;

/// Most rows that one request looks at.
const LOOK_MAX: i64 = 20_000;
/// How many rows the statement of a search gives: one more shows that something is behind them.
pub(crate) const LOOK_LIMIT: i64 = LOOK_MAX + 1;

/// How many rows in a row must say that nothing from there on can fit: one may be out of order, of a
/// clock that was wrong or from another installation.
pub(crate) const BEYOND_MAX: usize = 200;

/// What a search has found, and where the next request goes on.
#[derive(Debug)]
pub struct Looked<T> {
    /// What fits, in the order of the list.
    pub found: Vec<T>,
    /// The last id that was looked at; `None` where nothing is behind it.
    pub next: Option<i64>,
}

/// Takes the ids of the rows that fit, at most `limit`. A row has its id and whether it fits; null
/// in place of that says that nothing from there on can fit, and is believed when [`BEYOND_MAX`] rows
/// say so. The statement ends with [`LOOK_LIMIT`].
pub(crate) fn look(mut rows: Rows<'_>, limit: i64) -> rusqlite::Result<Looked<i64>> {
    let mut looked = Looked { found: Vec::new(), next: None };
    let mut room = limit;
    let mut last = None;
    let mut left = LOOK_MAX;
    let mut beyond = 0;
    while let Some(row) = rows.next()? {
        let fits: Option<bool> = row.get(1)?;
        if left == 0 || (room == 0 && fits.is_some()) {
            looked.next = last;
            break;
        }
        let id: i64 = row.get(0)?;
        beyond = if fits.is_some() { 0 } else { beyond + 1 };
        if beyond == BEYOND_MAX {
            break;
        }
        if fits == Some(true) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    #[test]
    fn a_search_goes_on_behind_single_rows_that_are_out_of_order() {
        let (yes, no, beyond) = (Some(true), Some(false), None);
        let mut many = vec![yes];
        many.resize(BEYOND_MAX, beyond);
        let short_of_the_end = [many.as_slice(), &[yes]].concat();
        let at_the_end = [many.as_slice(), &[beyond, yes]].concat();
        let last = i64::try_from(short_of_the_end.len()).expect("a small number");
        for (rows, limit, found, next) in [
            (vec![yes, beyond, no, yes], 9, vec![1, 4], None),
            (vec![yes, beyond, yes], 1, vec![1], Some(2)),
            (vec![yes, beyond], 1, vec![1], None),
            (vec![yes, no], 1, vec![1], Some(1)),
            (short_of_the_end, 9, vec![1, last], None),
            (at_the_end, 9, vec![1], None),
        ] {
            let db = Connection::open_in_memory().expect("a database");
            db.execute_batch("CREATE TABLE rows (fits INTEGER)").expect("a table");
            for fits in &rows {
                db.execute("INSERT INTO rows VALUES (?1)", [fits]).expect("a row");
            }
            let mut all = db.prepare("SELECT rowid, fits FROM rows").expect("a statement");
            let looked = look(all.query([]).expect("rows"), limit).expect("a look");
            assert_eq!((looked.found, looked.next), (found, next), "{rows:?}");
        }
    }
}
