//! The names of backups in a folder: `vomeet-20251010T120000.000Z.db`, by the time in UTC, so that
//! the order of the names is that of the times. An encrypted one ends in `.db.age`.

use crate::domain::Time;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const BEGIN: &str = "vomeet-";
const SHAPE: &str = "%Y%m%dT%H%M%S%.3fZ";
const END: &str = ".db";
const ENCRYPTED_END: &str = ".age";
/// How the file is called while it is written: `.vomeet-`, random digits, `.partial`.
const PARTIAL_BEGIN: &str = ".vomeet-";
const PARTIAL_END: &str = ".partial";
/// Bytes of randomness in that name.
const RANDOM_BYTES: usize = 16;

/// The name of a backup of this time that is not encrypted.
pub(crate) fn name_of(at: Time) -> String {
    let instant = Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    format!("{BEGIN}{}{END}", instant.strftime(SHAPE))
}

/// The name of a backup of this time, by whether it is encrypted.
pub(crate) fn name_of_kind(at: Time, is_encrypted: bool) -> String {
    let end = if is_encrypted { ENCRYPTED_END } else { "" };
    format!("{}{end}", name_of(at))
}

/// Whether the name is that of an encrypted file.
pub(crate) fn is_encrypted_name(name: &Path) -> bool {
    name.as_os_str().as_bytes().ends_with(ENCRYPTED_END.as_bytes())
}

/// The time of a backup with this name; `None` where the name was not made here.
pub(crate) fn time_of(name: &str) -> Option<Time> {
    let name = name.strip_suffix(ENCRYPTED_END).unwrap_or(name);
    let text = name.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let parsed = DateTime::strptime("%Y%m%dT%H%M%S%.fZ", text).ok()?;
    let instant = Offset::UTC.to_timestamp(parsed).ok()?;
    let at = Time::from_millis(instant.as_millisecond());
    (name_of(at) == name).then_some(at)
}

/// A name for a file that is not finished. It does not say which backup it will be: names have a
/// bound.
pub(crate) fn new_partial_name() -> io::Result<String> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let digits = format!("{:032x}", u128::from_ne_bytes(random));
    Ok(format!("{PARTIAL_BEGIN}{digits}{PARTIAL_END}"))
}

/// Whether a file that is not finished was given this name here.
pub(crate) fn is_partial(name: &str) -> bool {
    let digits = name.strip_prefix(PARTIAL_BEGIN).and_then(|name| name.strip_suffix(PARTIAL_END));
    digits.is_some_and(|digits| {
        digits.len() == 2 * RANDOM_BYTES && digits.chars().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_finished_has_a_name_of_its_own() {
        let names = [(); 2].map(|()| new_partial_name().expect("a name"));
        assert_ne!(names[0], names[1]);
        for name in names {
            assert!(is_partial(&name), "{name}");
            assert!(!is_partial(&name[1..]) && !is_partial(&format!("{name}x")), "{name}");
        }
        for name in ["", ".vomeet-.partial", ".vomeet-mine.partial", "x.db.partial"] {
            assert!(!is_partial(name), "{name}");
        }
    }

    #[test]
    fn a_name_says_its_time_and_no_other_name_does() {
        for (millis, name) in [
            (1_760_097_600_000, "vomeet-20251010T120000.000Z.db"),
            (1_760_097_600_007, "vomeet-20251010T120000.007Z.db"),
        ] {
            assert_eq!(name_of(Time::from_millis(millis)), name);
            assert_eq!(time_of(name), Some(Time::from_millis(millis)));
            let encrypted = name_of_kind(Time::from_millis(millis), true);
            assert_eq!(encrypted, format!("{name}.age"));
            assert_eq!(time_of(&encrypted), Some(Time::from_millis(millis)));
        }
        for name in [
            "",
            "vomeet.db",
            "vomeet-.db",
            "vomeet-20251010T120000Z.db",
            "vomeet-20251010T120000.0000Z.db",
            "vomeet-20251310T120000.000Z.db",
            "vomeet-20251010T120000.000Z.db.partial",
            "vomeet-20251010T120000.000Z.db-wal",
            "vomeet-20251010T120000.000Z.db.age.sha256",
            "vomeet-20251010T120000.000Z.db.age.age",
            "my-vomeet-20251010T120000.000Z.db",
            "vomeet-20251010T120000.000Z.db.old",
        ] {
            assert_eq!(time_of(name), None, "{name}");
        }
    }
}
