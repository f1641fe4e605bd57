//! The token of the metrics: read from its file, and needed where others reach them.

use crate::config::key_strength::{CHARS_MIN, weakness};
use crate::config::settings::Config;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Most bytes of the file that are read.
const BYTES_MAX: u64 = 4096;
/// What others than the owner may not have of the file.
const OTHERS: u32 = 0o077;

/// Reads the first line of the file, if one is set; says what is wrong with it.
pub(crate) fn read(config: &mut Config, folder: &Path) -> Result<(), String> {
    let Some(path) = &config.metrics_token_file else { return Ok(()) };
    let shown = path.display();
    let (mode, text) = read_file(&folder.join(path))
        .map_err(|error| format!("metrics_token_file: cannot read {shown} ({error})."))?;
    if mode & OTHERS != 0 {
        return Err(format!(
            "metrics_token_file: others than its owner may open {shown}; `chmod 600` it."
        ));
    }
    let token = text.lines().next().unwrap_or_default().trim().to_owned();
    if let Some(why) = weakness(&token) {
        return Err(format!(
            "metrics_token_file: the token in {shown} {why}; put at least {CHARS_MIN} random \
             characters into its first line (`openssl rand -hex 24` makes some)."
        ));
    }
    config.metrics_token = token;
    Ok(())
}

/// The mode of a file, and its text.
fn read_file(path: &Path) -> io::Result<(u32, String)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok((mode, text))
}
