//! The forms of files that only engines read, told by their first bytes, else by their names.

/// What callers are told of a file of another form.
pub(crate) const FORMS: &str = "This file is of no form that is known here. WAV and Ogg with Opus always work; mp3, \
     m4a, mp4, webm and flac work where an engine is configured that takes them.";

/// Endings of names, as engines know them.
const ENDINGS: [&str; 8] = ["mp3", "mpga", "mpeg", "m4a", "mp4", "webm", "flac", "ogg"];

/// The ending of the name by which engines know the form of a file; `None` where it is of none of
/// theirs.
pub(crate) fn form_of(first: &[u8], name: &str) -> Option<&'static str> {
    if first.starts_with(b"ID3") || is_mpeg_frame(first) {
        return Some("mp3");
    }
    if first.get(4..8) == Some(b"ftyp") {
        let is_sound = first.get(8..11) == Some(b"M4A");
        return Some(if is_sound { "m4a" } else { "mp4" });
    }
    if first.starts_with(b"\x1a\x45\xdf\xa3") {
        return Some("webm");
    }
    if first.starts_with(b"fLaC") {
        return Some("flac");
    }
    if first.starts_with(b"OggS") {
        return Some("ogg");
    }
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.into_iter().find(|known| *known != "ogg" && ending.eq_ignore_ascii_case(known))
}

/// Whether a frame of MPEG audio, of layer 3, begins here: eleven bits of one, and the layer.
fn is_mpeg_frame(first: &[u8]) -> bool {
    match first {
        [0xff, second, ..] => second & 0xe6 == 0xe2,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_bytes_and_then_by_names() {
        for (first, name, expected) in [
            (&b"ID3\x04\0\0"[..], "", Some("mp3")),
            (b"\xff\xfb\x90\0", "a.wav", Some("mp3")),
            (b"\0\0\0\x20ftypM4A ", "", Some("m4a")),
            (b"\0\0\0\x20ftypisom", "a.m4a", Some("mp4")),
            (b"\x1a\x45\xdf\xa3", "", Some("webm")),
            (b"fLaC", "", Some("flac")),
            (b"OggS\0\x02", "", Some("ogg")),
            (b"????", "talk.MP3", Some("mp3")),
            (b"????", "talk.txt", None),
            (b"????", "ogg", None),
            (b"", "", None),
        ] {
            assert_eq!(form_of(first, name), expected, "{first:?} {name}");
        }
    }
}
