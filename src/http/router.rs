//! Routes as data: what a row is, how a request finds its row, and how a row becomes a handler.

use super::admission::admit;
use super::answer::{AnswerDoc, Output, Response};
use super::body::{self, Unread};
use super::form::{BodyRule, FieldDoc, Form, Input, Parts};
use super::handshake::Guest;
use super::peer::Origin;
use crate::app::App;
use crate::auth::{self, Admin, Bot, Stamps, User};
/// What a row asks of a user's token.
pub use crate::domain::Need;
use crate::domain::Time;
use crate::error::{Error, Result};
use hyper::body::Incoming;
use hyper::http::request;
use hyper::{Method, header};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// A request on its way to its handler.
pub struct Call {
    /// What every request may reach.
    pub app: Arc<App>,
    /// The row that was found.
    pub route: &'static Route,
    /// Method, path and headers.
    pub head: request::Parts,
    /// The body, not read yet.
    pub body: Incoming,
    /// Tells the edge that the body was read to its end.
    pub unread: Unread,
    /// Who is at the other end of the connection.
    pub peer: Origin,
    /// Whose request it is: the peer's, or that of whom a trusted proxy names; none where it came by the private socket.
    pub client: Option<IpAddr>,
    /// When it came.
    pub now: Time,
    /// The same by a clock that nobody sets.
    pub began: Instant,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Open,
    /// The holder of the admin key, and whoever comes by the private socket.
    Admin,
    /// The holder of a user token.
    User,
    /// Anyone who opens a WebSocket; a key that is refused is refused over the socket.
    Socket,
    /// The bot of a meeting that is not over.
    Bot,
}

/// What a handler holds once its caller was let in. A handler that takes a [`User`] cannot stand behind another door.
pub trait Door: Sized + Send {
    /// Who may come in.
    const ACCESS: Access;

    /// Decides before a byte of the body is read.
    fn enter(call: &Call) -> Result<Self>;

    /// Counts the request of whoever came in, and notes what every answer to it carries.
    fn stamp(&self, _: &Call, _: &mut Stamps) -> Result<()> {
        Ok(())
    }
}

/// A caller of whom nothing is asked.
pub struct Visitor {
    /// Whether it is a browser that asks for a page.
    pub wants_page: bool,
    /// Whether they are on the server's own machine.
    pub is_local: bool,
}

impl Door for Visitor {
    const ACCESS: Access = Access::Open;

    fn enter(call: &Call) -> Result<Self> {
        let accepts = call.head.headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let is_here = |ip: IpAddr| ip.is_loopback() || ip == call.app.address.ip().to_canonical();
        Ok(Self {
            wants_page: accepts.into_iter().any(|accept| accept.contains("text/html")),
            is_local: call.peer.is_on_this_machine(call.app.address) && call.client.is_none_or(is_here),
        })
    }
}

impl Door for Admin {
    const ACCESS: Access = Access::Admin;

    fn enter(call: &Call) -> Result<Self> {
        match &call.peer {
            Origin::Local(user) => Ok(call.app.auth.local(user, call.now)),
            Origin::Network(_) => call.app.auth.admin(&call.head.headers, &call.app.store, call.client, call.now),
        }
    }
}

impl Door for User {
    const ACCESS: Access = Access::User;

    fn enter(call: &Call) -> Result<Self> {
        let user = call.app.auth.user(&call.head.headers, &call.app.store, call.client, call.now)?;
        user.token.scope.check(call.route.need.unwrap_or(Need::WriteAll)).map_err(Error::NotAllowed)?;
        Ok(user)
    }

    fn stamp(&self, call: &Call, stamps: &mut Stamps) -> Result<()> {
        auth::announce(self, call.now, stamps);
        call.app.quotas.count(self, call.began, stamps)?;
        call.app.auth.usage().note(self, call.now, call.client);
        Ok(())
    }
}

impl Door for Bot {
    const ACCESS: Access = Access::Bot;

