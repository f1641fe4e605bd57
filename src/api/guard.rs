//! Who may call a route: a guard decides before a byte of the body is read, and what it lets in is
//! what the handler holds.

use crate::api::call::Call;
use crate::app::App;
use crate::auth;
use crate::auth::Auth;
use crate::auth::{ADMIN_HEADER, Admin, Bot, InQuery, Refusal, ResponseHeaders, USER_HEADER, User};
use crate::budget::Holder;
use crate::domain::ticket::TicketPath;
use crate::domain::{Hint, PlainToken, TokenHash};
use crate::error::{Error, Result};
use crate::http::peer::{Door, Origin};
use crate::http::request::query::query_value;
use crate::http::this_machine::Locality;
use crate::http::websocket::handshake::Handshake;
use crate::http::websocket::origin;
use crate::metrics::{Limit, RouteLabel};
use hyper::body::Body;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;

/// The query parameter of a user's token: browsers cannot set headers on a WebSocket.
pub(crate) const KEY_PARAMETER: &str = "api_key";
/// The query parameter of a ticket, which is better there than a token.
pub(crate) const TICKET_PARAMETER: &str = "ticket";
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
    /// Anyone who opens a WebSocket for sound; the secret of a meeting comes over the socket.
    SoundSocket,
    /// A caller with a user's token, which may come as a bearer token: a client of MCP.
    Mcp,
    /// A caller with a user's token, which may come as a bearer token, or the bot of a meeting.
    Sound,
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

    /// Who holds what the request takes of the server.
    fn holder(&self) -> Holder;

    /// Who holds a response of more than one page.
    fn holder_of_long(&self) -> Holder {
        self.holder()
    }

    /// Decides whether an authenticated caller may do this; the request is counted before.
    fn check(&self, _: &Call) -> Result<()> {
        Ok(())
    }

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
    /// Whether the caller takes `OpenMetrics`.
    pub wants_openmetrics: bool,
    /// By which door the caller comes.
    pub door: Door,
    /// Whether the caller is on the server's own machine.
    pub(crate) locality: Locality,
    /// Whether the caller takes gzip.
    pub accepts_gzip: bool,
    /// The versions that the caller has already (`If-None-Match`).
    pub known_etags: Option<HeaderValue>,
    /// The name by which the caller reaches the server (`Host`).
    pub(crate) host: Option<HeaderValue>,
    /// The address that the request came from.
    client: Option<IpAddr>,
}

impl Guard for Anonymous {
    const ACCESS: Access = Access::Open;

    fn authenticate(call: &Call) -> Result<Self> {
        let headers = &call.request.head.headers;
        Ok(Self {
            wants_page: accepts(call, "text/html"),
            wants_openmetrics: accepts(call, "application/openmetrics-text"),
            door: call.request.peer.door,
            locality: locality(call),
            accepts_gzip: accepts_gzip(headers),
            known_etags: headers.get(header::IF_NONE_MATCH).cloned(),
            host: headers.get(header::HOST).cloned(),
            client: call.request.client,
        })
    }

    fn holder(&self) -> Holder {
        Holder::Anonymous
    }

    /// Whoever reads by a share link slowly keeps nobody elsewhere from theirs.
    fn holder_of_long(&self) -> Holder {
        Holder::reporter(self.client)
    }
}

/// Whether the caller names this media type in `Accept`, and not to refuse it (RFC 9110, section
/// 12.5.1).
fn accepts(call: &Call, media_type: &str) -> bool {
    for value in call.request.head.headers.get_all(header::ACCEPT) {
        let Ok(value) = value.to_str() else { continue };
        for item in value.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
            let is_refused =
                parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            if is_named && !is_refused {
                return true;
            }
        }
    }
    false
}

/// Whether `Accept-Encoding` names gzip, and not with a weight of zero (RFC 9110, section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        for coding in value.to_str().unwrap_or_default().split(',') {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            let is_refused = weight.trim_matches(['0', '.']).is_empty();
            if name.trim().eq_ignore_ascii_case("gzip") {
                return !is_refused;
            }
        }
    }
    false
}

