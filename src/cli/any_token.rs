//! `vomeet token`: the commands that need the data, and the one that does not.

use crate::cli::Place;
use crate::cli::reach::{Missing, with_client};
use crate::cli::token::{self, TokenCommand};
use crate::cli::token_hash;
use crate::exit::StartupError;
use clap::Subcommand;

/// The commands of `vomeet token`.
#[derive(Subcommand)]
pub(super) enum AnyTokenCommand {
    #[command(flatten)]
    Stored(TokenCommand),
    /// Print the hash of a token, as `tokens` of `[[users]]` in vomeet.toml takes it
    Hash(token_hash::HashArgs),
}

impl AnyTokenCommand {
    /// Runs the command.
    pub(super) fn run(self, place: Place) -> Result<(), StartupError> {
        match self {
            Self::Hash(args) => token_hash::run(&args),
            Self::Stored(command) => {
                let output = place.output;
                with_client(place, Missing::Refuse, async |client| {
                    token::run(client, output, command).await
                })
            }
        }
    }
}
