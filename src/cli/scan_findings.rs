//! What `vomeet scan` found, and how it is printed.

use crate::cli::output::{Output, note};
use crate::cli::say;
use crate::cli::table::{plain, plain_lines};
use crate::domain::scan::{Recogniser, Sighting};
use crate::exit::{Code, StartupError};
use serde::Serialize;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// How much of a file is in memory at once.
const PART_BYTES: usize = 64 * 1024;

/// The path that stands for standard input.
const STANDARD_INPUT: &str = "-";

/// A token that was found; the token itself is not kept.
#[derive(Debug, Serialize)]
pub struct Finding<'a> {
    /// In which file.
    pub file: &'a str,
    /// In which line of it, from 1; none where the report does not tell.
    pub line: Option<u64>,
    /// In which commit, if the report tells one.
    pub commit: Option<&'a str>,
    /// Its first four characters.
    pub hint: &'a str,
}

/// What was found so far, and what could not be read.
pub struct Findings {
    pub(crate) output: Output,
    pub(crate) tokens: usize,
    pub(crate) unread: usize,
}

/// What a path on the command line opens: standard input, or a file.
pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    match path.as_os_str() == STANDARD_INPUT {
        true => Ok(Box::new(io::stdin().lock())),
        false => Ok(Box::new(File::open(path)?)),
    }
}

impl Findings {
    /// A path as it was given: whatever it is, it is meant.
    pub(crate) fn look_at(&mut self, path: &Path) {
        match path.is_dir() {
            true => self.walk(path),
            false => self.file(path),
        }
    }

    /// All files below a folder, in the order of their names. Links are not followed: what they lead to is elsewhere, or is
    /// come by anyway. What is no file, such as a socket or a pipe, is left alone.
    fn walk(&mut self, folder: &Path) {
        let mut ahead = self.entries(folder);
        while let Some(path) = ahead.pop() {
            match fs::symlink_metadata(&path) {
                Ok(about) if about.is_dir() && !is_packed(&path) => ahead.extend(self.entries(&path)),
                Ok(about) if about.is_file() => self.file(&path),
                Ok(_) => {}
                Err(error) => self.unreadable(&path, &error),
            }
        }
    }

    /// What is in a folder, the last first.
    fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut paths: Vec<PathBuf> = paths.unwrap_or_else(|error: io::Error| {
            self.unreadable(folder, &error);
            Vec::new()
        });
        paths.sort_by(|one, other| other.cmp(one));
        paths
    }

    fn file(&mut self, path: &Path) {
        if let Err(error) = open(path).and_then(|file| self.read(&path.to_string_lossy(), file)) {
            self.unreadable(path, &error);
        }
    }

    fn read(&mut self, name: &str, mut file: impl Read) -> io::Result<()> {
        let (mut recogniser, mut part) = (Recogniser::default(), vec![0; PART_BYTES]);
        let mut seen = |Sighting { line, hint }: Sighting| {
            self.found(&Finding { file: name, line: Some(line), commit: None, hint: &hint.0 });
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

    /// Says that a token was found, at once: a list of all might be long.
    pub fn found(&mut self, finding: &Finding) {
        self.tokens += 1;
        match self.output {
            Output::Table => say(format_args!("{}\n", plain(&line_of(finding)))),
            Output::Json => {
                let opening = if self.tokens == 1 { "[" } else { ",\n " };
                // Names and numbers always are JSON.
                let finding = serde_json::to_string(finding).unwrap_or_default();
                say(format_args!("{opening}{}", plain_lines(&finding)));
            }
        }
    }

    /// Says that something could not be read; the rest is.
    pub fn unreadable(&mut self, path: &Path, error: &dyn Display) {
        self.unread += 1;
        note(&format!("Cannot read {} ({error}).", path.display()));
    }

    /// Says that a report names something that cannot be judged.
    pub fn unjudged(&mut self, message: &str) {
        self.unread += 1;
        note(message);
    }

    pub(crate) fn end(self) -> Result<(), StartupError> {
        if self.output == Output::Json {
            say(if self.tokens == 0 { "[]\n" } else { "]\n" });
        }
        match (self.tokens, self.unread) {
            (0, 0) => Ok(()),
            (0, _) => Err(StartupError::new(
                Code::ScanIncomplete,
                "No token was found in what could be read, but not all could be.",
            )),
            (1, _) => {
                Err(StartupError::new(Code::TokenFound, "One token was found; end it with `vomeet token revoke HINT`."))
            }
            (count, _) => {
                let message = format!("{count} tokens were found; end each with `vomeet token revoke HINT`.");
                Err(StartupError::new(Code::TokenFound, message))
            }
        }
    }
}

/// Whether this is where git keeps its history, compressed: nothing can be seen in it. The rest of `.git` is text.
fn is_packed(path: &Path) -> bool {
    path.ends_with(".git/objects")
}

fn line_of(finding: &Finding) -> String {
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    let commit = finding.commit.map(|commit| format!(" in commit {commit}")).unwrap_or_default();
    format!("{}{line}: {}{commit}", finding.file, finding.hint)
}
