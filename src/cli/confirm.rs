//! Asks before anything is deleted or revoked.

use crate::cli::print::prompt;
use crate::exit::{Code, StartupError};
use clap::Args;
use std::io::{IsTerminal, stdin};

/// Whether to ask for confirmation.
#[derive(Args)]
pub(super) struct Consent {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

impl Consent {
    /// Asks on a terminal, unless `--yes` was given. Without a terminal, and without `--yes`, it
    /// refuses.
    pub(super) fn ask(&self, question: &str) -> Result<(), StartupError> {
        self.require_answer(question)?;
        if self.yes { Ok(()) } else { confirm(question) }
    }

    /// Refuses where nobody can be asked and `--yes` was not given.
    pub(super) fn require_answer(&self, question: &str) -> Result<(), StartupError> {
        if self.yes || stdin().is_terminal() {
            return Ok(());
        }
        let message = format!("{question} There is no terminal to ask on; give --yes to do it.");
        Err(StartupError::new(Code::NotConfirmed, message))
    }
}

/// Asks on the terminal that is standard input.
pub(super) fn confirm(question: &str) -> Result<(), StartupError> {
    prompt(&format!("{question} [y/N]"));
    let mut answer = String::new();
    // A terminal that was closed means no.
    let _ = stdin().read_line(&mut answer);
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(StartupError::new(Code::NotConfirmed, "Nothing was done.")),
    }
}
