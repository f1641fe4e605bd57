//! Which table of a dump is read by whom.

use crate::domain::import::Remark;
use crate::exit::StartupError;
use crate::import::dump::{Dump, Table};
use crate::import::reading::Reading;
use crate::import::{meetings, people, segments};
use std::io::Read;

/// Tables that only say how the others came about.
const BOOKKEEPING: &[&str] = &["alembic_version", "schema_migrations"];

/// Reads all tables of a dump, in the order in which they come.
pub(super) fn read<R: Read>(dump: &mut Dump<R>, to: &mut Reading<'_>) -> Result<(), StartupError> {
    while let Some(table) = dump.next_table()? {
        let known = match table.schema.as_str() {
            "public" => table.name.as_str(),
            _ => "",
        };
        match known {
            "users" => people::users(dump, &table, to)?,
            "accounts" => people::accounts(dump, &table, to)?,
            "api_tokens" => people::tokens(dump, &table, to)?,
            "webhooks" => people::webhooks(dump, &table, to)?,
            "meetings" => meetings::meetings(dump, &table, to)?,
            "meeting_sessions" => meetings::sessions(dump, &table, to)?,
            "scheduled_meetings" => meetings::planned(dump, &table, to)?,
            "transcriptions" => segments::transcriptions(dump, &table, to)?,
            "audio_chunks" => segments::chunks(dump, &table, to)?,
            _ => leave_out(dump, &table, to)?,
        }
        to.rows.entry(table.label).or_default();
    }
    Ok(())
}

/// Counts the rows of a table that has no place here.
fn leave_out<R: Read>(
    dump: &mut Dump<R>,
    table: &Table,
    to: &mut Reading<'_>,
) -> Result<(), StartupError> {
    while let Some(row) = dump.next_row()? {
        to.count(table, &row);
    }
    let rows = to.rows.get(&table.label).copied().unwrap_or_default();
    if !BOOKKEEPING.contains(&table.name.as_str()) {
        let example = || format!("{} ({rows} rows)", table.label);
        to.remarks.add_many(Remark::TableLeftOut, rows, example);
    }
    Ok(())
}
