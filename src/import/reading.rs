//! What the readers of the tables share: where rows go, what is remarked, what was asked for.

use crate::domain::import::{Remark, Remarks};
use crate::exit::StartupError;
use crate::import::data::Cleaned;
use crate::import::dump::Table;
use crate::import::row::Row;
use crate::import::zone::Zone;
use crate::store::{DumpRows, Importing, import_failed};
use ipnet::IpNet;
use std::collections::BTreeMap;

/// After so many rows whoever waits is told.
const TOLD_EVERY: u64 = 10_000;

/// The reading of a dump.
pub(crate) struct Reading<'a> {
    /// Where rows go.
    pub importing: &'a Importing,
    /// The zone of times without an offset.
    pub zone: Zone,
    /// Whether keys under 16 characters come in as they are.
    pub keep_weak_keys: bool,
    /// The networks that webhooks may reach besides public ones.
    pub allowed: &'a [IpNet],
    /// What was remarked.
    pub remarks: Remarks,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
    /// How many segments chunks had, read or not; they have no numbers of their own.
    pub chunk_segments: i64,
    /// Told of what is read.
    pub progress: &'a mut dyn FnMut(&str, u64),
}

impl Reading<'_> {
    /// Counts a row that was read.
    pub(crate) fn count(&mut self, table: &Table, row: &Row<'_>) {
        if row.is_lossy() {
            self.remarks.add(Remark::NoUtf8, || format!("a row of {}", table.label));
        }
        if row.is_beyond() {
            self.remarks.add(Remark::TimeBeyond, || format!("a row of {}", table.label));
        }
        let rows = match self.rows.get_mut(&table.label) {
            Some(rows) => rows,
            None => self.rows.entry(table.label.clone()).or_default(),
        };
        *rows += 1;
        if rows.is_multiple_of(TOLD_EVERY) {
            (self.progress)(&table.label, *rows);
        }
    }

    /// How many rows the dump has of what becomes users, keys, meetings and segments.
    pub(crate) fn dump_rows(&self) -> DumpRows {
        let of = |table: &str| self.rows.get(table).copied().unwrap_or_default();
        DumpRows {
            users: of("users") + of("accounts"),
            tokens: of("api_tokens") + of("accounts"),
            meetings: of("meetings"),
            segments: of("transcriptions") + self.chunk_segments.unsigned_abs(),
        }
    }

    /// Says what was left out of the data of a row.
    pub(crate) fn note_data(&mut self, cleaned: &Cleaned, what: &str, id: i64) {
        if cleaned.is_lost {
            self.remarks.add(Remark::DataLeftOut, || format!("{what} {id}"));
        }
        if !cleaned.left_out.is_empty() {
            let names = cleaned.left_out.join(", ");
            self.remarks.add(Remark::SecretsLeftOut, || format!("{what} {id}: {names}"));
        }
    }

    /// What came of keeping a row.
    pub(crate) fn kept<T, E: Into<crate::error::Error>>(
        kept: Result<T, E>,
    ) -> Result<T, StartupError> {
        kept.map_err(import_failed)
    }
}
