//! Output for people: tables, and one object field by field. Stored texts cannot send control
//! sequences to the terminal.
//!
//! On a terminal a table is as wide as that, and long cells go on in the line below; elsewhere a
//! row is one line.

use comfy_table::presets::NOTHING as NOTHING_BETWEEN;
use comfy_table::{ColumnConstraint, ContentArrangement, Width as Columns};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write;
use terminal_size::{Width, terminal_size_of};
use unicode_width::UnicodeWidthStr;

/// A title, and where its value is in the JSON (RFC 6901).
pub(super) type Column = (&'static str, &'static str);

/// Shown where there is no value.
const NOTHING: &str = "-";
/// Spaces between two columns.
const GAP: u16 = 2;

/// A table of rows, with titles.
pub(super) fn table(columns: &[Column], rows: &[Value]) -> String {
    table_within(terminal_width(), columns, rows)
}

fn table_within(width: Option<u16>, columns: &[Column], rows: &[Value]) -> String {
    let mut titles = Vec::new();
    for (title, _) in columns {
        titles.push((*title).to_owned());
    }
    let mut lines = vec![titles];
    for row in rows {
        let mut cells = Vec::new();
        for (_, pointer) in columns {
            cells.push(cell(row.pointer(pointer)));
        }
        lines.push(cells);
    }
    aligned(width, lines)
}

/// One object, a line for each field that it has.
pub(super) fn card(fields: &[Column], object: &Value) -> String {
    let mut lines = Vec::new();
    for (title, pointer) in fields {
        if let Some(value) = object.pointer(pointer) {
            lines.push(vec![(*title).to_owned(), cell(Some(value))]);
        }
    }
    aligned(terminal_width(), lines)
}

/// The width of the terminal on standard output, in columns; `None` where standard output is a file
/// or a pipe, for which a row is one line.
fn terminal_width() -> Option<u16> {
    let (Width(columns), _) = terminal_size_of(std::io::stdout())?;
    // Some terminals do not know their size.
    (columns > 0).then_some(columns)
}

fn aligned(width: Option<u16>, lines: Vec<Vec<String>>) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let words = widest_words(&lines);
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING_BETWEEN).add_rows(lines);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    if let Some(width) = width {
        // The last column has no gap behind it.
        let width = width.saturating_add(GAP);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        if words.iter().sum::<usize>() <= usize::from(width) {
            keep_words(&mut table, &words);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end_matches(' '));
        text.push('\n');
    }
    text
}

/// The widest word of each column, with the gap behind it.
fn widest_words(lines: &[Vec<String>]) -> Vec<usize> {
    let mut widest = Vec::new();
    for line in lines {
        widest.resize(line.len(), 0);
        for (widest, cell) in widest.iter_mut().zip(line) {
            for word in cell.split(' ') {
                *widest = word.width().saturating_add(GAP.into()).max(*widest);
            }
        }
    }
    widest
}

/// Where there is room for it no word is broken: half a time, or half a name, is hard to read and
/// to copy.
fn keep_words(table: &mut comfy_table::Table, words: &[usize]) {
    for (column, word) in table.column_iter_mut().zip(words) {
        let word = u16::try_from(*word).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Columns::Fixed(word)));
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::String(text)) if text.is_empty() => NOTHING.to_owned(),
        Some(Value::String(text)) => plain(&without_fraction(text)).into_owned(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => NOTHING.to_owned(),
        Some(Value::Array(items)) => {
            let mut cells = Vec::new();
            for item in items {
                cells.push(cell(Some(item)));
            }
            cells.join(", ")
        }
        Some(other) => plain(&other.to_string()).into_owned(),
    }
}

/// A time to the second, as people read it; other texts as they are.
fn without_fraction(text: &str) -> Cow<'_, str> {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    let is_time = shape.clone().take(20).eq(*b"0000-00-00T00:00:00.");
    let fraction = shape.skip(20).collect::<Vec<u8>>();
    match fraction.as_slice() {
        [digits @ .., b'Z'] if is_time && digits.iter().all(|digit| *digit == b'0') => {
            format!("{}Z", &text[..19]).into()
        }
        _ => text.into(),
    }
}

/// Text in one line, without control sequences for the terminal: such characters are written as
/// JSON writes them, so JSON keeps its meaning.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    escape(text, is_control)
}

