//! Replies of the Redis protocol, in either version.

/// The version of the protocol that a client has chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Resp2,
    Resp3,
}

impl Version {
    /// Its number in `HELLO`.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// Replies that wait to be sent.
#[derive(Debug)]
pub(crate) struct Replies {
    /// The version in which they are written.
    pub version: Version,
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Replies {
    /// None yet, in the version with which every connection begins.
    pub(crate) fn new() -> Self {
        Self { version: Version::Resp2, bytes: Vec::new() }
    }

    /// `+OK`.
    pub(crate) fn ok(&mut self) {
        self.simple("OK");
    }

    /// A short text of the server's own.
    pub(crate) fn simple(&mut self, text: &'static str) {
        self.line('+', text);
    }

    /// An error: its code, and a sentence. Control characters in it become spaces.
    pub(crate) fn error(&mut self, text: &str) {
        let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.line('-', &plain);
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, number: i64) {
        self.line(':', &number.to_string());
    }

    /// Any bytes.
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        self.line('$', &bytes.len().to_string());
        self.bytes.extend_from_slice(bytes);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Nothing.
    pub(crate) fn null(&mut self) {
        match self.version {
            Version::Resp2 => self.line('$', "-1"),
            Version::Resp3 => self.line('_', ""),
        }
    }

    /// The beginning of a list of `count` replies.
    pub(crate) fn array(&mut self, count: usize) {
        self.line('*', &count.to_string());
    }

    /// The beginning of a map: `count` names, each followed by its value.
    pub(crate) fn map(&mut self, count: usize) {
        match self.version {
            Version::Resp2 => self.array(2 * count),
            Version::Resp3 => self.line('%', &count.to_string()),
        }
    }

    /// The beginning of a push of `count` parts: what is no reply to a command.
    pub(crate) fn push(&mut self, count: usize) {
        match self.version {
            Version::Resp2 => self.array(count),
            Version::Resp3 => self.line('>', &count.to_string()),
        }
    }

    fn line(&mut self, mark: char, text: &str) {
        self.bytes.extend(mark.to_string().bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_written_as_the_protocol_has_them() {
        for (version, expected) in [
            (Version::Resp2, "+OK\r\n-ERR a b\r\n:-7\r\n$2\r\nhi\r\n$-1\r\n*1\r\n*4\r\n*3\r\n"),
            (Version::Resp3, "+OK\r\n-ERR a b\r\n:-7\r\n$2\r\nhi\r\n_\r\n*1\r\n%2\r\n>3\r\n"),
        ] {
            let mut replies = Replies { version, bytes: Vec::new() };
            replies.ok();
            replies.error("ERR a\nb");
            replies.integer(-7);
            replies.bulk(b"hi");
            replies.null();
            replies.array(1);
            replies.map(2);
            replies.push(3);
            assert_eq!(String::from_utf8_lossy(&replies.bytes), expected, "{version:?}");
        }
    }
}
