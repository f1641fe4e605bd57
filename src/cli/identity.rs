//! Keys of encrypted backups: `vomeet backup key` makes a pair, `--identity` names a private one.

use crate::cli::output::Output;
use crate::cli::print::{note, say};
use crate::cli::reach::shown;
use crate::config::{OTHERS, read_file};
use crate::encryption::{Identity, generate};
use crate::exit::{Code, StartupError};
use crate::features::require;
use crate::store::create_new;
use serde_json::json;
use std::io::{self, Write};
use std::path::Path;

/// Most bytes of a file of private keys that are read.
const BYTES_MAX: u64 = 64 * 1024;

/// Reads the file of private keys, if one is named.
pub(super) fn read(path: Option<&Path>) -> Result<Option<Identity>, StartupError> {
    let Some(path) = path else { return Ok(None) };
    require("encryption").map_err(|why| invalid(&format!("--identity {why}.")))?;
    let shown = shown(path);
    let (mode, text) = read_file(path, BYTES_MAX)
        .map_err(|error| invalid(&format!("--identity: cannot read {shown} ({error}).")))?;
    if mode & OTHERS != 0 {
        return Err(invalid(&format!(
            "--identity: others than its owner may open {shown}; `chmod 600` it."
        )));
    }
    match Identity::parse(&text) {
        Ok(identity) => Ok(Some(identity)),
        Err(why) => Err(invalid(&format!("--identity: {shown} {why}."))),
    }
}

/// Makes a pair of keys: the private one goes to a new file, or to standard output.
pub(super) fn make_key(output: Output, file: Option<&Path>) -> Result<(), StartupError> {
    require("encryption").map_err(|why| invalid(&format!("`vomeet backup key` {why}.")))?;
    let pair = generate().map_err(|why| StartupError::new(Code::Unavailable, why))?;
    let text = format!("# public key: {}\n{}\n", pair.public, pair.private);
    let Some(file) = file else {
        match output {
            Output::Json => {
                let body = json!({ "public_key": pair.public, "private_key": pair.private });
                say(format_args!("{body}\n"))?;
            }
            Output::Table => say(&text)?,
        }
        note(&next_step(&pair.public, "Keep the private key"));
        return Ok(());
    };
    let shown = shown(file);
    write_new(file, &text).map_err(|error| {
        let message = format!("Cannot write {shown} ({error}); name a new file.");
        StartupError::new(Code::Conflict, message)
    })?;
    match output {
        Output::Json => {
            let body = json!({ "public_key": pair.public, "file": shown });
            say(format_args!("{body}\n"))?;
        }
        Output::Table => say(format_args!("{}\n", pair.public))?,
    }
    note(&next_step(
        &pair.public,
        &format!("Move {shown}, which has the private key, away from here and keep it"),
    ));
    Ok(())
}

fn write_new(file: &Path, text: &str) -> io::Result<()> {
    let mut new = create_new(file)?;
    new.write_all(text.as_bytes())?;
    new.sync_all()
}

/// What to do with the keys.
fn next_step(public: &str, keep: &str) -> String {
    format!(
        "Put this into section [backup] of vomeet.toml, and restart the server:\n\n    encrypt_to = \
         \"{public}\"\n\n{keep} in two safe places that are not the server: without it no \
         encrypted backup can be read."
    )
}

fn invalid(message: &str) -> StartupError {
    StartupError::new(Code::Invalid, message)
}
