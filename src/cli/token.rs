//! `vomeet token`: what opens the server to users.

use crate::cli::client::{Client, Target, object_of};
use crate::cli::confirm::Consent;
use crate::cli::output::{Output, after_last};
use crate::cli::resolve;
use crate::cli::span::seconds;
use crate::cli::table::Column;
use crate::exit::{Code, StartupError};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};
use std::io::{IsTerminal, stdin};

/// What `explain` says of a token that opens the server.
const ACCEPTED: &str = "accepted";
/// Tokens in a list.
pub const COLUMNS: &[Column] = &[
    ("TOKEN", "/id"),
    ("USER", "/user_id"),
    ("HINT", "/hint"),
    ("NAME", "/name"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("LAST USED", "/last_used_at"),
    ("DISABLED", "/disabled_at"),
];
const FIELDS: &[Column] = &[
    ("Token", "/id"),
    ("User", "/user_id"),
    ("Hint", "/hint"),
    ("Name", "/name"),
    ("Created", "/created_at"),
    ("Expires", "/expires_at"),
    ("Last used", "/last_used_at"),
    ("From", "/last_address"),
    ("Disabled", "/disabled_at"),
    ("Ends unused (s)", "/disuse_seconds"),
    ("Replaced by", "/replaced_by"),
    ("Read-only", "/scope/read_only"),
    ("Platforms", "/scope/platforms"),
    ("Meeting", "/scope/meeting"),
];
const EXPLAINED: &[Column] = &[
    ("Code", "/code"),
    ("Reason", "/reason"),
    ("Token", "/token/id"),
    ("Name", "/token/name"),
    ("Expires", "/token/expires_at"),
    ("User", "/user/id"),
    ("E-mail", "/user/email"),
];

/// What is done with tokens.
#[derive(Subcommand)]
pub enum TokenCommand {
    /// Create a token for a user, and print it this once
    Create(Create),
    /// List tokens by id
    List(List),
    /// Show a token without its secret
    Show(Which),
    /// Exchange a token for a new one, which is printed this once; the old one works for a while
    Rotate(Rotate),
    /// Revoke a token: it is refused from the next request on
    Revoke(Revoke),
    /// Refuse a token until it is enabled again
    Disable(Which),
    /// Accept a token again
    Enable(Which),
    /// Say whether a token, read from standard input, opens the server, and why not
    Explain(Explain),
}

/// A token.
#[derive(Args)]
pub struct Which {
    /// Id, name or first four characters
    token: String,
    /// Only among the tokens of this user
    #[arg(long)]
    user: Option<String>,
}

/// A new token.
#[derive(Args)]
pub struct Create {
    /// Id, e-mail address or name of the user
    user: String,
    /// What it is for
    #[arg(long)]
    name: Option<String>,
    /// When it ends, such as 90d or 12h from now [default: never]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires_in: Option<i64>,
    /// When it ends if it is not used, such as 30d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    disuse: Option<i64>,
    /// It may look at everything and change nothing
    #[arg(long)]
    read_only: bool,
    /// It is for this platform alone; may be given more than once
    #[arg(long, value_name = "PLATFORM")]
    platform: Vec<String>,
    /// It is for this meeting alone, such as google_meet/abc-defg-hij
    #[arg(long, value_parser = platform_and_id)]
    meeting: Option<(String, String)>,
}

/// Which tokens.
#[derive(Args)]
pub struct List {
    /// Only those of this user
    #[arg(long)]
    user: Option<String>,
    /// Most tokens
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Only those with a greater id
    #[arg(long, value_name = "ID")]
    after: Option<i64>,
}

/// An exchange.
#[derive(Args)]
pub struct Rotate {
    #[command(flatten)]
    which: Which,
    /// How long the old one still works, such as 15m
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "1h")]
    grace: i64,
    /// When the new one ends, such as 90d from now
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires_in: Option<i64>,
}

