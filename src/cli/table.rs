//! What people read: tables, and one thing field by field. Nothing that is stored can steer the terminal.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// A title, and where its value is in the JSON (RFC 6901).
pub type Column = (&'static str, &'static str);

/// What stands where there is nothing.
const NOTHING: &str = "-";
const GAP: &str = "  ";

/// Rows under their titles.
pub fn table(columns: &[Column], rows: &[Value]) -> String {
    let titles: Vec<String> = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, place)| cell(row.pointer(place))).collect());
    align(&std::iter::once(titles).chain(cells).collect::<Vec<_>>())
}

/// One thing, a line for each field that it has.
pub fn card(fields: &[Column], thing: &Value) -> String {
    let known = fields.iter().filter_map(|(title, place)| Some((*title, thing.pointer(place)?)));
    align(&known.map(|(title, value)| vec![title.to_owned(), cell(Some(value))]).collect::<Vec<_>>())
}

fn align(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| lines.iter().map(|line| line[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width())));
            text.push_str(GAP);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => NOTHING.to_owned(),
        Some(Value::String(text)) if text.is_empty() => NOTHING.to_owned(),
        Some(Value::String(text)) => plain(text).into_owned(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::Array(items)) if items.is_empty() => NOTHING.to_owned(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(", "),
        Some(other) => plain(&other.to_string()).into_owned(),
    }
}

/// Text in one line, without what steers a terminal: such characters are written as JSON writes them, so JSON stays the
/// same JSON.
pub fn plain(text: &str) -> Cow<'_, str> {
    without(text, is_steering)
}

/// The same for text of several lines.
pub fn plain_lines(text: &str) -> Cow<'_, str> {
    without(text, |c| c != '\n' && is_steering(c))
}

fn without(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
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

/// Control characters, and what changes the direction of text or cannot be seen.
fn is_steering(c: char) -> bool {
    let is_format = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
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
    fn nothing_steers_the_terminal_and_json_stays_the_same() {
        let name = "a\u{1b}]0;x\u{7}b\u{9b}31mc\u{202e}d\r\ne\u{7f}\u{200b}";
        let json = json!({ "name": name }).to_string();
        for shown in [plain(name), plain(&json), plain_lines(&json)] {
            assert!(!shown.contains(is_steering), "{shown:?}");
        }
        let read: Value = serde_json::from_str(&plain_lines(&json)).expect("JSON");
        assert_eq!(read["name"], name);
        assert_eq!(plain_lines("a\nb"), "a\nb");
    }
}
