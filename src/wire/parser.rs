//! Requests of the Redis protocol: arrays of bulk strings, in RESP2 and in RESP3.
//!
//! Written by hand, because the limits must hold before the bytes are there: how many arguments a
//! request announces, and how long it will be. Crates for the protocol make trees of frames of every
//! kind, and say only afterwards how large they are.

use std::fmt;
use std::ops::Range;

/// Most arguments of a request, its name included.
pub(crate) const ARGUMENTS_MAX: usize = 128;
/// Longest line that says how many arguments follow, or how long one is: no number needs more.
const LINE_BYTES_MAX: usize = 16;
const LINE_END: &[u8] = b"\r\n";

/// What a buffer begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A whole request.
    Request {
        /// Where each argument stands in the buffer; none in an empty request.
        arguments: Vec<Range<usize>>,
        /// How long the request is, in bytes.
        length: usize,
    },
    /// The beginning of one, which is at least so long, in bytes.
    Incomplete(usize),
}

/// Why bytes are no request. The connection is of no use after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Another byte stands where this one should.
    Expected(char, u8),
    /// The number of arguments is none, or too large.
    Arguments,
    /// The length of an argument is none.
    Length,
    /// The request is longer than so many bytes.
    TooLong(usize),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Protocol error: ")?;
        match self {
            Self::Expected(expected, found) => {
                write!(f, "expected '{expected}', got '{}'", found.escape_ascii())
            }
            Self::Arguments => f.write_str("invalid multibulk length"),
            Self::Length => f.write_str("invalid bulk length"),
            Self::TooLong(max) => write!(f, "the command is longer than {max} bytes"),
        }
    }
}

/// Reads the request with which a buffer begins, of at most `bytes_max` bytes. What is too long or
/// no request is refused as soon as that is known.
pub(crate) fn parse(bytes: &[u8], bytes_max: usize) -> Result<Parsed, Malformed> {
    let Some((count, mut at)) = header(bytes, 0, '*', Malformed::Arguments)? else {
        return Ok(Parsed::Incomplete(bytes.len() + 1));
    };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    if count > ARGUMENTS_MAX {
        return Err(Malformed::Arguments);
    }
    let mut arguments = Vec::with_capacity(count);
    for _ in 0..count {
        let Some((length, begin)) = header(bytes, at, '$', Malformed::Length)? else {
            return incomplete(bytes.len() + 1, bytes_max);
        };
        let length = usize::try_from(length).map_err(|_| Malformed::Length)?;
        let end = begin.saturating_add(length);
        let next = end.saturating_add(LINE_END.len());
        if next > bytes.len() {
            return incomplete(next, bytes_max);
        }
        if &bytes[end..next] != LINE_END {
            return Err(Malformed::Expected('\r', bytes[end]));
        }
        arguments.push(begin..end);
        at = next;
    }
    if at > bytes_max {
        return Err(Malformed::TooLong(bytes_max));
    }
    Ok(Parsed::Request { arguments, length: at })
}

fn incomplete(needed: usize, bytes_max: usize) -> Result<Parsed, Malformed> {
    if needed > bytes_max {
        return Err(Malformed::TooLong(bytes_max));
    }
    Ok(Parsed::Incomplete(needed))
}

/// The number in a line that begins with `mark`, and where the next line begins; `None` where the
/// line is not there yet.
fn header(
    bytes: &[u8],
    at: usize,
    mark: char,
    wrong: Malformed,
) -> Result<Option<(i64, usize)>, Malformed> {
    let line = &bytes[at..];
    let Some(&first) = line.first() else { return Ok(None) };
    if char::from(first) != mark {
        return Err(Malformed::Expected(mark, first));
    }
    let Some(end) = line.iter().take(LINE_BYTES_MAX).position(|&byte| byte == b'\r') else {
        return if line.len() < LINE_BYTES_MAX { Ok(None) } else { Err(wrong) };
    };
    let number = number(&line[1..end]).ok_or(wrong)?;
    match line.get(end + 1) {
        Some(b'\n') => Ok(Some((number, at + end + LINE_END.len()))),
        Some(_) => Err(wrong),
        None => Ok(None),
    }
}

/// Digits, or -1.
fn number(digits: &[u8]) -> Option<i64> {
    if digits == b"-1" {
        return Some(-1);
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
#[path = "parser/tests.rs"]
mod tests;
