//! How responses are printed: data on standard output, notes for people on standard error.

use crate::cli::client::Response;
use crate::cli::resolve::{id, rows};
use crate::cli::say;
use crate::cli::table::{Column, card, plain, plain_lines, table};
use crate::exit::StartupError;
use clap::ValueEnum;

/// How responses are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// For scripts: the JSON body of the API's response
    Json,
}

impl Output {
    /// A list; `more` gives the flag that requests the next page, if this one is full.
    pub(super) fn list(
        self,
        response: &Response,
        columns: &[Column],
        more: impl FnOnce(&[serde_json::Value]) -> Option<String>,
    ) -> Result<(), StartupError> {
        let list = response.json()?;
        match self {
            Self::Json => json(response),
            Self::Table => say(table(columns, rows(&list))),
        }
        if let Some(more) = more(rows(&list)) {
            note(&format!("There may be more: {more}"));
        }
        Ok(())
    }

    /// One object, field by field.
    pub(super) fn one(self, response: &Response, fields: &[Column]) -> Result<(), StartupError> {
        match self {
            Self::Json => json(response),
            Self::Table => say(card(fields, &response.json()?)),
        }
        Ok(())
    }

    /// A new secret, alone on its line, so that a script can take it.
    pub(super) fn secret(
        self,
        response: &Response,
        member: &str,
        about: &str,
    ) -> Result<(), StartupError> {
        let body = response.json()?;
        match self {
            Self::Json => json(response),
            Self::Table => {
                let secret = body[member].as_str().unwrap_or("-");
                say(format_args!("{}\n", plain(secret)));
            }
        }
        note(&format!("{about} It is shown this once."));
        Ok(())
    }

    /// What was done, where the response has nothing to show.
    pub(super) fn done(self, response: &Response, about: &str) {
        if self == Self::Json && !response.body.is_empty() {
            json(response);
        }
        note(about);
    }
}

/// The flag that requests the rows after the last one of a full page of `limit` rows.
pub(super) fn after_last(
    flag: &str,
    limit: usize,
) -> impl FnOnce(&[serde_json::Value]) -> Option<String> {
    move |rows| {
        if rows.len() < limit {
            return None;
        }
        let last = rows.last()?;
        Some(format!("{flag} {}", id(last)))
    }
}

/// The body as it was received.
pub(super) fn json(response: &Response) {
    say(format_args!("{}\n", plain_lines(response.body.trim_end())));
}

/// A note for people, on standard error.
pub(super) fn note(text: &str) {
    eprintln!("{}", plain(text));
}
