//! `vomeet token hash`: what `[[users]]` in `vomeet.toml` keeps of a token. The token is never an argument: others on the
//! machine can read those.

use crate::cli::say;
use crate::domain::PlainToken;
use crate::domain::configured::ConfiguredToken;
use crate::exit::{Code, StartupError};
use clap::Args;
use std::io::{IsTerminal, Read};

/// More than a token with what may surround it, in bytes.
const INPUT_BYTES_MAX: u64 = 4096;

/// Of which token.
#[derive(Args)]
pub struct HashArgs {
    /// Make a new token: it is printed once, to standard error, and its hash to standard output
    #[arg(long)]
    new: bool,
}

/// Prints `HINT:HASH` of the token on standard input, or of a new one.
pub fn run(args: &HashArgs) -> Result<(), StartupError> {
    let declared = if args.new { make()? } else { read()? };
    say(format_args!("{declared}\n"));
    Ok(())
}

fn make() -> Result<ConfiguredToken, StartupError> {
    let cannot = || StartupError::new(Code::Config, "The system gives no randomness; try again.");
    let token = PlainToken::generate().map_err(|_| cannot())?;
    // So that `>> vomeet.toml` takes the hash alone, and the token is on no disk.
    eprintln!("{}", token.reveal());
    ConfiguredToken::of(token.reveal().as_bytes()).ok_or_else(cannot)
}

fn read() -> Result<ConfiguredToken, StartupError> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        eprintln!("Type the token, then press Enter and Ctrl-D:");
    }
    let mut bytes = Vec::new();
    let read = input.by_ref().take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(|error| StartupError::new(Code::Config, format!("Cannot read standard input ({error}).")))?;
    ConfiguredToken::of(bytes.trim_ascii()).ok_or_else(|| {
        let message = "Standard input holds no token of 40 letters and digits with a right checksum; copy it again, or make one with --new.";
        StartupError::new(Code::Config, message)
    })
}
