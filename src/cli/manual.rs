//! `vomeet man` and `vomeet completions`: written from the definitions that parse the arguments.

use crate::cli::Cli;
use crate::cli::print::say;
use crate::exit::{CODES, Code, StartupError};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments of `man`.
#[derive(Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The exit codes, for the end of `--help` and of the manual.
pub(super) fn exit_codes() -> String {
    let mut text = "Exit codes:\n   0  Done".to_owned();
    for (code, meaning) in every_code() {
        // Writing into a string does not fail.
        let _ = write!(text, "\n  {code:>2}  {meaning}");
    }
    text
}

/// All codes that are not 0: that of clap, then our own.
fn every_code() -> Vec<(u8, String)> {
    let mut codes = vec![(2, "The command line is wrong".to_owned())];
    for (code, meaning) in CODES {
        let meaning = meaning.trim().trim_end_matches('.');
        codes.push((*code, meaning.replace('`', "")));
    }
    codes
}

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell) -> Result<(), StartupError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vomeet", &mut script);
    say(String::from_utf8_lossy(&script))
}

/// Prints the page of the whole program, or writes the pages of all commands.
pub(super) fn man(args: &ManArgs) -> Result<(), StartupError> {
    match &args.folder {
        Some(folder) => write_pages(folder),
        None => print_page(),
    }
}

fn print_page() -> Result<(), StartupError> {
    let command = Cli::command().disable_help_subcommand(true);
    let mut page = Vec::new();
    let rendered = Man::new(command).render(&mut page);
    rendered.map_err(|error| {
        StartupError::new(Code::Invalid, format!("Cannot write the manual: {error}."))
    })?;
    say(String::from_utf8_lossy(&page))
}

fn write_pages(folder: &Path) -> Result<(), StartupError> {
    let written = clap_mangen::generate_to(Cli::command(), folder);
    written.map_err(|error| {
        let message = format!(
            "Cannot write the manual into {} ({error}); choose another folder.",
            folder.display()
        );
        StartupError::new(Code::Invalid, message)
    })
}
