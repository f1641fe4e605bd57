//! One row of a `COPY` block: its fields, unescaped and read as what their columns are.

use crate::domain::Time;
use crate::exit::StartupError;
use crate::import::lines::not_imported;
use crate::import::zone::Zone;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Display;
use std::ops::Range;

/// A row. `None` stands for NULL, and for a column that the table does not have.
pub(crate) struct Row<'a> {
    line: &'a [u8],
    fields: &'a [Range<usize>],
    number: u64,
    is_lossy: Cell<bool>,
    is_beyond: Cell<bool>,
}

impl<'a> Row<'a> {
    pub(super) fn new(line: &'a [u8], fields: &'a [Range<usize>], number: u64) -> Self {
        Self { line, fields, number, is_lossy: Cell::new(false), is_beyond: Cell::new(false) }
    }

    /// Whether a text of it was no UTF-8.
    pub(crate) fn is_lossy(&self) -> bool {
        self.is_lossy.get()
    }

    /// Whether a time of it is beyond what is kept.
    pub(crate) fn is_beyond(&self) -> bool {
        self.is_beyond.get()
    }

    /// The bytes of a field.
    pub(crate) fn bytes(&self, at: impl Into<Option<usize>>) -> Option<Cow<'a, [u8]>> {
        let field = self.fields.get(at.into()?)?;
        match &self.line[field.clone()] {
            b"\\N" => None,
            bytes if bytes.contains(&b'\\') => Some(Cow::Owned(unescaped(bytes))),
            bytes => Some(Cow::Borrowed(bytes)),
        }
    }

    /// A text. What is no UTF-8 in it is replaced.
    pub(crate) fn text(&self, at: impl Into<Option<usize>>) -> Option<Cow<'a, str>> {
        match self.bytes(at)? {
            Cow::Borrowed(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Some(Cow::Borrowed(text)),
                Err(_) => Some(Cow::Owned(self.lossy(bytes))),
            },
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Some(Cow::Owned(text)),
                Err(error) => Some(Cow::Owned(self.lossy(error.as_bytes()))),
            },
        }
    }

    fn lossy(&self, bytes: &[u8]) -> String {
        self.is_lossy.set(true);
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// A text of one line without blanks around it; control characters in it become spaces.
    pub(crate) fn line(&self, at: impl Into<Option<usize>>) -> Option<String> {
        let text = self.text(at)?;
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let plain = plain.trim();
        (!plain.is_empty()).then(|| plain.to_owned())
    }

    /// A whole number.
    pub(crate) fn integer(
        &self,
        at: impl Into<Option<usize>>,
    ) -> Result<Option<i64>, StartupError> {
        let Some(text) = self.text(at) else { return Ok(None) };
        let number = text.parse().map_err(|_| self.wrong("a whole number", &text))?;
        Ok(Some(number))
    }

    /// An id that must be there, from 1 on.
    pub(crate) fn id(&self, at: usize) -> Result<i64, StartupError> {
        let id = self.integer(at)?;
        let is_exact = |id: &i64| (1..1 << 53).contains(id);
        id.filter(is_exact).ok_or_else(|| self.wrong("an id", &self.text(at).unwrap_or_default()))
    }

    /// `t` or `f`.
    pub(crate) fn flag(&self, at: impl Into<Option<usize>>) -> Result<Option<bool>, StartupError> {
        let Some(text) = self.text(at) else { return Ok(None) };
        match &*text {
            "t" => Ok(Some(true)),
            "f" => Ok(Some(false)),
            other => Err(self.wrong("t or f", other)),
        }
    }

    /// A number, which may be none or infinite.
    pub(crate) fn number(&self, at: impl Into<Option<usize>>) -> Result<Option<f64>, StartupError> {
        let Some(text) = self.text(at) else { return Ok(None) };
        let number = text.parse().map_err(|_| self.wrong("a number", &text))?;
        Ok(Some(number))
    }

    /// A time; one without an offset is of this zone. What is infinite is none, and so is, with a
    /// mark on the row, what lies before the year 1 or after 9999.
    pub(crate) fn time(
        &self,
        at: impl Into<Option<usize>>,
        zone: &Zone,
    ) -> Result<Option<Time>, StartupError> {
        let Some(text) = self.text(at) else { return Ok(None) };
        if matches!(&*text, "infinity" | "-infinity") {
            return Ok(None);
        }
        if text.ends_with(" BC") || is_late(&text) {
            self.is_beyond.set(true);
            return Ok(None);
        }
        let time = zone.read(&text).ok_or_else(|| self.wrong("a time", &text))?;
        Ok(Some(time))
    }

    /// When a key ends: in 1970 for what is before all times, so that it opens nothing here either.
    pub(crate) fn end(
        &self,
        at: impl Into<Option<usize>>,
        zone: &Zone,
    ) -> Result<Option<Time>, StartupError> {
        let at = at.into();
        let text = self.text(at).unwrap_or_default();
        if text == "-infinity" || text.ends_with(" BC") {
            return Ok(Some(Time::from_millis(0)));
        }
        self.time(at, zone)
    }

    /// The words of an array of text, `{bot,tx}`.
    pub(crate) fn words(&self, at: impl Into<Option<usize>>) -> Option<Vec<String>> {
        let text = self.text(at)?;
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))?;
        let words = inner.split(',').map(|word| word.trim_matches('"').to_owned());
        Some(words.filter(|word| !word.is_empty()).collect())
    }

    fn wrong(&self, what: &str, text: &(impl Display + ?Sized)) -> StartupError {
        let shown: String = text.to_string().chars().take(40).collect();
        let number = self.number;
        not_imported(format!("Line {number} of the dump has {shown:?} in the place of {what}."))
    }
}

/// Whether a time is of the last hours of the year 9999, or later.
fn is_late(text: &str) -> bool {
    let year_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    year_digits > 4 || text.starts_with("9999-12-3")
}

/// Takes the escapes of `COPY` out of a field (its "Text Format").
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'\\' {
            plain.push(*byte);
            continue;
        }
        let Some((&escape, after)) = rest.split_first() else {
            plain.push(b'\\');
            break;
        };
        rest = after;
        match escape {
            b'b' => plain.push(8),
            b'f' => plain.push(12),
            b'n' => plain.push(b'\n'),
            b'r' => plain.push(b'\r'),
            b't' => plain.push(b'\t'),
            b'v' => plain.push(11),
            b'0'..=b'7' => {
                let (value, count) = digits(rest, escape - b'0', 8, 2);
                plain.push(value);
                rest = &rest[count..];
            }
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
                let (value, count) = digits(rest, 0, 16, 2);
                plain.push(value);
                rest = &rest[count..];
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The byte that at most `max` more digits make, and how many they are.
fn digits(rest: &[u8], first: u8, base: u8, max: usize) -> (u8, usize) {
    let (mut value, mut count) = (first, 0);
    for &byte in rest.iter().take(max) {
        let Some(digit) = char::from(byte).to_digit(base.into()) else { break };
        value = value.wrapping_mul(base).wrapping_add(digit.to_le_bytes()[0]);
        count += 1;
    }
    (value, count)
}
