//! Who may call a route: a guard decides before a byte of the body is read, and what it lets in is
//! what the handler holds.

use crate::api::call::Call;
use crate::app::App;
use crate::auth;
use crate::auth::Auth;
use crate::auth::{ADMIN_HEADER, Admin, Bot, ResponseHeaders, USER_HEADER, User};
use crate::domain::TokenHash;
use crate::error::{Error, Result};
use crate::http::peer::Origin;
use crate::http::request::extractor::query_value;
use crate::http::websocket::handshake::Handshake;
use hyper::body::Body;
use hyper::header;

/// The query parameter of a user's token: browsers cannot set headers on a WebSocket.
const KEY_PARAMETER: &str = "api_key";
/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Open,
    /// A caller with an admin key, or by the admin socket.
    Admin,
    /// A caller with a user's token.
    User,
    /// Anyone who opens a WebSocket; a key that is refused is refused over the socket.
    Socket,
    /// The bot of a meeting that is not over.
    Bot,
    /// The bot of a session, which the body names: the name is the credential.
    Session,
}

/// What a handler is given once its caller is authenticated. A handler that takes a [`User`] cannot
/// have another guard.
pub trait Guard: Sized + Send {
    /// Who may call.
    const ACCESS: Access;

    /// Decides before a byte of the body is read.
    fn authenticate(call: &Call) -> Result<Self>;

    /// Counts the request of an authenticated caller, and adds the headers that every response to
    /// it has.
    fn record_use(&self, _: &Call, _: &mut ResponseHeaders) -> Result<()> {
        Ok(())
    }
}

/// A caller who needs no key.
pub struct Anonymous {
    /// Whether the caller is a browser that asks for a page.
    pub wants_page: bool,
    /// Whether the caller is on the server's own machine.
    pub is_local: bool,
}

impl Guard for Anonymous {
    const ACCESS: Access = Access::Open;

    fn authenticate(call: &Call) -> Result<Self> {
        Ok(Self { wants_page: wants_page(call), is_local: is_local(call) })
    }
}

/// Whether the caller is a browser that asks for a page.
fn wants_page(call: &Call) -> bool {
    for value in call.request.head.headers.get_all(header::ACCEPT) {
        if let Ok(accept) = value.to_str()
            && accept.contains("text/html")
        {
            return true;
        }
    }
    false
}

/// Whether the peer, and behind a proxy the client too, is on the server's own machine.
fn is_local(call: &Call) -> bool {
    let server = call.app.transport.address;
    if !call.request.peer.is_on_this_machine(server) {
        return false;
    }
    match call.request.client {
        Some(client) => client.is_loopback() || client == server.ip().to_canonical(),
        None => true,
    }
}

/// The bot of a session that the body names. A report of an unknown session gets a response, and
/// changes nothing.
pub struct Session {
    /// BLAKE3 of the meeting's secret, where it came too; then it must be right.
    pub token_hash: Option<TokenHash>,
}

impl Guard for Session {
    const ACCESS: Access = Access::Session;

    fn authenticate(call: &Call) -> Result<Self> {
        let token_hash = Auth::bearer(&call.request.head.headers)?;
        Ok(Self { token_hash })
    }
}

impl Guard for Admin {
    const ACCESS: Access = Access::Admin;

    fn authenticate(call: &Call) -> Result<Self> {
        match &call.request.peer {
            Origin::Local(user) => Ok(Auth::local(user, call.now)),
            Origin::Network(_) => call.app.auth.admin(
                &call.request.head.headers,
                &call.app.store,
                call.request.client,
                call.now,
            ),
        }
    }
}

impl Guard for User {
    const ACCESS: Access = Access::User;

    fn authenticate(call: &Call) -> Result<Self> {
        let user = call.app.auth.user(
            &call.request.head.headers,
            &call.app.store,
            call.request.client,
            call.now,
        )?;
        user.token.terms.scope.check(call.permission).map_err(Error::NotAllowed)?;
        Ok(user)
    }

    fn record_use(&self, call: &Call, response_headers: &mut ResponseHeaders) -> Result<()> {
        auth::add_expiry_header(self, call.now, response_headers);
        call.app.request_limiter.count(self, call.instant, response_headers)?;
        call.app.auth.usage().record_use(self, call.now, call.request.client);
        Ok(())
    }
}

impl Guard for Bot {
    const ACCESS: Access = Access::Bot;

    fn authenticate(call: &Call) -> Result<Self> {
        Auth::bot(&call.request.head.headers, &call.app.store, call.now)
    }
}

/// A caller who opens a WebSocket: with a token, or to be told over the socket that the token is
/// refused.
pub struct WebSocketCaller {
    /// The caller and the token's hash; or [`Error::TokenMissing`] or [`Error::TokenRefused`].
    pub who: Result<(User, TokenHash)>,
    /// The handshake of the request.
    pub handshake: Handshake,
}

impl Guard for WebSocketCaller {
    const ACCESS: Access = Access::Socket;

    fn authenticate(call: &Call) -> Result<Self> {
        if !call.request.body.is_end_stream() {
            return Err(Error::NoWebSocket);
        }
        let handshake = Handshake::read(&call.request.head)?;
        let in_query = query_value(call.request.head.uri.query().unwrap_or(""), KEY_PARAMETER);
        let App { auth, store, .. } = &*call.app;
        let who = auth.watcher(
            &call.request.head.headers,
            in_query.as_deref(),
            store,
            call.request.client,
            call.now,
        );
        match who {
            Ok(_) | Err(Error::TokenMissing) => Ok(Self { who, handshake }),
            Err(error) => match count_failed_auth(call, Self::ACCESS, error) {
                refused @ Error::TokenRefused(_) => Ok(Self { who: Err(refused), handshake }),
                error => Err(error),
            },
        }
    }

    fn record_use(&self, call: &Call, response_headers: &mut ResponseHeaders) -> Result<()> {
        match &self.who {
            Ok((user, _)) => user.record_use(call, response_headers),
            Err(_) => Ok(()),
        }
    }
}

/// Authenticates the caller. A refused key is counted for the client's address: over the limit no
/// caller from there is told any more what is wrong with the key. A key that is accepted is
/// accepted from every address.
pub fn admit<D: Guard>(call: &Call, response_headers: &mut ResponseHeaders) -> Result<D> {
    let who = D::authenticate(call).map_err(|error| count_failed_auth(call, D::ACCESS, error))?;
    who.record_use(call, response_headers)?;
    Ok(who)
}

/// Counts a refused key, and gives the error that the caller gets: `error`, or too many failed
/// keys.
pub fn count_failed_auth(call: &Call, access: Access, error: Error) -> Error {
    let header = match access {
        Access::Admin => ADMIN_HEADER,
        Access::Bot | Access::Session => header::AUTHORIZATION,
        Access::User | Access::Socket | Access::Open => USER_HEADER,
    };
    // A request without a key is no attempt to guess one.
    let brings_key = access == Access::Socket
        || call.request.head.headers.get_all(header).iter().any(|key| !key.is_empty());
    let Some(client) = call.request.client else { return error };
    if !error.refuses_key() || !brings_key {
        return error;
    }
    match call.app.failed_auth_limiter.count(client, call.instant) {
        Ok(()) => error,
        Err(too_many) => too_many,
    }
}
