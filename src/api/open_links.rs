//! Links by which `vomeet open` signs a browser of this machine in at the console, without a key.

use crate::api::guard::Anonymous;
use crate::api::tokens::secret;
use crate::app::App;
use crate::auth::Admin;
use crate::domain::text::SingleLine;
use crate::domain::{Time, TokenHash};
use crate::error::{Error, Result};
use crate::http::Created;
use crate::http::request::input::input;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A link that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewOpenLink {
    /// The secret of the link: 40 characters that are shown this once. It goes behind `#open=` in
    /// the address of the console, which no browser sends to a server.
    #[schema(min_length = 40, max_length = 40, pattern = "^[0-9A-Za-z]{40}$")]
    link: String,
    /// When it ends, unless it is used before.
    expires_at: Time,
}

input! {
    /// Body of `POST /console/sessions`.
    pub(crate) struct CreateConsoleSessionInput, body Required {
        secret link: SingleLine<64>,
    }
}

/// A session of the console that was just begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewConsoleSession {
    /// Its secret: 40 characters that are shown this once. Requests from this machine send it as
    /// `X-Admin-API-Key`.
    #[schema(min_length = 40, max_length = 40, pattern = "^[0-9A-Za-z]{40}$")]
    session: String,
    /// When it ends, unless the server is restarted before.
    expires_at: Time,
}

/// Makes a link that signs a browser of this machine in at the console: once, and within a minute.
/// Only by the admin socket; over the network there is no such route.
pub(crate) async fn create_open_link(
    app: Arc<App>,
    admin: Admin,
    (): (),
) -> Result<Created<NewOpenLink>> {
    let Some(name) = admin.socket_name().filter(|_| app.config.console) else {
        return Err(Error::PageNotFound);
    };
    let link = secret()?;
    let sessions = app.auth.console_sessions();
    let expires_at = sessions.add_link(link.hash(), name, app.clock.now());
    Ok(Created(NewOpenLink { link: link.reveal().to_owned(), expires_at }))
}

/// Redeems a link of `vomeet open` for a session of 8 hours, which ends with the server. Both are
/// accepted from this machine alone.
pub(crate) async fn create_console_session(
    app: Arc<App>,
    caller: Anonymous,
    input: CreateConsoleSessionInput,
) -> Result<Created<NewConsoleSession>> {
    // Looked at first: nobody else can use a link up.
    if !caller.locality.seems_local() {
        return Err(Error::OpenLinkNotFound);
    }
    let session = secret()?;
    let link = TokenHash::of(input.link.0.as_bytes());
    let sessions = app.auth.console_sessions();
    let (name, expires_at) = sessions.redeem(&link, session.hash(), app.clock.now())?;
    log::info!("a session of the console has begun for {name}, until {expires_at}");
    Ok(Created(NewConsoleSession { session: session.reveal().to_owned(), expires_at }))
}