/// Whether the request comes from this machine.
fn locality(call: &Call) -> Locality {
    Locality::of(&call.request.peer, &call.request.head)
}

/// The bot of a session that the body names. A report of an unknown session gets a response, and
/// changes nothing.
pub struct Session {
    /// BLAKE3 of the meeting's secret, where it came too; then it must be right.
    pub token_hash: Option<TokenHash>,
    /// The address that the report came from.
    pub client: Option<IpAddr>,
}

impl Guard for Session {
    const ACCESS: Access = Access::Session;

    fn authenticate(call: &Call) -> Result<Self> {
        let token_hash = Auth::bearer(&call.request.head.headers)?;
        Ok(Self { token_hash, client: call.request.client })
    }

    fn holder(&self) -> Holder {
        Holder::reporter(self.client)
    }
}

impl Guard for Admin {
    const ACCESS: Access = Access::Admin;

    fn authenticate(call: &Call) -> Result<Self> {
        match &call.request.peer.origin {
            Origin::Local { user, uid } => Ok(Auth::local(user, *uid, call.now)),
            Origin::Network(_) => {
                let App { auth, store, .. } = &*call.app;
                let (head, client, now) = (&call.request.head, call.request.client, call.now);
                let is_near = || locality(call).seems_local();
                match auth.console_admin(&head.headers, is_near, client, now) {
                    Some(admin) => Ok(admin),
                    None => auth.admin(head, || locality(call).is_sure(), store, client, now),
                }
            }
        }
    }

    fn holder(&self) -> Holder {
        Holder::Admin
    }
}

impl Guard for User {
    const ACCESS: Access = Access::User;

    fn authenticate(call: &Call) -> Result<Self> {
        call.app.auth.user(&call.request.head, &call.app.store, call.request.client, call.now)
    }

    fn check(&self, call: &Call) -> Result<()> {
        self.token.terms.scope.check(call.permission).map_err(Error::NotAllowed)
    }

    fn holder(&self) -> Holder {
        Holder::User(self.user.id)
    }

    fn holder_of_long(&self) -> Holder {
        Holder::Token(self.token.id)
    }

    fn record_use(&self, call: &Call, response_headers: &mut ResponseHeaders) -> Result<()> {
        auth::add_expiry_header(self, call.now, response_headers);
        let counted =
            call.app.request_limiter.count(self, call.cost, call.instant, response_headers);
        if counted.is_err() {
            call.app.metrics.refuse_too_many(Limit::Requests);
        }
        counted?;
        call.app.auth.usage().record_use(self, call.now, call.request.client);
        Ok(())
    }
}

impl Guard for Bot {
    const ACCESS: Access = Access::Bot;

    fn authenticate(call: &Call) -> Result<Self> {
        Auth::bot(&call.request.head, &call.app.store, call.now)
    }

    fn holder(&self) -> Holder {
        Holder::Bot(self.token_hash())
    }
}

/// A caller who opens a WebSocket: with a token, or to be told over the socket that the token is
/// refused.
pub struct WebSocketCaller {
    /// The caller; or [`Error::TokenMissing`] or [`Error::TokenRefused`].
    pub who: Result<User>,
    /// The handshake of the request.
    pub handshake: Handshake,
}

impl Guard for WebSocketCaller {
    const ACCESS: Access = Access::Socket;

    fn authenticate(call: &Call) -> Result<Self> {
        let handshake = handshake(call)?;
        let query = call.request.head.uri.query().unwrap_or("");
        let ticket = query_value(query, TICKET_PARAMETER);
        let key = query_value(query, KEY_PARAMETER);
        let path = TicketPath::of(call.request.head.uri.path());
        let in_query = InQuery { ticket: ticket.as_deref(), key: key.as_deref(), path };
        let App { auth, store, .. } = &*call.app;
        let who = auth.websocket_user(
            &call.request.head,
            &in_query,
            store,
            call.request.client,
            call.now,
        );
        match who {
            Ok(_) | Err(Error::TokenMissing(_)) => Ok(Self { who, handshake }),
            Err(error) => match count_failed_auth(call, Self::ACCESS, error) {
                refused @ Error::TokenRefused(_) => Ok(Self { who: Err(refused), handshake }),
                error => Err(error),
            },
        }
    }

