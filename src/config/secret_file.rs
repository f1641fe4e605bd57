//! Files whose first line is a secret, for their owner alone.

use crate::config::key_strength::{CHARS_MIN, weakness};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Most bytes of the file that are read.
const BYTES_MAX: u64 = 4096;
/// What others than the owner may not have of a file with a secret, as bits of its mode.
pub(crate) const OTHERS: u32 = 0o077;

/// Reads the first line of the file that the setting `name` names; says what is wrong with it. The
/// secret is called `noun` there.
pub(crate) fn first_line(
    name: &str,
    noun: &str,
    path: &Path,
    folder: &Path,
) -> Result<String, String> {
    let shown = path.display();
    let secret = read_line(name, path, folder)?;
    if let Some(why) = weakness(&secret) {
        return Err(format!(
            "{name}: the {noun} in {shown} {why}; put at least {CHARS_MIN} random characters into \
             its first line (`openssl rand -hex 24` makes some)."
        ));
    }
    Ok(secret)
}

/// The same of a secret that somebody else has chosen, however short it is.
pub(crate) fn secret_line(
    name: &str,
    noun: &str,
    path: &Path,
    folder: &Path,
) -> Result<String, String> {
    let secret = read_line(name, path, folder)?;
    if secret.is_empty() {
        let shown = path.display();
        return Err(format!("{name}: the first line of {shown} is empty; put the {noun} there."));
    }
    Ok(secret)
}

/// The first line of a file that is its owner's alone.
fn read_line(name: &str, path: &Path, folder: &Path) -> Result<String, String> {
    let shown = path.display();
    let (mode, text) = read_file(&folder.join(path), BYTES_MAX)
        .map_err(|error| format!("{name}: cannot read {shown} ({error})."))?;
    if mode & OTHERS != 0 {
        return Err(format!("{name}: others than its owner may open {shown}; `chmod 600` it."));
    }
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The mode of a file, and its text: at most so many bytes of it.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> io::Result<(u32, String)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    let mut text = String::new();
    file.take(bytes_max).read_to_string(&mut text)?;
    Ok((mode, text))
}
