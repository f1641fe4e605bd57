//! `vomeet man` and `vomeet completions`: written from the same definitions that read the arguments.

use crate::cli::{Cli, say};
use crate::exit::CODES;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fmt::Write;
use std::io;

/// The exit codes, as `--help` ends with them.
pub fn exit_codes() -> String {
    let mut text = "Exit codes:\n   0  Done".to_owned();
    for (code, meaning) in every_code() {
        // Writing into a string does not fail.
        let _ = write!(text, "\n  {code:>2}  {meaning}");
    }
    text
}

/// The codes, with the one by which clap refuses arguments.
fn every_code() -> impl Iterator<Item = (u8, String)> {
    let own = CODES.iter().map(|(code, meaning)| (*code, meaning.trim().trim_end_matches('.').replace('`', "")));
    std::iter::once((2, "The command line is wrong".to_owned())).chain(own)
}

/// Prints what a shell needs to complete commands and flags.
pub fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "vomeet", &mut script);
    say(String::from_utf8_lossy(&script));
}

/// Prints the one page of the manual, with every command.
pub fn man() {
    // Writing into memory does not fail.
    let _ = page().map(|page| say(String::from_utf8_lossy(&page)));
}

fn page() -> io::Result<Vec<u8>> {
    let mut command = Cli::command();
    command.build();
    let top = Man::new(command.clone());
    let mut page = Vec::new();
    top.render_title(&mut page)?;
    top.render_name_section(&mut page)?;
    top.render_synopsis_section(&mut page)?;
    top.render_description_section(&mut page)?;
    top.render_options_section(&mut page)?;
    page.extend_from_slice(b".SH COMMANDS\n");
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        commands(&mut page, sub)?;
    }
    page.extend_from_slice(b".SH \"EXIT STATUS\"\n.TP\n0\nDone\n");
    for (code, meaning) in every_code() {
        page.extend_from_slice(format!(".TP\n{code}\n{}\n", meaning.replace('-', "\\-")).as_bytes());
    }
    Ok(page)
}

/// A command, or those that it is divided into; what is the same for all of those is said once.
fn commands(page: &mut Vec<u8>, command: &Command) -> io::Result<()> {
    section(page, command, false)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        section(page, sub, true)?;
    }
    Ok(())
}

fn section(page: &mut Vec<u8>, command: &Command, is_part: bool) -> io::Result<()> {
    let title = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let hidden = command.clone().mut_args(|arg| {
        let is_known = arg.get_id() == "help" || is_part && arg.is_global_set();
        if is_known { arg.hide(true) } else { arg }
    });
    let man = Man::new(hidden);
    page.extend_from_slice(format!(".SS \"{}\"\n", title.replace('-', "\\-")).as_bytes());
    let mut parts = Vec::new();
    man.render_description_section(&mut parts)?;
    parts.extend_from_slice(b".PP\n");
    man.render_synopsis_section(&mut parts)?;
    man.render_options_section(&mut parts)?;
    let is_text = |line: &&str| !line.starts_with(".SH") && !line.starts_with(".ie") && !line.starts_with(".el");
    let parts = String::from_utf8_lossy(&parts).into_owned();
    for line in parts.lines().filter(is_text) {
        page.extend_from_slice(line.as_bytes());
        page.push(b'\n');
    }
    Ok(())
}
