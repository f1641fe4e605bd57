//! As whom `vomeet transcribe` speaks to the server here: with a token of its own, which ends with
//! the command.

use crate::cli::client::{Client, Target};
use crate::cli::resolve;
use crate::exit::{Code, StartupError};
use hyper::Method;
use serde_json::{Value, json};

/// How long the token lives where the command is killed, in seconds.
const LIFETIME_SECONDS: i64 = 86_400;

/// A client of the server, and a token for one of its users.
pub(super) struct Speaker {
    /// The client, as an administrator.
    pub client: Administrator,
    /// The token.
    pub token: String,
    /// Its id.
    pub token_id: i64,
}

/// A client that can end the token.
pub(super) struct Administrator(Client);

impl Administrator {
    /// Revokes the token.
    pub(super) async fn end_token(&mut self, id: i64) -> Result<(), StartupError> {
        let target = Target::path(["admin", "tokens", &id.to_string()]);
        self.0.send(Method::DELETE, target, None).await.map(drop)
    }
}

/// A token for a user, by default the only one.
pub(super) async fn speaker(
    mut client: Client,
    user: Option<&str>,
) -> Result<Speaker, StartupError> {
    let user = match user {
        Some(user) => resolve::user(&mut client, user).await?,
        None => only_user(&mut client).await?,
    };
    let body = json!({
        "name": "vomeet transcribe",
        "expires_in": LIFETIME_SECONDS,
        "platforms": ["generic"],
        "transcribe": true,
    });
    let target = Target::path(["admin", "users", &resolve::id(&user), "tokens"]);
    let made = client.send(Method::POST, target, Some(body)).await?.json()?;
    Ok(Speaker {
        client: Administrator(client),
        token: made["token"].as_str().unwrap_or_default().to_owned(),
        token_id: made["id"].as_i64().unwrap_or_default(),
    })
}

async fn only_user(client: &mut Client) -> Result<Value, StartupError> {
    let target = Target::path(["admin", "users"]).with("limit", Some(2));
    let users = client.get_json(target).await?;
    match users.as_array().map(Vec::as_slice) {
        Some([user]) => Ok(user.clone()),
        Some([]) | None => {
            let message = "There is no user yet; create one with `vomeet user add`.";
            Err(StartupError::new(Code::NotFound, message))
        }
        Some(_) => {
            let message = "There are several users; say whose meeting it becomes with --user.";
            Err(StartupError::new(Code::Invalid, message))
        }
    }
}
