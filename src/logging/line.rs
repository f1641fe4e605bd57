//! A line of the log: as text, or as a JSON object with the same message and its fields.

use crate::clock::Clock;
use crate::domain::Time;
use env_logger::fmt::Formatter;
use log::kv::{self, Key, Value, VisitSource};
use log::{Level, Record};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Time, level and message.
    #[default]
    Text,
    /// A JSON object in each line.
    Json,
}

/// Writes a record as a line. For the journal of systemd each line begins with its priority, which
/// the journal takes away (`sd-daemon(3)`).
pub(super) fn formatter(
    format: LogFormat,
    for_journal: bool,
) -> impl Fn(&mut Formatter, &Record<'_>) -> io::Result<()> {
    let last_second = Mutex::new(Second::default());
    move |line, record| {
        if for_journal {
            line.write_all(priority(record.level()))?;
        }
        let now = Clock::system().now();
        if format == LogFormat::Json {
            return write_json(line, record, now);
        }
        let mut second = last_second.lock().unwrap_or_else(PoisonError::into_inner);
        second.set(now);
        line.write_all(second.text.as_bytes())?;
        // Formatting the message may log another one, so the lock must be free.
        drop(second);
        line.write_all(level(record.level()))?;
        writeln!(line, "{}", record.args())
    }
}

/// Writes that lines were dropped, as a line like the others.
pub(super) fn write_dropped(
    out: &mut impl Write,
    format: LogFormat,
    for_journal: bool,
    count: usize,
) -> io::Result<()> {
    let now = Clock::system().now();
    if for_journal {
        out.write_all(priority(Level::Warn))?;
    }
    let message = format!("{count} log lines were dropped: standard error is read too slowly");
    if format == LogFormat::Json {
        let mut record = Record::builder();
        record.level(Level::Warn).target(module_path!());
        return write_json(out, &record.args(format_args!("{message}")).build(), now);
    }
    let mut second = Second::default();
    second.set(now);
    out.write_all(second.text.as_bytes())?;
    out.write_all(level(Level::Warn))?;
    writeln!(out, "{message}")
}

/// The level between two spaces, as wide as the widest; the usual padding costs a third of the
/// line.
fn level(level: Level) -> &'static [u8] {
    match level {
        Level::Error => b" ERROR ",
        Level::Warn => b" WARN  ",
        Level::Info => b" INFO  ",
        Level::Debug => b" DEBUG ",
        Level::Trace => b" TRACE ",
    }
}

/// The priority of a level, as syslog numbers them.
fn priority(level: Level) -> &'static [u8] {
    match level {
        Level::Error => b"<3>",
        Level::Warn => b"<4>",
        Level::Info => b"<6>",
        Level::Debug | Level::Trace => b"<7>",
    }
}

/// The text of the latest second: most lines share it with the line before, and formatting costs
/// more than comparing.
#[derive(Default)]
struct Second {
    number: i64,
    text: String,
}

impl Second {
    fn set(&mut self, now: Time) {
        let number = now.as_millis().div_euclid(1000);
        if self.number != number || self.text.is_empty() {
            self.number = number;
            self.text = Time::from_millis(number * 1000).to_string();
        }
    }
}

/// Writes the object: time, level, the part of the program, the message, and the record's fields.
fn write_json(line: &mut impl Write, record: &Record<'_>, now: Time) -> io::Result<()> {
    let mut object = serde_json::Map::new();
    let mut add = |name: &str, value: String| object.insert(name.to_owned(), value.into());
    add("time", now.to_string());
    add("level", record.level().as_str().to_lowercase());
    add("target", record.target().to_owned());
    add("message", record.args().to_string());
    let mut fields = Fields(object);
    // The fields are the program's own and can all be read.
    let _ = record.key_values().visit(&mut fields);
    serde_json::to_writer(&mut *line, &fields.0)?;
    line.write_all(b"\n")
}

/// The members of the object. A field does not replace one of the record's own.
struct Fields(serde_json::Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let json = match value.to_u64() {
            Some(number) => number.into(),
            None => value.to_string().into(),
        };
        self.0.entry(key.as_str()).or_insert(json);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_lines_were_dropped_is_a_line_like_the_others() {
        for (format, for_journal) in [(LogFormat::Text, true), (LogFormat::Json, false)] {
            let mut line = Vec::new();
            write_dropped(&mut line, format, for_journal, 7).expect("written");
            let text = String::from_utf8(line).expect("UTF-8");
            match format {
                LogFormat::Text => {
                    assert!(text.starts_with("<4>20") && text.contains(" WARN  7 log"), "{text}");
                }
                LogFormat::Json => {
                    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                    assert_eq!(json["level"], "warn");
                    assert!(json["message"].as_str().is_some_and(|m| m.starts_with("7 log lines")));
                }
            }
        }
    }

    #[test]
    fn a_json_line_is_one_object_whatever_the_message_is() {
        let fields =
            [("us", Value::from(12u64)), ("id", Value::from("a\"b")), ("level", Value::from("no"))];
        let message = format_args!("two\nlines and \"quotes\"");
        let record = Record::builder()
            .args(message)
            .level(Level::Warn)
            .target("access")
            .key_values(&fields)
            .build();
        let mut line = Vec::new();
        write_json(&mut line, &record, Time::from_millis(1_760_097_600_120)).expect("written");
        let text = String::from_utf8(line).expect("UTF-8");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = serde_json::json!({
            "time": "2025-10-10T12:00:00.120Z", "level": "warn", "target": "access",
            "message": "two\nlines and \"quotes\"", "us": 12, "id": "a\"b",
        });
        assert_eq!(json, expected);
    }
}
