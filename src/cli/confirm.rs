//! Asks before anything is removed.

use crate::cli::table::plain;
use crate::exit::{Code, StartupError};
use clap::Args;
use std::io::{IsTerminal, stdin};

/// Whether to ask.
#[derive(Args)]
pub struct Consent {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

impl Consent {
    /// Asks on a terminal, unless that was answered in advance; where nobody can be asked, nothing is removed.
    pub fn ask(&self, question: &str) -> Result<(), StartupError> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() {
            let message = format!("{question} Nobody can be asked here; say --yes to do it.");
            return Err(StartupError::new(Code::NotConfirmed, message));
        }
        eprint!("{} [y/N] ", plain(question));
        let mut answer = String::new();
        // A terminal that is gone says no.
        let _ = stdin().read_line(&mut answer);
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(StartupError::new(Code::NotConfirmed, "Nothing was done.")),
        }
    }
}
