//! The findings of `vomeet scan`: walks files and folders, and prints what is found.

use crate::cli::output::Output;
use crate::cli::print::{note, say};
use crate::cli::table::{plain, plain_lines};
use crate::domain::scan::{Recogniser, Sighting};
use crate::exit::{Code, StartupError};
use serde::Serialize;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Bytes of a file that are in memory at once.
const PART_BYTES: usize = 64 * 1024;

/// The path that means standard input.
const STANDARD_INPUT: &str = "-";

/// A token that was found; the token itself is not kept.
#[derive(Debug, Serialize)]
pub(super) struct Finding<'a> {
    /// The file.
    pub file: &'a str,
    /// The line in it, from 1; `None` where the report has none.
    pub line: Option<u64>,
    /// The commit, if the report has one.
    pub commit: Option<&'a str>,
    /// The first four characters of the token.
    pub hint: &'a str,
}

/// Prints findings, and counts them and what could not be read.
pub(super) struct Findings {
    /// How findings are printed.
    pub(crate) output: Output,
    /// Tokens found so far.
    pub(crate) tokens: usize,
    /// Files, folders and entries that could not be read or checked.
    pub(crate) unread: usize,
    /// Why the list is not whole, if it could not be written.
    pub(crate) lost: Option<StartupError>,
}

/// Opens a path of the command line: standard input, or a file.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    match path.as_os_str() == STANDARD_INPUT {
        true => Ok(Box::new(io::stdin().lock())),
        false => Ok(Box::new(File::open(path)?)),
    }
}

impl Findings {
    /// Scans a path of the command line, whatever kind of file it is.
    pub(crate) fn scan(&mut self, path: &Path) {
        match path.is_dir() {
            true => self.walk(path),
            false => self.file(path),
        }
    }

    /// Scans all files below a folder, in the order of their names. Links are not followed: their
    /// target is elsewhere, or is scanned anyway. Sockets, pipes and devices are skipped.
    fn walk(&mut self, folder: &Path) {
        let mut stack = self.entries(folder);
        while let Some(path) = stack.pop() {
            let metadata = match fs::symlink_metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) => {
                    self.unreadable(&path, &error);
                    continue;
                }
            };
            if metadata.is_file() {
                self.file(&path);
            } else if metadata.is_dir() && !is_packed(&path) {
                stack.extend(self.entries(&path));
            }
        }
    }

    /// The entries of a folder, sorted backwards for a stack.
    fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let mut paths = match read_folder(folder) {
            Ok(paths) => paths,
            Err(error) => {
                self.unreadable(folder, &error);
                return Vec::new();
            }
        };
        paths.sort();
        paths.reverse();
        paths
    }

    fn file(&mut self, path: &Path) {
        if let Err(error) = self.read(path) {
            self.unreadable(path, &error);
        }
    }

    fn read(&mut self, path: &Path) -> io::Result<()> {
        let mut file = open(path)?;
        let name = path.to_string_lossy();
        let mut recogniser = Recogniser::default();
        let mut part = vec![0; PART_BYTES];
        let mut seen = |Sighting { line, hint }: Sighting| {
            self.found(&Finding { file: &name, line: Some(line), commit: None, hint: &hint.0 });
        };
        loop {
            match file.read(&mut part) {
                Ok(0) => break,
                Ok(count) => recogniser.take(&part[..count], &mut seen),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        recogniser.end(&mut seen);
        Ok(())
    }

    /// Prints a finding at once: a list of all might be long.
    pub(super) fn found(&mut self, finding: &Finding) {
        self.tokens += 1;
        let printed = match self.output {
            Output::Table => say(format_args!("{}\n", plain(&line_of(finding)))),
            Output::Json => {
                let opening = if self.tokens == 1 { "[" } else { ",\n " };
                // Texts and numbers can always be written as JSON.
                let finding = serde_json::to_string(finding).unwrap_or_default();
                say(format_args!("{opening}{}", plain_lines(&finding)))
            }
        };
        if let Err(lost) = printed {
            self.lost.get_or_insert(lost);
        }
    }

    /// Notes that something could not be read; the scan goes on.
    pub(super) fn unreadable(&mut self, path: &Path, error: &dyn Display) {
        self.unread += 1;
        note(&format!("Cannot read {} ({error}).", path.display()));
    }

    /// Notes that a report has entries that cannot be checked.
    pub(super) fn unchecked(&mut self, message: &str) {
        self.unread += 1;
        note(message);
    }

    /// Ends the list, and gives the exit code.
    pub(crate) fn finish(self) -> Result<(), StartupError> {
        if self.output == Output::Json {
            say(if self.tokens == 0 { "[]\n" } else { "]\n" })?;
        }
        if let Some(lost) = self.lost {
            return Err(lost);
        }
        match (self.tokens, self.unread) {
            (0, 0) => Ok(()),
            (0, _) => Err(StartupError::new(
                Code::ScanIncomplete,
                "No token was found in what could be read, but not all could be.",
            )),
            (1, _) => Err(StartupError::new(
                Code::TokenFound,
                "One token was found; revoke it with `vomeet token revoke HINT`.",
            )),
            (count, _) => {
                let message = format!(
                    "{count} tokens were found; revoke each with `vomeet token revoke HINT`."
                );
                Err(StartupError::new(Code::TokenFound, message))
            }
        }
    }
}

fn read_folder(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        paths.push(entry.path());
    }
    Ok(paths)
}

/// Whether git keeps its compressed history there, in which no token can be found. The rest of
/// `.git` is text.
fn is_packed(path: &Path) -> bool {
    path.ends_with(".git/objects")
}

fn line_of(finding: &Finding) -> String {
    let mut text = finding.file.to_owned();
    if let Some(line) = finding.line {
        text.push(':');
        text.push_str(&line.to_string());
    }
    text.push_str(": ");
    text.push_str(finding.hint);
    if let Some(commit) = finding.commit {
        text.push_str(" in commit ");
        text.push_str(commit);
    }
    text
}