/// The same for a text of several lines.
pub(super) fn plain_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_control(c))
}

fn escape(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_bad) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_bad(c) {
            // None of them is beyond 16 bits. Writing into a string does not fail.
            true => _ = write!(clean, "\\u{:04x}", u32::from(c)),
            false => clean.push(c),
        }
    }
    clean.into()
}

/// Control characters, and those that change the direction of text or are invisible.
fn is_control(c: char) -> bool {
    let is_format =
        matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    c.is_control() || is_format || c == '\u{feff}' || c == '\u{61c}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_stand_under_each_other_whatever_is_in_them() {
        let rows = [
            json!({"id": 1, "name": "Ada", "end": null, "list": ["a", "b"]}),
            json!({"id": 20, "name": "会議室", "list": [], "end": true}),
            json!({"id": 300, "name": "Zoë\u{1b}[31m"}),
        ];
        let columns = [("ID", "/id"), ("NAME", "/name"), ("LIST", "/list"), ("END", "/end")];
        insta::assert_snapshot!(table(&columns, &rows), @r"
        ID   NAME           LIST  END
        1    Ada            a, b  -
        20   会議室         -     yes
        300  Zoë\u001b[31m  -     -
        ");
        insta::assert_snapshot!(card(&columns[1..], &rows[0]), @r"
        NAME  Ada
        LIST  a, b
        END   -
        ");
    }

    #[test]
    fn times_are_shown_to_the_second() {
        for (text, shown) in [
            ("2026-11-26T07:54:47.383Z", "2026-11-26T07:54:47Z"),
            ("2026-11-26T07:54:47.000Z", "2026-11-26T07:54:47Z"),
            ("2026-11-26T07:54:47Z", "2026-11-26T07:54:47Z"),
            ("2026-11-26T07:54:47.38x", "2026-11-26T07:54:47.38x"),
            ("at 2026-11-26T07:54:47.383Z", "at 2026-11-26T07:54:47.383Z"),
            ("2026-11-26", "2026-11-26"),
        ] {
            assert_eq!(cell(Some(&json!(text))), shown);
        }
    }

    #[test]
    fn a_table_fits_the_terminal_and_nothing_is_lost() {
        let rows = [
            json!({"id": 1, "name": "a name of several words that is too long"}),
            json!({"id": 2, "name": "会議室会議室会議室会議室"}),
        ];
        let columns = [("ID", "/id"), ("NAME", "/name")];
        insta::assert_snapshot!(table_within(Some(20), &columns, &rows), @r"
        ID  NAME
        1   a name of
            several words
            that is too long
        2   会議室会議室会議
            室会議室
        ");
        let rows = [
            rows[0].clone(),
            rows[1].clone(),
            json!({"id": "2026-11-26T07:54:47.383Z", "name": "a b c d e f g"}),
        ];
        for width in 30..60 {
            let text = table_within(Some(width), &columns, &rows[2..]);
            assert!(text.contains("2026-11-26T07:54:47Z"), "{width}\n{text}");
        }
        for width in 1..60 {
            let text = table_within(Some(width), &columns, &rows);
            assert!(
                width < 10 || text.lines().all(|line| line.width() <= width.into()),
                "{width}\n{text}"
            );
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
            assert_eq!(
                letters(&text),
                letters(&table_within(None, &columns, &rows)),
                "{width}\n{text}"
            );
        }
        let long = "x".repeat(60_000);
        assert!(
            table_within(None, &columns, &[json!({"id": 1, "name": &long})])
                .contains(&format!("1   {long}\n"))
        );
        assert_eq!(table_within(None, &columns, &[]), "ID  NAME\n");
        assert_eq!(card(&columns, &json!({})), "");
    }

    #[test]
    fn nothing_controls_the_terminal_and_json_stays_the_same() {
        let name = "a\u{1b}]0;x\u{7}b\u{9b}31mc\u{202e}d\r\ne\u{7f}\u{200b}";
        let json = json!({ "name": name }).to_string();
        for shown in [plain(name), plain(&json), plain_lines(&json)] {
            assert!(!shown.contains(is_control), "{shown:?}");
        }
        let read: Value = serde_json::from_str(&plain_lines(&json)).expect("JSON");
        assert_eq!(read["name"], name);
        assert_eq!(plain_lines("a\nb"), "a\nb");
    }
}
