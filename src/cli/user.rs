//! `vomeet user`: users.

use crate::api::users::CreateUserInput;
use crate::cli::client::{Client, Target, check, object_of};
use crate::cli::confirm::Consent;
use crate::cli::output::{Output, after_last};
use crate::cli::print::{note, say};
use crate::cli::resolve;
use crate::cli::resolve::id;
use crate::cli::table::{Column, card, table};
use crate::exit::{Code, StartupError};
use clap::{Args, Subcommand};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("EMAIL", "/email"),
    ("NAME", "/name"),
    ("BOTS", "/max_concurrent_bots"),
    ("CREATED", "/created_at"),
    ("DISABLED", "/disabled_at"),
];
const FIELDS: &[Column] = &[
    ("Id", "/id"),
    ("E-mail", "/email"),
    ("Name", "/name"),
    ("Picture", "/image_url"),
    ("Bots at once", "/max_concurrent_bots"),
    ("Data", "/data"),
    ("Created", "/created_at"),
    ("Disabled", "/disabled_at"),
];

/// Commands for users.
#[derive(Subcommand)]
pub(super) enum UserCommand {
    /// Create a user, or show the one who has this e-mail address
    Add(Add),
    /// List users by id
    List(List),
    /// Show a user and their tokens
    Show(Who),
    /// Change a user
    Set(Set),
    /// Refuse all tokens of a user; nothing is deleted
    Disable(Who),
    /// Accept the tokens of a user again
    Enable(Who),
    /// Delete a user with all their tokens, meetings and transcripts
    Remove(Remove),
}

/// Selects one user.
#[derive(Args)]
pub(super) struct Who {
    /// Id, e-mail address or name
    user: String,
}

/// Arguments of `add`.
#[derive(Args)]
pub(super) struct Add {
    /// E-mail address
    email: String,
    /// Display name
    #[arg(long)]
    name: Option<String>,
    /// Address of a picture
    #[arg(long, value_name = "URL")]
    image_url: Option<String>,
    /// How many bots may be in meetings at once [default: none]
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_bots: Option<i64>,
    /// Free-form data, a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    data: Option<Value>,
}

/// Filters of `list`.
#[derive(Args)]
pub(super) struct List {
    /// Only those with this text in their e-mail address or name
    text: Option<String>,
    /// Most users
    #[arg(long, default_value_t = 100, allow_negative_numbers = true)]
    limit: usize,
    /// Only those with a greater id
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    after: Option<i64>,
}

/// Arguments of `set`: the fields to change.
#[derive(Args)]
pub(super) struct Set {
    /// Id, e-mail address or name
    user: String,
    /// Display name; "" removes it
    #[arg(long)]
    name: Option<String>,
    /// Address of a picture; "" removes it
    #[arg(long, value_name = "URL")]
    image_url: Option<String>,
    /// How many bots may be in meetings at once
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    max_bots: Option<i64>,
    /// Free-form data, a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    data: Option<Value>,
}

/// Arguments of `remove`.
#[derive(Args)]
pub(super) struct Remove {
    /// Id, e-mail address or name
    user: String,
    #[command(flatten)]
    consent: Consent,
}

/// Runs the command.
pub(super) async fn run(
    client: &mut Client,
    output: Output,
    command: UserCommand,
) -> Result<(), StartupError> {
    match command {
        UserCommand::Add(new) => add(client, output, &new).await,
        UserCommand::List(List { text, limit, after }) => {
            let target = Target::path(["admin", "users"])
                .with("q", text)
                .with("limit", Some(limit))
                .with("after", after);
            let response = client.get(target).await?;
            output.list(&response, COLUMNS, after_last("--after", limit))
        }
        UserCommand::Show(who) => show(client, output, &who.user).await,
        UserCommand::Set(set) => {
            let user = set.user.clone();
            change(client, output, &user, set.changes()).await
        }
        UserCommand::Disable(who) => {
            change(client, output, &who.user, json!({ "disabled": true })).await
        }
        UserCommand::Enable(who) => {
            change(client, output, &who.user, json!({ "disabled": false })).await
        }
        UserCommand::Remove(args) => delete(client, output, &args).await,
    }
}

impl UserCommand {
    /// Checks what needs no database.
    pub(super) fn check(&self) -> Result<(), StartupError> {
        match self {
            Self::Add(new) => check::<CreateUserInput>(&new.body()),
            _ => Ok(()),
        }
    }
}

impl Add {
    fn body(&self) -> Value {
        object_of([
            ("email", Some(self.email.clone().into())),
            ("name", self.name.clone().map(Value::from)),
            ("image_url", self.image_url.clone().map(Value::from)),
            ("max_concurrent_bots", self.max_bots.map(Value::from)),
            ("data", self.data.clone()),
        ])
    }
}

async fn add(client: &mut Client, output: Output, new: &Add) -> Result<(), StartupError> {
    let body = new.body();
    let target = Target::path(["admin", "users"]);
    let response = client.send(Method::POST, target, Some(body)).await?;
    output.one(&response, FIELDS)?;
    if response.status == StatusCode::OK {
        note("There is a user with this address already; nothing was changed.");
    }
    Ok(())
}

async fn show(client: &mut Client, output: Output, user: &str) -> Result<(), StartupError> {
    let user = resolve::user(client, user).await?;
    let response = client.get(Target::path(["admin", "users", &id(&user)])).await?;
    if output == Output::Json {
        return output.one(&response, FIELDS);
    }
    let user = response.json()?;
    say(card(FIELDS, &user))?;
    let tokens = resolve::rows(&user["api_tokens"]);
    if !tokens.is_empty() {
        say(format_args!("\n{}", table(crate::cli::token::COLUMNS, tokens)))?;
    }
    Ok(())
}

impl Set {
    fn changes(self) -> Value {
        object_of([
            ("name", self.name.map(text_or_null)),
            ("image_url", self.image_url.map(text_or_null)),
            ("max_concurrent_bots", self.max_bots.map(Value::from)),
            ("data", self.data),
        ])
    }
}

/// An empty text clears the field.
fn text_or_null(text: String) -> Value {
    match text.is_empty() {
        true => Value::Null,
        false => Value::String(text),
    }
}

async fn change(
    client: &mut Client,
    output: Output,
    user: &str,
    changes: Value,
) -> Result<(), StartupError> {
    if changes.as_object().is_some_and(Map::is_empty) {
        return Err(StartupError::new(
            Code::Invalid,
            "Say what to change; `vomeet user set --help` lists it.",
        ));
    }
    let user = resolve::user(client, user).await?;
    let target = Target::path(["admin", "users", &id(&user)]);
    let response = client.send(Method::PATCH, target, Some(changes)).await?;
    output.one(&response, FIELDS)
}

async fn delete(client: &mut Client, output: Output, args: &Remove) -> Result<(), StartupError> {
    let user = resolve::user(client, &args.user).await?;
    let id = id(&user);
    let email = user["email"].as_str().unwrap_or("-");
    args.consent.ask(&format!(
        "Delete user {id} ({email}) with all their tokens, meetings and transcripts?"
    ))?;
    let target = Target::path(["admin", "users", &id]);
    let response = client.send(Method::DELETE, target, None).await?;
    output.done(&response, &format!("User {id} ({email}) is deleted."))
}

fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match value.is_object() {
        true => Ok(value),
        false => Err("should be a JSON object".to_owned()),
    }
}
