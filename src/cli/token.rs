//! `vomeet token`: the tokens of users.

use crate::cli::client::{Client, Target, object_of};
use crate::cli::confirm::Consent;
use crate::cli::output::{IfLost, Output, Secret, after_last};
use crate::cli::print::note;
use crate::cli::resolve;
use crate::cli::table::Column;
use crate::domain::span::seconds;
use crate::exit::{Code, StartupError};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};
use std::io::{IsTerminal, stdin};

/// The code of `explain` for a token that would be accepted.
const ACCEPTED: &str = "accepted";
/// The columns of a list of one user's tokens.
pub(super) const COLUMNS: &[Column] = &[
    ("TOKEN", "/id"),
    ("USER", "/user_id"),
    ("HINT", "/hint"),
    ("NAME", "/name"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("LAST USED", "/last_used_at"),
    ("DISABLED", "/disabled_at"),
];
/// The columns of a list of everybody's tokens.
const LISTED: &[Column] = &[
    ("TOKEN", "/id"),
    ("USER", "/user_id"),
    ("E-MAIL", "/user_email"),
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
    ("Transcribes", "/scope/transcribe"),
    ("Transcribes only", "/scope/transcribe_only"),
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

/// Commands for tokens.
#[derive(Subcommand)]
pub(super) enum TokenCommand {
    /// Create a token for a user, and print it this once
    Create(Create),
    /// List tokens by id
    List(List),
    /// Show a token without its secret
    Show(Which),
    /// Rotate a token: the new one is printed this once, the old one works for --grace more
    Rotate(Rotate),
    /// Revoke a token: it is refused from the next request on
    Revoke(Revoke),
    /// Refuse a token until it is enabled again
    Disable(Which),
    /// Accept a token again
    Enable(Which),
    /// Say whether a token, read from standard input, would be accepted, and why not
    Explain(Explain),
}

/// Selects one token.
#[derive(Args)]
pub(super) struct Which {
    /// Id, name or first four characters
    token: String,
    /// Only among the tokens of this user
    #[arg(long)]
    user: Option<String>,
}

/// Arguments of `create`.
#[derive(Args)]
pub(super) struct Create {
    /// Id, e-mail address or name of the user
    user: String,
    /// Name, such as what it is for
    #[arg(long)]
    name: Option<String>,
    /// When it expires, such as 90d or 12h from now [default: never]
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    expires_in: Option<i64>,
    /// How long it may be unused before it expires, such as 30d
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    disuse: Option<i64>,
    /// It may read, but not change anything
    #[arg(long)]
    read_only: bool,
    /// It works for this platform only; may be given more than once
    #[arg(long, value_name = "PLATFORM")]
    platform: Vec<String>,
    /// It works for this meeting only, such as google_meet/abc-defg-hij
    #[arg(long, value_parser = platform_and_id)]
    meeting: Option<(String, String)>,
    /// It may have sound transcribed, although it is limited in other ways
    #[arg(long)]
    transcribe: bool,
    /// It may have sound transcribed, and do nothing else
    #[arg(long)]
    transcribe_only: bool,
}

/// Filters of `list`.
#[derive(Args)]
pub(super) struct List {
    /// Only those of this user
    #[arg(long)]
    user: Option<String>,
    /// Most tokens
    #[arg(long, default_value_t = 100, allow_negative_numbers = true)]
    limit: usize,
    /// Only those with a greater id
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    after: Option<i64>,
}

/// Arguments of `rotate`.
#[derive(Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    which: Which,
    /// How long the old token still works, such as 15m; give one for a planned rotation
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true, default_value = "0")]
    grace: i64,
    /// When the new token expires, such as 90d from now
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    expires_in: Option<i64>,
}

/// Arguments of `revoke`.
#[derive(Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    consent: Consent,
}

/// Arguments of `explain`.
#[derive(Args)]
pub(super) struct Explain {
    // Accepted by the parser so that it can be refused without being printed.
    #[arg(hide = true)]
    token: Option<String>,
}

/// Runs the command.
pub(super) async fn run(
    client: &mut Client,
    output: Output,
    command: TokenCommand,
) -> Result<(), StartupError> {
    match command {
        TokenCommand::Create(new) => create(client, output, new).await,
        TokenCommand::List(list) => self::list(client, output, list).await,
        TokenCommand::Show(which) => {
            let (id, _) = which.find(client).await?;
            let response = client.get(Target::path(["admin", "tokens", &id])).await?;
            output.one(&response, FIELDS)
        }
        TokenCommand::Rotate(args) => rotate(client, output, args).await,
        TokenCommand::Revoke(args) => revoke(client, output, &args).await,
        TokenCommand::Disable(which) => set_disabled(client, output, &which, true).await,
        TokenCommand::Enable(which) => set_disabled(client, output, &which, false).await,
        TokenCommand::Explain(args) => explain(client, output, &args).await,
    }
}

impl Which {
    /// The id of the token, and how messages name it.
    async fn find(&self, client: &mut Client) -> Result<(String, String), StartupError> {
        resolve::token(client, &self.token, self.user.as_deref()).await
    }
}

