//! Forms in any pieces.

#![cfg(test)]

use super::*;
use proptest::prelude::*;

/// A form in pieces.
struct Pieces(Vec<Bytes>);

impl Source for Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(if self.0.is_empty() { None } else { Some(self.0.remove(0)) })
    }
}

fn pieces(body: &[u8], length: usize) -> Pieces {
    Pieces(body.chunks(length.max(1)).map(Bytes::copy_from_slice).collect())
}

/// Name, file name and content of each part.
type Read = Vec<(String, Option<String>, Vec<u8>)>;

async fn read(body: &[u8], length: usize) -> Result<Read> {
    let mut form = Multipart::of(pieces(body, length), "XX");
    let mut read = Vec::new();
    while let Some(part) = form.next_part().await? {
        let mut content = Vec::new();
        while let Some(chunk) = form.next_chunk().await? {
            content.extend_from_slice(&chunk);
        }
        read.push((part.name, part.file_name, content));
    }
    Ok(read)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn form(parts: &[(&str, Option<&str>, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        let file = file_name.map_or_else(String::new, |name| format!("; filename=\"{name}\""));
        let head = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    body
}

proptest! {
    #[test]
    fn a_form_is_the_same_in_pieces_of_any_length(
        contents in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![
                Just(b'\r'), Just(b'\n'), Just(b'-'), Just(b'X'), any::<u8>()
            ], 0..40),
            0..4,
        ),
        length in 1usize..50,
    ) {
        let delimiter = b"\r\n--XX";
        prop_assume!(contents.iter().all(|content| memmem::find(content, delimiter).is_none()));
        let mut parts = Vec::new();
        let mut expected: Read = Vec::new();
        for content in &contents {
            parts.push(("a", Some("b.wav"), content.as_slice()));
            expected.push(("a".to_owned(), Some("b.wav".to_owned()), content.clone()));
        }
        // A content that begins as the delimiter goes on is one with the line break before it.
        prop_assume!(contents.iter().all(|content| !content.starts_with(b"--XX")));
        let found = run(read(&form(&parts), length));
        prop_assert_eq!(found.expect("a form"), expected);
    }
}

#[test]
fn what_is_no_form_is_a_sentence() {
    let whole = form(&[("file", Some("a.wav"), b"sound".as_slice())]);
    for length in [1, 7, 1000] {
        for cut in 0..whole.len() - 4 {
            let outcome = run(read(&whole[..cut], length));
            assert!(matches!(outcome, Err(Error::Malformed(_))), "{cut} {outcome:?}");
        }
    }
    let nameless = b"--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--";
    assert!(matches!(run(read(nameless, 9)), Err(Error::Malformed(BROKEN))));
    let long = [b"--XX\r\n".as_slice(), &[b'a'; HEAD_BYTES_MAX + 10]].concat();
    assert!(matches!(run(read(&long, 100)), Err(Error::Malformed(BROKEN))));
    let many = form(&[("a", None, b"1".as_slice()); PARTS_MAX + 1]);
    assert!(matches!(run(read(&many, 100)), Err(Error::Malformed(TOO_MANY_PARTS))));
}

#[test]
fn boundaries_and_names_are_read_as_clients_write_them() {
    for (content_type, expected) in [
        ("multipart/form-data; boundary=XX", Some("XX")),
        ("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", Some("a b")),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data", None),
        ("application/json; boundary=XX", None),
        ("", None),
    ] {
        assert_eq!(boundary(content_type).as_deref(), expected, "{content_type}");
    }
    let long = format!("multipart/form-data; boundary={}", "x".repeat(71));
    assert_eq!(boundary(&long), None);
    let head = "\r\ncontent-disposition: form-data; filename=\"a \\\"b\\\".wav\"; name=file";
    let part = part_of(head.as_bytes()).expect("a part");
    assert_eq!((part.name.as_str(), part.file_name.as_deref()), ("file", Some("a \"b\".wav")));
    assert_eq!(part_of(b"\r\nContent-Disposition: attachment; name=a"), None);
}
