//! A plain dump, as `pg_dump` writes it, read as data: the rows of its `COPY` blocks, by tables. No
//! statement of it is executed.

use crate::exit::StartupError;
use crate::import::lines::{Lines, not_imported};
use crate::import::row::Row;
use crate::import::statements::Statements;
use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;

/// The last line of every plain dump, but for blank comments.
const COMPLETE: &[u8] = b"-- PostgreSQL database dump complete";
/// What to type for a dump that can be read.
const HOW: &str =
    "Make it with `pg_dump --format=plain`, without --inserts and without compression.";

/// A table whose rows follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// The schema, mostly `public`.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The name by which it is counted: with its schema, where that is not `public`.
    pub label: String,
    /// Its columns, in the order of the rows.
    pub columns: Vec<String>,
}

impl Table {
    /// Where a column stands in each row.
    pub(crate) fn find(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// The same of one that must be there.
    pub(crate) fn column(&self, column: &str) -> Result<usize, StartupError> {
        self.find(column).ok_or_else(|| {
            not_imported(format!(
                "The table {} of the dump has no column {column}: it is of another program, or of a \
                 version that is not known.",
                self.name
            ))
        })
    }
}

/// A dump while it is read.
pub(crate) struct Dump<R> {
    lines: Lines<R>,
    statements: Statements,
    /// Columns of the table whose rows are read; none between two tables.
    columns: Option<usize>,
    fields: Vec<Range<usize>>,
    seen: BTreeSet<(String, String)>,
    is_complete: bool,
}

impl<R: Read> Dump<R> {
    /// Looks at the first bytes, and says what to type where it is no plain dump.
    pub(crate) fn open(inner: R) -> Result<Self, StartupError> {
        let mut lines = Lines::new(inner);
        let beginning = lines.beginning()?;
        if let Some(why) = other_format(beginning) {
            return Err(not_imported(format!("{why} {HOW}")));
        }
        Ok(Self {
            lines,
            statements: Statements::new(),
            columns: None,
            fields: Vec::new(),
            seen: BTreeSet::new(),
            is_complete: false,
        })
    }

    /// The next table that has rows in the dump, past what is left of the last one; `None` at the
    /// end of the dump.
    pub(crate) fn next_table(&mut self) -> Result<Option<Table>, StartupError> {
        while self.next_row()?.is_some() {}
        while self.lines.read_next()? {
            let line = self.lines.line();
            let is_between = self.statements.is_between();
            if is_between && line == COMPLETE {
                self.is_complete = true;
            }
            if is_between && line.starts_with(b"COPY ") {
                let table = copied(line).ok_or_else(|| self.other_copy())?;
                if !self.seen.insert((table.schema.clone(), table.name.clone())) {
                    return Err(not_imported(format!(
                        "The dump has the table {} twice: dump one database alone, with -d.",
                        table.name
                    )));
                }
                self.columns = Some(table.columns.len());
                self.is_complete = false;
                return Ok(Some(table));
            }
            if is_between && line.starts_with(b"INSERT INTO ") {
                return Err(not_imported(format!("The dump has INSERT statements. {HOW}")));
            }
            let encoding = line.strip_prefix(b"SET client_encoding = ");
            if is_between && encoding.is_some_and(|encoding| encoding != b"'UTF8';") {
                return Err(not_imported(
                    "The dump is not in UTF-8. Make it with `pg_dump --encoding=UTF8`.",
                ));
            }
            self.statements.take(line);
        }
        if !self.is_complete {
            return Err(not_imported(
                "The dump ends before its end: its last line is not there. Make it again, and look \
                 at what pg_dump says.",
            ));
        }
        Ok(None)
    }

    /// The next row of the table; `None` behind its last.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row<'_>>, StartupError> {
        let Some(columns) = self.columns else { return Ok(None) };
        if !self.lines.read_next()? {
            return Err(not_imported(
                "The dump ends in the middle of a table. Make it again, and look at what pg_dump \
                 says.",
            ));
        }
        if self.lines.line() == b"\\." {
            self.columns = None;
            return Ok(None);
        }
        let line = self.lines.line();
        self.fields.clear();
        let mut start = 0;
        for field in line.split(|&byte| byte == b'\t') {
            self.fields.push(start..start + field.len());
            start += field.len() + 1;
        }
        if self.fields.len() != columns {
            return Err(not_imported(format!(
                "Line {} of the dump has {} columns, and its table has {columns}.",
                self.lines.number(),
                self.fields.len()
            )));
        }
        Ok(Some(Row::new(line, &self.fields, self.lines.number())))
    }

    /// How many bytes were read.
    pub(crate) fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// BLAKE3 of what was read.
    pub(crate) fn hash(&self) -> blake3::Hash {
        self.lines.hash()
    }

    fn other_copy(&self) -> StartupError {
        let number = self.lines.number();
        not_imported(format!("Line {number} of the dump is no COPY that pg_dump writes. {HOW}"))
    }
}

/// Why these are not the first bytes of a plain dump, where they are of a format that is known.
fn other_format(beginning: &[u8]) -> Option<&'static str> {
    let is_tar = beginning.get(257..262) == Some(b"ustar");
    Some(match beginning {
        [] => "The dump is empty.",
        [b'P', b'G', b'D', b'M', b'P', ..] => {
            "The dump has the custom format; `pg_restore --file=- FILE | vomeet import -` reads it."
        }
        [0x1f, 0x8b, ..] => {
            "The dump is compressed; `gunzip --stdout FILE | vomeet import -` reads it."
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "The dump is compressed; `zstd --decompress --stdout FILE | vomeet import -` reads it."
        }
        [0x04, 0x22, 0x4d, 0x18, ..] => {
            "The dump is compressed; `lz4 -d FILE - | vomeet import -` reads it."
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            "The dump is UTF-16, as PowerShell writes it; use `pg_dump --file=FILE`."
        }
        _ if is_tar => {
            "The dump has the tar format; `pg_restore --file=- FILE | vomeet import -` reads it."
        }
        _ => return None,
    })
}

/// `COPY public.users (id, email) FROM stdin;`
fn copied(line: &[u8]) -> Option<Table> {
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("COPY ")?;
    let (schema, rest) = name(rest)?;
    let (table, rest) = name(rest.strip_prefix('.')?)?;
    let mut rest = rest.trim_start();
    let mut columns = Vec::new();
    if let Some(listed) = rest.strip_prefix('(') {
        rest = listed;
        loop {
            let (column, after) = name(rest)?;
            columns.push(column);
            if let Some(end) = after.strip_prefix(')') {
                rest = end.trim_start();
                break;
            }
            rest = after.strip_prefix(", ")?;
        }
    }
    let label = match schema.as_str() {
        "public" => table.clone(),
        _ => format!("{schema}.{table}"),
    };
    (rest == "FROM stdin;").then_some(Table { schema, name: table, label, columns })
}

/// A name, in double quotes or without, and what follows.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let is_other = |c: char| !(c.is_alphanumeric() || c == '_' || c == '$');
        let end = text.find(is_other)?;
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

mod tests;
