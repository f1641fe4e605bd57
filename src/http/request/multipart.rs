//! Forms with files, `multipart/form-data` (RFC 7578), read piece by piece: no part is in memory as a
//! whole.
//!
//! By hand, because crates for it bring tables of character sets and more crates, and a form needs
//! no more than its boundary.

use crate::error::{Error, Result};
use crate::http::request::streamed::StreamedBody;
use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// Most bytes of the headers of a part.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Most parts of a form.
const PARTS_MAX: usize = 64;
/// Longest boundary (RFC 2046, section 5.1.1).
const BOUNDARY_CHARS_MAX: usize = 70;

const NO_FORM: &str = "Send a form with files: Content-Type multipart/form-data with a boundary.";
const BROKEN: &str = "The form is broken: a part of it has no end, or no headers.";
const TOO_MANY_PARTS: &str = "The form has more than 64 parts.";
const NO_TEXT: &str = "A field of the form is no text in UTF-8, or is too long.";

/// What the headers of a part say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The name of the field.
    pub name: String,
    /// The name of the file, where it is one.
    pub file_name: Option<String>,
}

/// A form that is being read.
pub(crate) struct Multipart<S = StreamedBody> {
    source: S,
    /// The line break, two hyphens and the boundary.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    parts: usize,
    /// Whether the last delimiter was read.
    is_over: bool,
}

/// Where the bytes of a form come from.
pub(crate) trait Source {
    /// The next bytes; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>>> + Send;
}

impl Source for StreamedBody {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Self::next(self).await
    }
}

impl Multipart {
    /// The form of a request body; [`Error::Malformed`] where it is none.
    pub(crate) fn new(body: StreamedBody) -> Result<Self> {
        let boundary = boundary(body.content_type()).ok_or(Error::Malformed(NO_FORM))?;
        Ok(Self::of(body, &boundary))
    }
}

impl<S: Source> Multipart<S> {
    fn of(source: S, boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        // The first delimiter has no line break in front where nothing stands before it.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Self { source, delimiter, buffer, parts: 0, is_over: false }
    }

    /// The next part; `None` after the last one. What was not read of the part before is skipped.
    pub(crate) async fn next_part(&mut self) -> Result<Option<Part>> {
        if self.is_over {
            return Ok(None);
        }
        while self.next_chunk().await?.is_some() {}
        let _ = self.buffer.split_to(self.delimiter.len());
        self.fill_to(2).await?;
        if self.buffer.starts_with(b"--") {
            self.is_over = true;
            while self.source.next().await?.is_some() {}
            return Ok(None);
        }
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(Error::Malformed(TOO_MANY_PARTS));
        }
        let head = self.head().await?;
        part_of(&head).map(Some).ok_or(Error::Malformed(BROKEN))
    }

    /// The next bytes of the part; `None` at its end.
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            match memmem::find(&self.buffer, &self.delimiter) {
                Some(0) => return Ok(None),
                Some(at) => return Ok(Some(self.buffer.split_to(at).freeze())),
                None => {}
            }
            // The end of the buffer may be the beginning of the delimiter.
            let sure = (self.buffer.len() + 1).saturating_sub(self.delimiter.len());
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            self.fill().await?;
        }
    }

    /// The part as a text of at most `bytes_max` bytes.
    pub(crate) async fn text(&mut self, bytes_max: usize) -> Result<String> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next_chunk().await? {
            if bytes.len() + chunk.len() > bytes_max {
                return Err(Error::Malformed(NO_TEXT));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|_| Error::Malformed(NO_TEXT))
    }

    /// The headers of a part: from the end of the delimiter's line to the empty line.
    async fn head(&mut self) -> Result<Bytes> {
        loop {
            if let Some(at) = memmem::find(&self.buffer, b"\r\n\r\n") {
                let head = self.buffer.split_to(at).freeze();
                // The line break before the content is left, where it is empty, for the delimiter.
                let _ = self.buffer.split_to(4);
                return Ok(head);
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(Error::Malformed(BROKEN));
            }
            self.fill().await?;
        }
    }

    async fn fill_to(&mut self, length: usize) -> Result<()> {
        while self.buffer.len() < length {
            self.fill().await?;
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<()> {
        let bytes = self.source.next().await?.ok_or(Error::Malformed(BROKEN))?;
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }
}

/// The boundary that a media type names, if it is that of a form.
fn boundary(content_type: &str) -> Option<String> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    let is_usable = (1..=BOUNDARY_CHARS_MAX).contains(&boundary.len()) && boundary.is_ascii();
    is_usable.then_some(boundary)
}

/// What the headers of a part say; `None` where they do not name a field.
fn part_of(head: &[u8]) -> Option<Part> {
    let head = String::from_utf8_lossy(head);
    for line in head.split("\r\n") {
        let Some((name, value)) = line.split_once(':') else { continue };
        if !name.trim().eq_ignore_ascii_case("content-disposition") {
            continue;
        }
        let (kind, parameters) = value.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let name = parameter(parameters, "name")?;
        return Some(Part { name, file_name: parameter(parameters, "filename") });
    }
    None
}

/// The value of a parameter such as `name="file"`, with or without quotes.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, behind) = value_of(after)?;
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = behind.trim_start().strip_prefix(';')?;
    }
}

/// The value at the beginning of a text, and what follows it.
fn value_of(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut signs = quoted.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(signs.next()?.1),
            _ => value.push(sign),
        }
    }
    None
}

#[cfg(test)]
#[path = "multipart/tests.rs"]
mod tests;
