//! The body of a request: `multipart/form-data` (RFC 7578).

use bytes::Bytes;
use hyper::header::HeaderValue;
use std::fmt::Write;

/// What is said in a request besides the sound.
pub(super) struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// An empty form, for a body of about this length. `random` makes its boundary, which no part
    /// may hold.
    pub(super) fn new(random: [u8; 16], bytes: usize) -> Self {
        let mut boundary = "vomeet-".to_owned();
        for byte in random {
            // Writing to a string does not fail.
            let _ = write!(boundary, "{byte:02x}");
        }
        Self { boundary, body: Vec::with_capacity(bytes + 2048) }
    }

    /// Adds a field.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n",
            self.boundary
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(value.as_bytes());
        self.body.extend_from_slice(b"\r\n");
    }

    /// Adds the file. Of its name only what cannot end a header is kept.
    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let mut plain: String = name.chars().filter(is_plain).take(80).collect();
        if plain.is_empty() {
            "sound".clone_into(&mut plain);
        }
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{plain}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            self.boundary
        );
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
    }

    /// Its media type and its bytes.
    pub(super) fn end(mut self) -> Option<(HeaderValue, Bytes)> {
        let end = format!("--{}--\r\n", self.boundary);
        self.body.extend_from_slice(end.as_bytes());
        let kind = format!("multipart/form-data; boundary={}", self.boundary);
        let kind = HeaderValue::from_str(&kind).ok()?;
        Some((kind, Bytes::from(self.body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_as_the_standard_has_it() {
        let mut form = Form::new([0xab; 16], 0);
        form.field("model", "tiny");
        form.file("a\"\r\nb/.wav", b"\x00\xff");
        let (kind, body) = form.end().expect("a form");
        let boundary = format!("vomeet-{}", "ab".repeat(16));
        assert_eq!(kind, format!("multipart/form-data; boundary={boundary}"));
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ntiny\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"ab.wav\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let mut expected = expected.into_bytes();
        expected.extend_from_slice(b"\x00\xff\r\n");
        expected.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        assert_eq!(body, expected);
    }
}
