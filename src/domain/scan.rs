//! Finds tokens in whatever else there is: runs of exactly as many letters and digits as a token
//! has, with a right checksum.

use crate::domain::token::{Hint, PlainToken, TOKEN_CHARS};

/// Where a token was seen; of the token itself, only what a person recognises it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The line, from 1.
    pub line: u64,
    /// The first four characters.
    pub hint: Hint,
}

/// Takes a text in parts of any size, and keeps no more of it than a token is long.
#[derive(Debug)]
pub struct Recogniser {
    line: u64,
    /// The run of letters and digits that the text so far ends with: its beginning, and its length.
    run: [u8; TOKEN_CHARS],
    length: usize,
}

impl Default for Recogniser {
    fn default() -> Self {
        Self { line: 1, run: [0; TOKEN_CHARS], length: 0 }
    }
}

impl Recogniser {
    /// Takes the next part of the text.
    pub fn take(&mut self, part: &[u8], mut seen: impl FnMut(Sighting)) {
        for &byte in part {
            if byte.is_ascii_alphanumeric() {
                if let Some(place) = self.run.get_mut(self.length) {
                    *place = byte;
                }
                self.length = self.length.saturating_add(1);
                continue;
            }
            self.end(&mut seen);
            self.line += u64::from(byte == b'\n');
        }
    }

    /// The text is at its end.
    pub fn end(&mut self, mut seen: impl FnMut(Sighting)) {
        if self.length == TOKEN_CHARS && PlainToken::is_wellformed(&self.run) {
            seen(Sighting { line: self.line, hint: Hint::of(&self.run) });
        }
        self.length = 0;
    }
}

/// The tokens in a text that is in memory.
pub fn sightings(text: &[u8]) -> Vec<Sighting> {
    let mut found = Vec::new();
    let mut recogniser = Recogniser::default();
    recogniser.take(text, |sighting| found.push(sighting));
    recogniser.end(|sighting| found.push(sighting));
    found
}