    fn holder(&self) -> Holder {
        match &self.who {
            Ok(user) => user.holder(),
            Err(_) => Holder::Anonymous,
        }
    }

    fn check(&self, call: &Call) -> Result<()> {
        match &self.who {
            Ok(user) => user.check(call),
            Err(_) => Ok(()),
        }
    }

    fn record_use(&self, call: &Call, response_headers: &mut ResponseHeaders) -> Result<()> {
        match &self.who {
            Ok(user) => user.record_use(call, response_headers),
            Err(_) => Ok(()),
        }
    }
}

/// The handshake of a request for a WebSocket, by a page that may open one.
pub(crate) fn handshake(call: &Call) -> Result<Handshake> {
    if !call.request.body.is_end_stream() {
        return Err(Error::NoWebSocket);
    }
    let handshake = Handshake::read(&call.request.head)?;
    if !origin::is_allowed(&call.request.head.headers, &call.app.transport.rules().limits) {
        return Err(Error::ForeignOrigin);
    }
    Ok(handshake)
}

/// Authenticates the caller. A refused key is counted for the client's address: over the limit no
/// caller from there is told any more what is wrong with the key. A key that is accepted is
/// accepted from every address.
pub fn admit<D: Guard>(call: &Call, response_headers: &mut ResponseHeaders) -> Result<D> {
    let who = D::authenticate(call).map_err(|error| count_failed_auth(call, D::ACCESS, error))?;
    who.record_use(call, response_headers)?;
    who.check(call)?;
    Ok(who)
}

/// Counts a refused key, and gives the error that the caller gets: `error`, or too many failed
/// keys.
pub fn count_failed_auth(call: &Call, access: Access, error: Error) -> Error {
    let (key, header) = match access {
        Access::Admin => ("admin_key", ADMIN_HEADER),
        Access::Bot | Access::Session | Access::SoundSocket => ("bot", header::AUTHORIZATION),
        Access::Mcp | Access::Sound if !call.request.head.headers.contains_key(USER_HEADER) => {
            ("token", header::AUTHORIZATION)
        }
        Access::User | Access::Socket | Access::Mcp | Access::Sound | Access::Open => {
            ("token", USER_HEADER)
        }
    };
    note_refusal(call, key, &header, &error);
    // A request without a key is no attempt to guess one.
    let query = call.request.head.uri.query().unwrap_or("");
    let brings_key = access == Access::Socket
        || query_value(query, TICKET_PARAMETER).is_some()
        || call.request.head.headers.get_all(header).iter().any(|key| !key.is_empty());
    if error.refuses_key() || matches!(error, Error::TokenMissing(_)) {
        let is_bot = matches!(access, Access::Bot | Access::Session);
        let code = error.reason().map_or("", |(code, _)| code);
        call.app.metrics.refuse_key(if is_bot { "bot" } else { code });
    }
    let Some(client) = call.request.client else { return error };
    if !error.refuses_key() || !brings_key {
        return error;
    }
    match call.app.failed_auth_limiter.count(client, call.instant) {
        Ok(()) => error,
        Err(too_many) => {
            call.app.metrics.refuse_too_many(Limit::FailedKeys);
            too_many
        }
    }
}

/// Notes a refused key for administrators; of the key itself its hint at most.
fn note_refusal(call: &Call, key: &'static str, header: &HeaderName, error: &Error) {
    let is_refusal = error.refuses_key() || matches!(error, Error::TokenMissing(_));
    let Some((code, _)) = error.reason().filter(|_| is_refusal) else { return };
    let sent = call.request.head.headers.get(header).map(HeaderValue::as_bytes);
    let hint = sent.filter(|sent| PlainToken::is_wellformed(sent)).map(Hint::of);
    let RouteLabel { method, path, .. } = call.label;
    call.app.refusals.note(Refusal {
        at: call.now,
        first_at: call.now,
        count: 1,
        address: call.request.client,
        key,
        code,
        method,
        path,
        hint,
    });
}