    fn enter(call: &Call) -> Result<Self> {
        call.app.auth.bot(&call.head.headers, &call.app.store)
    }
}

/// What becomes of a call, and the headers that its answer carries in any case.
pub type Answered = (Result<Response>, Stamps);

/// An answer on its way.
type Answering = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// One row of the table.
pub struct Route {
    /// Its place in the table.
    pub number: usize,
    /// Who may call it.
    pub access: Access,
    /// What it asks of a user's token.
    pub need: Option<Need>,
    /// Its method.
    pub method: Method,
    /// Its path; `{name}` stands for one segment.
    pub path: &'static str,
    /// The path up to its first parameter.
    literal: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// How it can fail besides what its door and its input bring.
    pub failures: Vec<Error>,
    /// What it makes of the body.
    pub body: BodyRule,
    /// The longest body in bytes, where that is more than the configured one.
    pub body_bytes_max: usize,
    /// The fields that it reads.
    pub fields: fn() -> Vec<FieldDoc>,
    /// The ways in which it answers.
    pub answers: fn() -> Vec<AnswerDoc>,
    handler: Box<dyn Fn(Box<Call>) -> Answering + Send + Sync>,
}

/// A row for the holder of the admin key.
pub fn admin<I, O, F, R>(method: Method, path: &'static str, handler: F, summary: &'static str) -> Route
where
    F: Fn(Arc<App>, Admin, I) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<O>> + Send,
    I: Input,
    O: Output,
{
    Route::new(method, path, handler, summary)
}

/// A row for the holder of a user token that may do this.
pub fn user<I, O, F, R>(need: Need, method: Method, path: &'static str, handler: F, summary: &'static str) -> Route
where
    F: Fn(Arc<App>, User, I) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<O>> + Send,
    I: Input,
    O: Output,
{
    Route { need: Some(need), ..Route::new(method, path, handler, summary) }
}

/// A row for whoever opens a WebSocket; what the token may do is decided message by message.
pub fn socket<I, O, F, R>(need: Need, method: Method, path: &'static str, handler: F, summary: &'static str) -> Route
where
    F: Fn(Arc<App>, Guest, I) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<O>> + Send,
    I: Input,
    O: Output,
{
    Route { need: Some(need), ..Route::new(method, path, handler, summary) }
}

/// A row for the bot of a meeting.
pub fn bot<I, O, F, R>(method: Method, path: &'static str, handler: F, summary: &'static str) -> Route
where
    F: Fn(Arc<App>, Bot, I) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<O>> + Send,
    I: Input,
    O: Output,
{
    Route::new(method, path, handler, summary)
}

/// A row for anyone.
pub fn open<I, O, F, R>(method: Method, path: &'static str, handler: F, summary: &'static str) -> Route
where
    F: Fn(Arc<App>, Visitor, I) -> R + Copy + Send + Sync + 'static,
    R: Future<Output = Result<O>> + Send,
    I: Input,
    O: Output,
{
    Route::new(method, path, handler, summary)
}

impl Route {
    fn new<D, I, O, F, R>(method: Method, path: &'static str, handler: F, summary: &'static str) -> Self
    where
        F: Fn(Arc<App>, D, I) -> R + Copy + Send + Sync + 'static,
        R: Future<Output = Result<O>> + Send,
        D: Door,
        I: Input,
        O: Output,
    {
        let answer = move |call: Box<Call>| -> Answering {
            Box::pin(async move {
                let mut stamps = Stamps::new();
                let outcome = match admit::<D>(&call, &mut stamps) {
                    Ok(who) => handle(call, who, handler).await,
                    Err(error) => Err(error),
                };
                (outcome, stamps)
            })
        };
        Self {
            number: 0,
            access: D::ACCESS,
            need: None,
            method,
            path,
            literal: path.split('{').next().unwrap_or(path),
            summary,
            failures: Vec::new(),
            body: I::BODY,
            body_bytes_max: 0,
            fields: Form::describe::<I>,
            answers: O::describe,
            handler: Box::new(answer),
        }
    }

