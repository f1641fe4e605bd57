//! `traceparent`: the trace that a request belongs to, for the log (W3C Trace Context, section 3.2).

use hyper::header::{HeaderName, HeaderValue};

/// The header.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Version, id of the trace, id of the caller's span, flags: `00-<32>-<16>-<2>`.
const CHARS: usize = 55;

/// The ids of a trace and of the span that called.
pub(crate) struct Trace(HeaderValue);

impl Trace {
    /// Of a header in the form that every version has.
    pub(crate) fn of(header: &HeaderValue) -> Option<Self> {
        is_sound(header.as_bytes()).then(|| Self(header.clone()))
    }

    /// The header.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// The id of the trace, 32 hexadecimal digits.
    pub(crate) fn id(&self) -> &str {
        self.part(3..35)
    }

    /// The id of the span that called, 16 hexadecimal digits.
    pub(crate) fn span(&self) -> &str {
        self.part(36..52)
    }

    fn part(&self, range: std::ops::Range<usize>) -> &str {
        self.0.to_str().ok().and_then(|text| text.get(range)).unwrap_or("-")
    }
}

fn is_sound(value: &[u8]) -> bool {
    let Some((known, rest)) = value.split_at_checked(CHARS) else { return false };
    let parts: Vec<&[u8]> = known.split(|&byte| byte == b'-').collect();
    let [version, id, span, flags] = parts[..] else { return false };
    let lengths = [version.len(), id.len(), span.len(), flags.len()];
    if lengths != [2, 32, 16, 2] || !parts.concat().into_iter().all(is_hex) {
        return false;
    }
    let is_zero = |part: &[u8]| part.iter().all(|&byte| byte == b'0');
    // A later version may have more behind a dash; version 255 is none.
    let has_end = rest.is_empty() || (version != b"00" && rest[0] == b'-');
    version != b"ff" && has_end && !is_zero(id) && !is_zero(span)
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn trace(value: &str) -> Option<(String, String)> {
        let header = HeaderValue::from_str(value).expect("a header");
        Trace::of(&header).map(|trace| (trace.id().to_owned(), trace.span().to_owned()))
    }

    #[test]
    fn a_sound_header_gives_both_ids() {
        for sound in [format!("00-{ID}-{SPAN}-01"), format!("cc-{ID}-{SPAN}-00-more")] {
            assert_eq!(trace(&sound), Some((ID.to_owned(), SPAN.to_owned())), "{sound}");
        }
    }

    #[test]
    fn anything_else_is_passed_over() {
        let zeros = "0".repeat(32);
        for wrong in [
            String::new(),
            "00".to_owned(),
            format!("00-{ID}-{SPAN}"),
            format!("00-{ID}-{SPAN}-01-more"),
            format!("cc-{ID}-{SPAN}-00more"),
            format!("ff-{ID}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", ID.to_uppercase()),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{ID}-{}-01", &zeros[..16]),
            format!("00_{ID}-{SPAN}-01"),
            format!("00-{ID}0{}-01", &SPAN[..16]),
        ] {
            assert_eq!(trace(&wrong), None, "{wrong}");
        }
    }
}
