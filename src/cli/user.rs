//! `vomeet user`: who may use the server.

use crate::cli::client::{Client, Target, object_of};
use crate::cli::confirm::Consent;
use crate::cli::output::{Output, after_last, note};
use crate::cli::resolve::id;
use crate::cli::table::{Column, card, table};
use crate::cli::{resolve, say};
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

/// What is done with users.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Create a user, or show the one who has the address
    Add(Add),
    /// List users by id
    List(List),
    /// Show a user and their tokens
    Show(Who),
    /// Change a user
    Set(Set),
    /// Refuse all tokens of a user, and delete nothing
    Disable(Who),
    /// Accept the tokens of a user again
    Enable(Who),
    /// Remove a user and all that is theirs
    Remove(Remove),
}

/// A user.
#[derive(Args)]
pub struct Who {
    /// Id, e-mail address or name
    user: String,
}

/// A new user.
#[derive(Args)]
pub struct Add {
    /// E-mail address
    email: String,
    /// Display name
    #[arg(long)]
    name: Option<String>,
    /// Address of a picture
    #[arg(long, value_name = "URL")]
    image_url: Option<String>,
    /// How many bots may be in meetings at once [default: none]
    #[arg(long, value_name = "COUNT")]
    max_bots: Option<i64>,
    /// Free-form data, a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    data: Option<Value>,
}

/// Which users.
#[derive(Args)]
pub struct List {
    /// Only those with this text in e-mail or name
    text: Option<String>,
    /// Most users
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Only those with a greater id
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
}

/// What is changed of a user; empty text removes a name or a picture.
#[derive(Args)]
pub struct Set {
    /// Id, e-mail address or name
    user: String,
    /// Display name; "" removes it
    #[arg(long)]
    name: Option<String>,
    /// Address of a picture; "" removes it
    #[arg(long, value_name = "URL")]
    image_url: Option<String>,
    /// How many bots may be in meetings at once
    #[arg(long, value_name = "COUNT")]
    max_bots: Option<i64>,
    /// Free-form data, a JSON object
    #[arg(long, value_name = "JSON", value_parser = object)]
    data: Option<Value>,
}

/// Who is removed.
#[derive(Args)]
pub struct Remove {
    /// Id, e-mail address or name
    user: String,
    #[command(flatten)]
    consent: Consent,
}

/// Does it.
pub async fn run(client: &mut Client, output: Output, command: UserCommand) -> Result<(), StartupError> {
    match command {
        UserCommand::Add(new) => add(client, output, new).await,
        UserCommand::List(List { text, limit, after }) => {
            let target =
                Target::path(["admin", "users"]).with("q", text).with("limit", Some(limit)).with("after", after);
            output.list(&client.get(target).await?, COLUMNS, after_last("--after", limit))
        }
        UserCommand::Show(who) => show(client, output, &who.user).await,
        UserCommand::Set(set) => {
            let user = set.user.clone();
            change(client, output, &user, set.changes()).await
        }
        UserCommand::Disable(who) => change(client, output, &who.user, json!({ "disabled": true })).await,
        UserCommand::Enable(who) => change(client, output, &who.user, json!({ "disabled": false })).await,
        UserCommand::Remove(Remove { user, consent }) => remove(client, output, &user, &consent).await,
    }
}

async fn add(client: &mut Client, output: Output, new: Add) -> Result<(), StartupError> {
    let body = object_of([
        ("email", Some(new.email.into())),
        ("name", new.name.map(Value::from)),
        ("image_url", new.image_url.map(Value::from)),
        ("max_concurrent_bots", new.max_bots.map(Value::from)),
        ("data", new.data),
    ]);
    let answer = client.send(Method::POST, Target::path(["admin", "users"]), Some(body)).await?;
    output.one(&answer, FIELDS)?;
    if answer.status == StatusCode::OK {
        note("There is a user with this address already; nothing was changed.");
    }
    Ok(())
}

async fn show(client: &mut Client, output: Output, user: &str) -> Result<(), StartupError> {
    let user = resolve::user(client, user).await?;
    let answer = client.get(Target::path(["admin", "users", &id(&user)])).await?;
    if output == Output::Json {
        return output.one(&answer, FIELDS);
    }
    let user = answer.json()?;
    say(card(FIELDS, &user));
    let tokens = resolve::rows(&user["api_tokens"]);
    if !tokens.is_empty() {
        say(format_args!("\n{}", table(crate::cli::token::COLUMNS, tokens)));
    }
    Ok(())
}

impl Set {
    fn changes(self) -> Value {
        let text = |text: String| if text.is_empty() { Value::Null } else { text.into() };
        object_of([
            ("name", self.name.map(text)),
            ("image_url", self.image_url.map(text)),
            ("max_concurrent_bots", self.max_bots.map(Value::from)),
            ("data", self.data),
        ])
    }
}

async fn change(client: &mut Client, output: Output, user: &str, changes: Value) -> Result<(), StartupError> {
    if changes.as_object().is_some_and(Map::is_empty) {
        return Err(StartupError::new(Code::Invalid, "Say what to change; `vomeet user set --help` lists it."));
    }
    let user = resolve::user(client, user).await?;
    let answer = client.send(Method::PATCH, Target::path(["admin", "users", &id(&user)]), Some(changes)).await?;
    output.one(&answer, FIELDS)
}

async fn remove(client: &mut Client, output: Output, user: &str, consent: &Consent) -> Result<(), StartupError> {
    let user = resolve::user(client, user).await?;
    let (id, email) = (id(&user), user["email"].as_str().unwrap_or("-").to_owned());
    consent.ask(&format!("Remove user {id} ({email}) with all their tokens, meetings and transcripts?"))?;
    let answer = client.send(Method::DELETE, Target::path(["admin", "users", &id]), None).await?;
    output.done(&answer, &format!("User {id} ({email}) is removed."));
    Ok(())
}

fn object(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("should be a JSON object".to_owned()) }
}
