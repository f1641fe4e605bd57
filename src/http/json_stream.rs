//! Writes one JSON document piece by piece, for responses that are sent in pages.

use crate::error::{Error, Result};
use serde::Serialize;

/// Knows which objects and lists of a document are open, and writes the punctuation between what is
/// added to them.
///
/// Each method writes to the end of `out`, which may be another buffer every time.
#[derive(Default)]
pub(crate) struct JsonStream {
    open: Vec<Level>,
}

/// An object or a list that is open.
struct Level {
    end: u8,
    is_empty: bool,
}

impl JsonStream {
    /// A document of which nothing is written yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Opens an object: the document itself, or an item of the open list.
    pub(crate) fn begin_object(&mut self, out: &mut Vec<u8>) {
        self.separate(out);
        out.push(b'{');
        self.open.push(Level { end: b'}', is_empty: true });
    }

    /// Opens an object with all members of `value`, which is a struct or a map; more members can
    /// follow.
    pub(crate) fn begin_object_with<T: Serialize>(
        &mut self,
        out: &mut Vec<u8>,
        value: &T,
    ) -> Result<()> {
        self.separate(out);
        write(out, value)?;
        let end = out.pop();
        debug_assert_eq!(end, Some(b'}'), "the value is an object");
        let is_empty = out.last() == Some(&b'{');
        self.open.push(Level { end: b'}', is_empty });
        Ok(())
    }

    /// Opens a list, which is a member of the open object.
    pub(crate) fn begin_list(&mut self, out: &mut Vec<u8>, name: &str) -> Result<()> {
        self.name(out, name)?;
        out.push(b'[');
        self.open.push(Level { end: b']', is_empty: true });
        Ok(())
    }

    /// Ends the list or the object that was opened last.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        let level = self.open.pop();
        debug_assert!(level.is_some(), "nothing is open");
        if let Some(level) = level {
            out.push(level.end);
        }
    }

    /// Adds a member to the open object.
    pub(crate) fn member<T: Serialize>(
        &mut self,
        out: &mut Vec<u8>,
        name: &str,
        value: &T,
    ) -> Result<()> {
        self.name(out, name)?;
        write(out, value)
    }

    /// Adds an item to the open list.
    pub(crate) fn item<T: Serialize>(&mut self, out: &mut Vec<u8>, item: &T) -> Result<()> {
        debug_assert!(self.open.last().is_some_and(|level| level.end == b']'), "no list is open");
        self.separate(out);
        write(out, item)
    }

    /// Adds items to the open list.
    pub(crate) fn items<T: Serialize>(&mut self, out: &mut Vec<u8>, items: &[T]) -> Result<()> {
        for item in items {
            self.item(out, item)?;
        }
        Ok(())
    }

    fn name(&mut self, out: &mut Vec<u8>, name: &str) -> Result<()> {
        debug_assert!(self.open.last().is_some_and(|level| level.end == b'}'), "no object is open");
        self.separate(out);
        write(out, name)?;
        out.push(b':');
        Ok(())
    }

    /// Writes the comma before anything but the first of the open list or object.
    fn separate(&mut self, out: &mut Vec<u8>) {
        let Some(level) = self.open.last_mut() else { return };
        if !level.is_empty {
            out.push(b',');
        }
        level.is_empty = false;
    }
}

/// Writes a value on a line of its own (JSON lines).
pub(crate) fn write_line<T: Serialize>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    write(out, value)?;
    out.push(b'\n');
    Ok(())
}

fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<()> {
    match serde_json::to_writer(out, value) {
        Ok(()) => Ok(()),
        Err(error) => Err(Error::Internal(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_of_several_pages_is_one_document() {
        let mut json = JsonStream::new();
        let mut first = Vec::new();
        json.begin_object(&mut first);
        json.member(&mut first, "at", &7).expect("a member");
        json.begin_list(&mut first, "meetings").expect("a list");
        json.begin_object_with(&mut first, &json!({"id": 1})).expect("an object");
        json.begin_list(&mut first, "segments").expect("a list");
        json.items(&mut first, &["a", "b"]).expect("items");
        let mut second = Vec::new();
        json.items(&mut second, &["\"c\""]).expect("items");
        json.end(&mut second);
        json.end(&mut second);
        json.begin_object_with(&mut second, &json!({})).expect("an object");
        json.member(&mut second, "id", &2).expect("a member");
        json.end(&mut second);
        json.end(&mut second);
        json.begin_list(&mut second, "usage").expect("a list");
        json.end(&mut second);
        json.member(&mut second, "next", &None::<i64>).expect("a member");
        json.end(&mut second);
        assert_eq!(
            String::from_utf8_lossy(&first),
            r#"{"at":7,"meetings":[{"id":1,"segments":["a","b""#
        );
        assert_eq!(
            String::from_utf8_lossy(&second),
            r#","\"c\""]},{"id":2}],"usage":[],"next":null}"#
        );
        assert!(json.open.is_empty());
    }

    #[test]
    fn an_empty_object_and_a_line_are_json() {
        let mut out = Vec::new();
        let mut json = JsonStream::new();
        json.begin_object(&mut out);
        json.end(&mut out);
        write_line(&mut out, &json!([1])).expect("a line");
        assert_eq!(out, b"{}[1]\n");
    }
}