    /// The same row with the errors of its own.
    #[must_use]
    pub fn fails<const N: usize>(self, failures: [Error; N]) -> Self {
        Self { failures: failures.into(), ..self }
    }

    /// The same row with a longest body of its own, in bytes; a longer one that is configured stays.
    #[must_use]
    pub fn takes(self, body_bytes_max: usize) -> Self {
        Self { body_bytes_max, ..self }
    }

    /// The same row at its place in the table.
    #[must_use]
    pub fn numbered(self, number: usize) -> Self {
        Self { number, ..self }
    }

    /// Answers a call.
    pub fn answer(&self, call: Box<Call>) -> Answering {
        (self.handler)(call)
    }

    /// Whether the path is this row's. The literal beginning decides most cases by one comparison.
    fn matches(&self, path: &str) -> bool {
        if self.literal.len() == self.path.len() {
            return path == self.path;
        }
        let at = self.literal.len();
        path.starts_with(self.literal) && same_segments(&self.path[at..], &path[at..])
    }
}

/// Reads what a handler takes, and calls it.
async fn handle<D, I, O, F, R>(call: Box<Call>, who: D, handler: F) -> Result<Response>
where
    F: Fn(Arc<App>, D, I) -> R,
    R: Future<Output = Result<O>>,
    I: Input,
    O: Output,
{
    // What stays where it is need not be copied.
    let body = match I::BODY {
        BodyRule::None => Vec::new(),
        BodyRule::Optional | BodyRule::Required => {
            body::read(call.body, &call.app.config.http, call.route.body_bytes_max, &call.unread).await?
        }
    };
    let input = input::<I>(call.route, &call.head, &body)?;
    handler(call.app, who, input).await?.into_response()
}

fn same_segments(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut actual) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), actual.next()) {
            (None, None) => return true,
            (Some(expected), Some(segment)) if expected == segment => {}
            (Some(expected), Some(segment)) if expected.starts_with('{') && !segment.is_empty() => {}
            _ => return false,
        }
    }
}

/// Reads what the handler takes from a request whose body was read.
fn input<I: Input>(route: &Route, head: &request::Parts, body: &[u8]) -> Result<I> {
    let at = route.literal.len();
    let (pattern, path) = (&route.path[at..], &head.uri.path()[at..]);
    let raw_segment = |name: &str| segment(pattern, path, name);
    Form::fill(&Parts { path: &raw_segment, query: head.uri.query().unwrap_or(""), body })
}

/// The raw segment of `path` where `pattern` has `{name}`.
fn segment<'a>(pattern: &str, path: &'a str, name: &str) -> Option<&'a str> {
    let is_name = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(name);
    pattern.split('/').zip(path.split('/')).find(|(part, _)| is_name(part)).map(|(_, segment)| segment)
}

/// Finds the row of a request; `HEAD` is found where `GET` is.
pub fn find(table: &'static [Route], method: &Method, path: &str) -> Result<&'static Route> {
    if *method == Method::TRACE || *method == Method::CONNECT {
        return Err(Error::WrongMethod(allowed(table, path)));
    }
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut rows = rows_of(table, path).peekable();
    match rows.peek() {
        None => Err(Error::NoRoute),
        Some(_) => rows.find(|row| row.method == *wanted).ok_or_else(|| Error::WrongMethod(allowed(table, path))),
    }
}

/// The rows of a path. Where several patterns match, the uppermost is meant, with all its methods and no others.
fn rows_of<'a>(table: &'a [Route], path: &str) -> impl Iterator<Item = &'a Route> {
    let first = table.iter().position(|row| row.matches(path)).unwrap_or(table.len());
    let rest = &table[first..];
    rest.iter().filter(|row| row.path == rest[0].path)
}

/// The value of `Allow` for a path.
pub fn allowed(table: &[Route], path: &str) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for route in rows_of(table, path) {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}
