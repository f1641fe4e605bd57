//! How answers are printed: data on standard output, what is only for people on standard error.

use crate::cli::client::Answer;
use crate::cli::resolve::rows;
use crate::cli::say;
use crate::cli::table::{Column, card, plain, plain_lines, table};
use crate::exit::StartupError;
use clap::ValueEnum;

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// For scripts: the body that the API answers with
    Json,
}

impl Output {
    /// A list; `more` says how the next page is asked for, if this one is full.
    pub fn list(
        self,
        answer: &Answer,
        columns: &[Column],
        more: impl FnOnce(&[serde_json::Value]) -> Option<String>,
    ) -> Result<(), StartupError> {
        let list = answer.json()?;
        match self {
            Self::Json => json(answer),
            Self::Table => say(table(columns, rows(&list))),
        }
        if let Some(more) = more(rows(&list)) {
            note(&format!("There may be more: {more}"));
        }
        Ok(())
    }

    /// One thing.
    pub fn one(self, answer: &Answer, fields: &[Column]) -> Result<(), StartupError> {
        match self {
            Self::Json => json(answer),
            Self::Table => say(card(fields, &answer.json()?)),
        }
        Ok(())
    }

    /// A new secret, alone on its line, so that a script can take it.
    pub fn secret(self, answer: &Answer, member: &str, about: &str) -> Result<(), StartupError> {
        let body = answer.json()?;
        match self {
            Self::Json => json(answer),
            Self::Table => say(format_args!("{}\n", plain(body[member].as_str().unwrap_or("-")))),
        }
        note(&format!("{about} It is shown this once."));
        Ok(())
    }

    /// What was done, where the answer has nothing to show.
    pub fn done(self, answer: &Answer, about: &str) {
        if self == Self::Json && !answer.body.is_empty() {
            json(answer);
        }
        note(about);
    }
}

/// How the page after a full one is asked for, in pages of `limit` rows that go on behind an id.
pub fn after_last(flag: &str, limit: usize) -> impl FnOnce(&[serde_json::Value]) -> Option<String> {
    let flag = flag.to_owned();
    move |rows| {
        rows.last().filter(|_| rows.len() >= limit).map(|last| format!("{flag} {}", crate::cli::resolve::id(last)))
    }
}

/// The body as it came.
pub fn json(answer: &Answer) {
    say(format_args!("{}\n", plain_lines(answer.body.trim_end())));
}

/// Something for people alone.
pub fn note(text: &str) {
    eprintln!("{}", plain(text));
}
