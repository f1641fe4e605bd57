//! `vomeet token hash`: the hash of a token, for `[[users]]` in `vomeet.toml`. The token is never
//! an argument, because other users of the machine can read those.

use crate::cli::print::{note, say};
use crate::domain::PlainToken;
use crate::domain::configured::ConfiguredToken;
use crate::exit::{Code, StartupError};
use clap::Args;
use std::io::{IsTerminal, Read, Write};

/// Longest input in bytes: more than a token with white space around it.
const INPUT_BYTES_MAX: u64 = 4096;

/// Arguments of `token hash`.
#[derive(Args)]
pub(super) struct HashArgs {
    /// Generate a new token: it is printed once, to standard error, and its hash to standard output
    #[arg(long)]
    new: bool,
}

/// Prints `HINT:HASH` of the token on standard input, or of a new one.
pub(super) fn run(args: &HashArgs) -> Result<(), StartupError> {
    let token = match args.new {
        true => generate()?,
        false => read()?,
    };
    say(format_args!("{token}\n"))
}

fn generate() -> Result<ConfiguredToken, StartupError> {
    let no_randomness =
        || StartupError::new(Code::Config, "The system gives no randomness; try again.");
    let token = PlainToken::generate().map_err(|_| no_randomness())?;
    // To standard error, so that `>> vomeet.toml` writes the hash alone and the token to no disk.
    let shown = writeln!(std::io::stderr().lock(), "{}", token.reveal());
    if let Err(error) = shown {
        let message =
            format!("The token cannot be shown on standard error ({error}); its hash is dropped.");
        return Err(StartupError::new(Code::OutputLost, message));
    }
    ConfiguredToken::of(token.reveal().as_bytes()).ok_or_else(no_randomness)
}

fn read() -> Result<ConfiguredToken, StartupError> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        note("Type the token, then press Enter and Ctrl-D:");
    }
    let mut bytes = Vec::new();
    let read = input.by_ref().take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
    if let Err(error) = read {
        let message = format!("Cannot read standard input ({error}).");
        return Err(StartupError::new(Code::Config, message));
    }
    match ConfiguredToken::of(without_mark(&bytes).trim_ascii()) {
        Some(token) => Ok(token),
        None => Err(StartupError::new(
            Code::Config,
            "Standard input holds no token of 40 letters and digits with a right checksum; copy it \
             again, or make one with --new.",
        )),
    }
}

/// Without the byte order mark with which some programs begin a text.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}