/// An end.
#[derive(Args)]
pub struct Revoke {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

/// A question.
#[derive(Args)]
pub struct Explain {
    // Taken so that it can be refused without being shown.
    #[arg(hide = true)]
    token: Option<String>,
}

/// Does it.
pub async fn run(client: &mut Client, output: Output, command: TokenCommand) -> Result<(), StartupError> {
    match command {
        TokenCommand::Create(new) => create(client, output, new).await,
        TokenCommand::List(List { user, limit, after }) => {
            let user = resolve::user_id(client, user.as_deref()).await?;
            let target = Target::path(["admin", "tokens"]).with("user_id", user).with("after", after);
            let answer = client.get(target.with("limit", Some(limit))).await?;
            output.list(&answer, COLUMNS, after_last("--after", limit))
        }
        TokenCommand::Show(which) => {
            let (id, _) = which.find(client).await?;
            output.one(&client.get(Target::path(["admin", "tokens", &id])).await?, FIELDS)
        }
        TokenCommand::Rotate(rotate) => exchange(client, output, rotate).await,
        TokenCommand::Revoke(Revoke { which, consent }) => revoke(client, output, &which, &consent).await,
        TokenCommand::Disable(which) => set_disabled(client, output, &which, true).await,
        TokenCommand::Enable(which) => set_disabled(client, output, &which, false).await,
        TokenCommand::Explain(explain) => self::explain(client, output, explain).await,
    }
}

impl Which {
    async fn find(&self, client: &mut Client) -> Result<(String, String), StartupError> {
        resolve::token(client, &self.token, self.user.as_deref()).await
    }
}

async fn create(client: &mut Client, output: Output, new: Create) -> Result<(), StartupError> {
    let user = resolve::user(client, &new.user).await?;
    let body = object_of([
        ("name", new.name.map(Value::from)),
        ("expires_in", new.expires_in.map(Value::from)),
        ("disuse_seconds", new.disuse.map(Value::from)),
        ("read_only", new.read_only.then_some(Value::Bool(true))),
        ("platforms", (!new.platform.is_empty()).then(|| Value::from(new.platform))),
        ("meeting", new.meeting.map(|(platform, id)| json!({ "platform": platform, "native_meeting_id": id }))),
    ]);
    let id = resolve::id(&user);
    let answer = client.send(Method::POST, Target::path(["admin", "users", &id, "tokens"]), Some(body)).await?;
    let about = format!("This is token {} of {}.", answer.json()?["id"], user["email"].as_str().unwrap_or("-"));
    output.secret(&answer, "token", &about)
}

async fn exchange(client: &mut Client, output: Output, rotate: Rotate) -> Result<(), StartupError> {
    let (id, about) = rotate.which.find(client).await?;
    let body =
        object_of([("grace_seconds", Some(rotate.grace.into())), ("expires_in", rotate.expires_in.map(Value::from))]);
    let answer = client.send(Method::POST, Target::path(["admin", "tokens", &id, "rotate"]), Some(body)).await?;
    let new = answer.json()?;
    let end = new["replaces"]["expires_at"].as_str().unwrap_or("now");
    output.secret(&answer, "token", &format!("This is token {}; {about} works until {end}.", new["id"]))
}

async fn revoke(client: &mut Client, output: Output, which: &Which, consent: &Consent) -> Result<(), StartupError> {
    let (id, about) = which.find(client).await?;
    consent.ask(&format!("Revoke {about}?"))?;
    let answer = client.send(Method::DELETE, Target::path(["admin", "tokens", &id]), None).await?;
    output.done(&answer, &format!("Revoked {about}; it is refused from now on."));
    Ok(())
}

async fn set_disabled(client: &mut Client, output: Output, which: &Which, disabled: bool) -> Result<(), StartupError> {
    let (id, _) = which.find(client).await?;
    let body = json!({ "disabled": disabled });
    output.one(&client.send(Method::PATCH, Target::path(["admin", "tokens", &id]), Some(body)).await?, FIELDS)
}

async fn explain(client: &mut Client, output: Output, explain: Explain) -> Result<(), StartupError> {
    if explain.token.is_some() {
        let message = "A token is read from standard input, never from the arguments, where others can see it; if this \
                        one is real, revoke it.";
        return Err(StartupError::new(Code::Invalid, message));
    }
    if stdin().is_terminal() {
        crate::cli::output::note("Type or paste the token, then Enter:");
    }
    let mut token = String::new();
    let unreadable =
        |error| StartupError::new(Code::Invalid, format!("Cannot read the token from standard input ({error})."));
    stdin().read_line(&mut token).map_err(unreadable)?;
    let body = json!({ "token": token.trim() });
    let answer = client.send(Method::POST, Target::path(["admin", "tokens", "explain"]), Some(body)).await?;
    output.one(&answer, EXPLAINED)?;
    let explained = answer.json()?;
    if explained["code"] == ACCEPTED {
        return Ok(());
    }
    let reason = explained["reason"].as_str().unwrap_or("The token would be refused.");
    Err(StartupError::new(Code::TokenRefused, reason))
}

fn platform_and_id(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('/').map(|(platform, id)| (platform.to_owned(), id.to_owned()));
    pair.ok_or_else(|| "should be a platform and a meeting id, such as google_meet/abc-defg-hij".to_owned())
}
