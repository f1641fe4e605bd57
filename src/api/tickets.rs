//! Tickets, for addresses in which no key may stand.

use crate::api::tokens::secret;
use crate::app::App;
use crate::auth::User;
use crate::domain::Time;
use crate::domain::ticket::TicketPath;
use crate::error::Result;
use crate::http::Created;
use crate::http::request::input::input;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

input! {
    /// Body of `POST /tickets`.
    pub(crate) struct CreateTicketInput, body Required {
        required path: TicketPath,
    }
}

/// A ticket that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewTicket {
    /// The ticket: 40 characters that are shown this once. It goes into the query, `?ticket=`.
    #[schema(min_length = 40, max_length = 40, pattern = "^[0-9A-Za-z]{40}$")]
    ticket: String,
    /// The path that takes it.
    path: TicketPath,
    /// When it ends, unless its token ends sooner.
    expires_at: Time,
}

/// Creates a ticket, which is accepted in place of the token: once and for a minute by a WebSocket
/// of the caller's, for ten minutes by a sound of theirs. It ends with the token.
pub(crate) async fn create_ticket(
    app: Arc<App>,
    caller: User,
    input: CreateTicketInput,
) -> Result<Created<NewTicket>> {
    let ticket = secret()?;
    let path = input.path;
    let expires_at = app.auth.tickets().add(
        ticket.hash(),
        caller.user.id,
        caller.token_hash(),
        path,
        app.clock.now(),
    )?;
    Ok(Created(NewTicket { ticket: ticket.reveal().to_owned(), path, expires_at }))
}
