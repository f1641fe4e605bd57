//! `vomeet admin-key`: named admin keys.

use crate::api::admin_keys::CreateAdminKeyInput;
use crate::cli::client::{Client, Target, check, object_of};
use crate::cli::confirm::Consent;
use crate::cli::output::{IfLost, Output, Secret};
use crate::cli::resolve::admin_key;
use crate::cli::table::Column;
use crate::domain::span::seconds;
use crate::exit::StartupError;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

const COLUMNS: &[Column] = &[
    ("KEY", "/id"),
    ("NAME", "/name"),
    ("HINT", "/hint"),
    ("CREATED", "/created_at"),
    ("EXPIRES", "/expires_at"),
    ("ROTATED", "/rotated_at"),
    ("OLD UNTIL", "/old_until"),
];

/// Commands for admin keys.
#[derive(Subcommand)]
pub(super) enum AdminKeyCommand {
    /// Create a named admin key, and print it this once
    Create(Create),
    /// List the named admin keys
    List,
    /// Rotate an admin key: the new one is printed this once, the old one is refused or works for
    /// --grace more
    Rotate(Rotate),
    /// Revoke an admin key: it is refused from the next request on
    Revoke(Revoke),
}

/// Arguments of `create`.
#[derive(Args)]
pub(super) struct Create {
    /// Name of the administrator or program
    name: String,
    /// When it expires, such as 90d from now [default: never]
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true)]
    expires_in: Option<i64>,
}

/// Arguments of `rotate`.
#[derive(Args)]
pub(super) struct Rotate {
    /// Id or name
    key: String,
    /// How long the old key still works
    #[arg(long, value_name = "TIME", value_parser = seconds, allow_hyphen_values = true, default_value = "0")]
    grace: i64,
}

/// Arguments of `revoke`.
#[derive(Args)]
pub(super) struct Revoke {
    /// Id or name
    key: String,
    #[command(flatten)]
    consent: Consent,
}

/// Runs the command.
pub(super) async fn run(
    client: &mut Client,
    output: Output,
    command: AdminKeyCommand,
) -> Result<(), StartupError> {
    match command {
        AdminKeyCommand::Create(new) => create(client, output, &new).await,
        AdminKeyCommand::List => {
            let response = client.get(Target::path(["admin", "keys"])).await?;
            output.list(&response, COLUMNS, |_| None)
        }
        AdminKeyCommand::Rotate(args) => rotate(client, output, &args).await,
        AdminKeyCommand::Revoke(args) => revoke(client, output, &args).await,
    }
}

impl AdminKeyCommand {
    /// Checks what needs no database.
    pub(super) fn check(&self) -> Result<(), StartupError> {
        match self {
            Self::Create(new) => check::<CreateAdminKeyInput>(&new.body()),
            _ => Ok(()),
        }
    }
}

impl Create {
    fn body(&self) -> Value {
        object_of([
            ("name", Some(self.name.clone().into())),
            ("expires_in", self.expires_in.map(Value::from)),
        ])
    }
}

async fn create(client: &mut Client, output: Output, new: &Create) -> Result<(), StartupError> {
    let about = &format!("This is the admin key {}.", new.name);
    let body = new.body();
    let target = Target::path(["admin", "keys"]);
    let response = client.send(Method::POST, target, Some(body)).await?;
    output
        .secret(client, &response, Secret { member: "key", about, if_lost: IfLost::Revoke("keys") })
        .await
}

async fn rotate(client: &mut Client, output: Output, args: &Rotate) -> Result<(), StartupError> {
    let (id, about) = admin_key(client, &args.key).await?;
    let body = json!({ "grace_seconds": args.grace });
    let target = Target::path(["admin", "keys", &id, "rotate"]);
    let response = client.send(Method::POST, target, Some(body)).await?;
    let key = response.json()?;
    let old = match key["old_until"].as_str() {
        Some(end) => {
            format!("the last one works until {end}, and older ones are refused from now on")
        }
        None => "the old one is refused from now on".to_owned(),
    };
    let about = &format!("This is the new key of {about}; {old}.");
    // To revoke the key would take the name too, and the secret that still works for its grace.
    let secret = Secret { member: "key", about, if_lost: IfLost::RotateAgain };
    output.secret(client, &response, secret).await
}

async fn revoke(client: &mut Client, output: Output, args: &Revoke) -> Result<(), StartupError> {
    let (id, about) = admin_key(client, &args.key).await?;
    args.consent.ask(&format!("Revoke {about}?"))?;
    let target = Target::path(["admin", "keys", &id]);
    let response = client.send(Method::DELETE, target, None).await?;
    output.done(&response, &format!("Revoked {about}; it is refused from now on."))
}
