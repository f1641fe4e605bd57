//! The commands. Here, and in [`crate::config`], arguments, environment and files are read; nowhere else.

mod config;
mod serve;
mod status;
mod token_hash;

use crate::config::{Flags, Settings, Surroundings};
use crate::exit::Exit;
use clap::{Args, Parser, Subcommand};
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// A self-hosted meeting-bot and transcription API in one binary and one file
#[derive(Parser)]
#[command(name = "vomeet", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: FlagArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default)
    Serve(FlagArgs),
    /// Show whether the server runs, since when, and how large it is; exit code 3 if it does not
    Status(FlagArgs),
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look after API tokens
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Print the hash of a token, as `tokens` of [[users]] in vomeet.toml takes it
    Hash(token_hash::HashArgs),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Check every setting without starting
    Check(FlagArgs),
    /// Show the settings in force and where each comes from; secrets are hidden
    Show(FlagArgs),
}

#[derive(Args, Default)]
struct FlagArgs {
    /// Settings file [default: vomeet.toml in the working directory, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// The database file
    #[arg(long, value_name = "FILE")]
    database: Option<String>,
}

impl FlagArgs {
    fn load(self) -> Result<Settings, Exit> {
        let flags = Flags { config: self.config, listen: self.listen, database: self.database };
        Settings::load(&flags, &Surroundings::of_process()?)
    }
}

/// Prints to standard output. Whoever reads it may have gone (`| head`), which is no fault of ours.
fn say(text: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None => cli.flags.load().and_then(serve::run),
        Some(Command::Serve(flags)) => flags.load().and_then(serve::run),
        Some(Command::Status(flags)) => flags.load().and_then(|settings| status::run(&settings)),
        Some(Command::Config(ConfigCommand::Check(flags))) => {
            flags.load().and_then(|settings| config::check(&settings))
        }
        Some(Command::Token(TokenCommand::Hash(args))) => token_hash::run(&args),
        Some(Command::Config(ConfigCommand::Show(flags))) => flags.load().map(|settings| config::show(&settings)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            eprintln!("vomeet: {exit}");
            ExitCode::from(exit.code as u8)
        }
    }
}
