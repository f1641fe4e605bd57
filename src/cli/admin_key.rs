//! `vomeet admin-key`: the named keys of the administrators.

use crate::cli::client::{Client, Target, object_of};
use crate::cli::confirm::Consent;
use crate::cli::output::Output;
use crate::cli::resolve::admin_key;
use crate::cli::span::seconds;
use crate::cli::table::Column;
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

/// What is done with admin keys.
#[derive(Subcommand)]
pub enum AdminKeyCommand {
    /// Create a named admin key, and print it this once
    Create(Create),
    /// List the named admin keys
    List,
    /// Exchange an admin key for a new one, which is printed this once; the old one works for a while
    Rotate(Rotate),
    /// Revoke an admin key: it is refused from the next request on
    Revoke(Revoke),
}

/// A new key.
#[derive(Args)]
pub struct Create {
    /// Whose it is
    name: String,
    /// When it ends, such as 90d from now [default: never]
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    expires_in: Option<i64>,
}

/// An exchange.
#[derive(Args)]
pub struct Rotate {
    /// Id or name
    key: String,
    /// How long the old one still works, such as 15m
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value = "1h")]
    grace: i64,
}

/// An end.
#[derive(Args)]
pub struct Revoke {
    /// Id or name
    key: String,
    #[command(flatten)]
    consent: Consent,
}

/// Does it.
pub async fn run(client: &mut Client, output: Output, command: AdminKeyCommand) -> Result<(), StartupError> {
    match command {
        AdminKeyCommand::Create(Create { name, expires_in }) => {
            let body = object_of([("name", Some(name.as_str().into())), ("expires_in", expires_in.map(Value::from))]);
            let answer = client.send(Method::POST, Target::path(["admin", "keys"]), Some(body)).await?;
            output.secret(&answer, "key", &format!("This is the admin key {name}."))
        }
        AdminKeyCommand::List => output.list(&client.get(Target::path(["admin", "keys"])).await?, COLUMNS, |_| None),
        AdminKeyCommand::Rotate(Rotate { key, grace }) => {
            let (id, about) = admin_key(client, &key).await?;
            let body = json!({ "grace_seconds": grace });
            let answer = client.send(Method::POST, Target::path(["admin", "keys", &id, "rotate"]), Some(body)).await?;
            output.secret(&answer, "key", &format!("This is the new key of {about}."))
        }
        AdminKeyCommand::Revoke(Revoke { key, consent }) => {
            let (id, about) = admin_key(client, &key).await?;
            consent.ask(&format!("Revoke {about}?"))?;
            let answer = client.send(Method::DELETE, Target::path(["admin", "keys", &id]), None).await?;
            output.done(&answer, &format!("Revoked {about}; it is refused from now on."));
            Ok(())
        }
    }
}
