//! How responses are printed: data on standard output, notes for people on standard error.

use crate::cli::client::{Client, Response, Target};
use crate::cli::print::{note, say};
use crate::cli::resolve::{add_emails, id, rows};
use crate::cli::table::{Column, card, plain, plain_lines, table};
use crate::exit::StartupError;
use clap::ValueEnum;
use hyper::Method;
use serde_json::Value;

/// A secret in a response.
pub(super) struct Secret<'a> {
    /// The member of the response.
    pub member: &'a str,
    /// What it is, in a sentence.
    pub about: &'a str,
    /// What happens if it cannot be shown.
    pub if_lost: IfLost,
}

/// What happens to a secret that cannot be shown: nobody has it.
#[derive(Clone, Copy)]
pub(super) enum IfLost {
    /// It is revoked: `DELETE /admin/<noun>/<id>`.
    Revoke(&'static str),
    /// Nothing: revoking would take more than it, and the next rotation gives another.
    RotateAgain,
}

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
        more: impl FnOnce(&[Value]) -> Option<String>,
    ) -> Result<(), StartupError> {
        let list = response.json()?;
        match self {
            Self::Json => json(response)?,
            Self::Table => say(table(columns, rows(&list)))?,
        }
        if let Some(more) = more(rows(&list)) {
            note(&format!("There may be more: {more}"));
        }
        Ok(())
    }

    /// A list whose rows have a `user_id`; people see the e-mail address beside it, as
    /// `user_email`.
    pub(super) async fn list_of_users(
        self,
        client: &mut Client,
        response: &Response,
        columns: &[Column],
        more: impl FnOnce(&[Value]) -> Option<String>,
    ) -> Result<(), StartupError> {
        if self == Self::Json {
            return self.list(response, columns, more);
        }
        let list = response.json()?;
        let mut shown = rows(&list).to_vec();
        add_emails(client, &mut shown).await?;
        say(table(columns, &shown))?;
        if let Some(more) = more(&shown) {
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
    }

    /// A new secret, alone on its line, so that a script can take it.
    pub(super) async fn secret(
        self,
        client: &mut Client,
        response: &Response,
        secret: Secret<'_>,
    ) -> Result<(), StartupError> {
        let body = response.json()?;
        let shown = match self {
            Self::Json => json(response),
            Self::Table => {
                let text = body[secret.member].as_str().unwrap_or("-");
                say(format_args!("{}\n", plain(text)))
            }
        };
        let Err(lost) = shown else {
            note(&format!("{} It is shown this once.", secret.about));
            return Ok(());
        };
        let what_follows = match secret.if_lost {
            IfLost::Revoke(noun) => revoke(client, noun, &id(&body), &lost).await,
            IfLost::RotateAgain => {
                format!(
                    "It could not be shown ({}), so nobody has it; rotate the key again, which \
                     needs no key. Older ones are refused then.",
                    lost.message
                )
            }
        };
        Err(StartupError::new(lost.code, format!("{} {what_follows}", secret.about)))
    }

    /// What was done, where the response has nothing to show.
    pub(super) fn done(self, response: &Response, about: &str) -> Result<(), StartupError> {
        note(about);
        if self == Self::Json && !response.body.is_empty() {
            return json(response);
        }
        Ok(())
    }
}

/// Revokes a secret that could not be shown, and says so.
async fn revoke(client: &mut Client, noun: &str, id: &str, lost: &StartupError) -> String {
    let path = Target::path(["admin", noun, id]);
    match client.send(Method::DELETE, path, None).await {
        Ok(_) => format!("It could not be shown and is revoked ({}).", lost.message),
        Err(error) => {
            let why = error.message;
            format!("It could not be shown, and not be revoked either ({why}); revoke it.")
        }
    }
}

/// The flag that requests the rows after the last one of a full page of `limit` rows.
pub(super) fn after_last(flag: &str, limit: usize) -> impl FnOnce(&[Value]) -> Option<String> {
    move |rows| {
        if rows.len() < limit {
            return None;
        }
        let last = rows.last()?;
        Some(format!("{flag} {}", id(last)))
    }
}

/// The body as it was received.
pub(super) fn json(response: &Response) -> Result<(), StartupError> {
    say(format_args!("{}\n", plain_lines(response.body.trim_end())))
}