async fn create(client: &mut Client, output: Output, new: Create) -> Result<(), StartupError> {
    let user = resolve::user(client, &new.user).await?;
    let mut body = object_of([
        ("name", new.name.map(Value::from)),
        ("expires_in", new.expires_in.map(Value::from)),
        ("disuse_seconds", new.disuse.map(Value::from)),
    ]);
    if new.read_only {
        body["read_only"] = Value::Bool(true);
    }
    if !new.platform.is_empty() {
        body["platforms"] = Value::from(new.platform);
    }
    if let Some((platform, id)) = new.meeting {
        body["meeting"] = json!({ "platform": platform, "native_meeting_id": id });
    }
    if new.transcribe {
        body["transcribe"] = Value::Bool(true);
    }
    if new.transcribe_only {
        body["transcribe_only"] = Value::Bool(true);
    }
    let target = Target::path(["admin", "users", &resolve::id(&user), "tokens"]);
    let response = client.send(Method::POST, target, Some(body)).await?;
    let token = response.json()?;
    let email = user["email"].as_str().unwrap_or("-");
    let about = &format!("This is token {} of {email}.", token["id"]);
    output
        .secret(
            client,
            &response,
            Secret { member: "token", about, if_lost: IfLost::Revoke("tokens") },
        )
        .await
}

async fn list(client: &mut Client, output: Output, list: List) -> Result<(), StartupError> {
    let user = resolve::user_id(client, list.user.as_deref()).await?;
    let target = Target::path(["admin", "tokens"])
        .with("user_id", user)
        .with("after", list.after)
        .with("limit", Some(list.limit));
    let response = client.get(target).await?;
    let more = after_last("--after", list.limit);
    output.list_of_users(client, &response, LISTED, more).await
}

async fn rotate(client: &mut Client, output: Output, args: Rotate) -> Result<(), StartupError> {
    let (id, about) = args.which.find(client).await?;
    let body = object_of([
        ("grace_seconds", Some(args.grace.into())),
        ("expires_in", args.expires_in.map(Value::from)),
    ]);
    let target = Target::path(["admin", "tokens", &id, "rotate"]);
    let response = client.send(Method::POST, target, Some(body)).await?;
    let new = response.json()?;
    let old = match new["replaces"]["expires_at"].as_str() {
        Some(end) if args.grace > 0 => format!("works until {end}"),
        _ => "is refused from now on".to_owned(),
    };
    let about = &format!("This is token {}; {about} {old}.", new["id"]);
    output
        .secret(
            client,
            &response,
            Secret { member: "token", about, if_lost: IfLost::Revoke("tokens") },
        )
        .await
}

async fn revoke(client: &mut Client, output: Output, args: &Revoke) -> Result<(), StartupError> {
    let (id, about) = args.which.find(client).await?;
    args.consent.ask(&format!("Revoke {about}?"))?;
    let target = Target::path(["admin", "tokens", &id]);
    let response = client.send(Method::DELETE, target, None).await?;
    let others = response.tokens_affected.unwrap_or(1).saturating_sub(1);
    let message = match others {
        0 => format!("Revoked {about}; it is refused from now on."),
        _ => format!(
            "Revoked {about} and {others} more that its holder rotated it to, or from; all are \
             refused from now on."
        ),
    };
    output.done(&response, &message)
}

async fn set_disabled(
    client: &mut Client,
    output: Output,
    which: &Which,
    disabled: bool,
) -> Result<(), StartupError> {
    let (id, _) = which.find(client).await?;
    let target = Target::path(["admin", "tokens", &id]);
    let body = json!({ "disabled": disabled });
    let response = client.send(Method::PATCH, target, Some(body)).await?;
    output.one(&response, FIELDS)
}

async fn explain(client: &mut Client, output: Output, args: &Explain) -> Result<(), StartupError> {
    if args.token.is_some() {
        return Err(StartupError::new(
            Code::Invalid,
            "A token is read from standard input, never from the arguments, where others can see \
             it; if this one is real, revoke it.",
        ));
    }
    let token = read_token()?;
    // Some programs begin a text with a byte order mark.
    let token = token.trim_start_matches('\u{feff}').trim();
    let body = json!({ "token": token });
    let target = Target::path(["admin", "tokens", "explain"]);
    let response = client.send(Method::POST, target, Some(body)).await?;
    output.one(&response, EXPLAINED)?;
    let explained = response.json()?;
    if explained["code"] == ACCEPTED {
        return Ok(());
    }
    let reason = explained["reason"].as_str().unwrap_or("The token would be refused.");
    Err(StartupError::new(Code::TokenRefused, reason))
}

/// One line of standard input.
fn read_token() -> Result<String, StartupError> {
    if stdin().is_terminal() {
        note("Type or paste the token, then Enter:");
    }
    let mut token = String::new();
    match stdin().read_line(&mut token) {
        Ok(_) => Ok(token),
        Err(error) => {
            let message = format!("Cannot read the token from standard input ({error}).");
            Err(StartupError::new(Code::Invalid, message))
        }
    }
}

fn platform_and_id(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((platform, id)) => Ok((platform.to_owned(), id.to_owned())),
        None => {
            Err("should be a platform and a meeting id, such as google_meet/abc-defg-hij"
                .to_owned())
        }
    }
}
