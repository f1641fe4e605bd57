//! Routes as data: what a row is, and how a row becomes a handler.
//!
//! By hand, for one table says it all: a routing crate knows paths, but neither guards, limits nor
//! the API document.

use crate::api::call::Call;
use crate::api::guard::{Access, Guard, admit};
use crate::api::path::{same_segments, segment};
use crate::api::response_room::{ResponseSize, Room};
use crate::app::App;
use crate::auth::ResponseHeaders;
use crate::budget::KEYLESS_BODY_BYTES_MAX;
use crate::domain::Permission;
use crate::error::{Error, Result};
use crate::http::request::body::{self, BodyLimits, ReadBody};
use crate::http::request::extractor::{BodyRule, FieldDoc, Parts};
use crate::http::request::streamed::StreamedBody;
use crate::http::response::ResponseDoc;
use crate::http::service::ResponseFuture;
use crate::http::{Extractor, FromRequest, IntoResponse, Response, service};
use crate::metrics::RouteLabel;
use hyper::{Method, http::request};
use std::cell::Cell;
use std::sync::Arc;

/// One row of the table.
pub struct Route {
    /// Its place in the table.
    pub number: usize,
    /// Who may call it.
    pub access: Access,
    /// The permission that a user's token needs.
    pub permission: Option<Permission>,
    /// Its method.
    pub method: Method,
    /// Its path; `{name}` stands for one segment.
    pub path: &'static str,
    /// The path up to its first parameter.
    literal: &'static str,
    /// The name of its handler: `create_user`.
    pub name: &'static str,
    /// Its summary in the API document.
    pub summary: &'static str,
    /// The errors besides those of its guard and its input.
    pub failures: Vec<Error>,
    /// Whether it has a body.
    pub body: BodyRule,
    /// The longest body in bytes, where that is more than other rows of its kind have.
    pub body_bytes_max: usize,
    /// How large its response can be.
    pub response_size: ResponseSize,
    /// How many requests of a token and of a user it counts as.
    pub cost: u32,
    /// Whether probes call it, by whatever name they reach the server.
    pub is_probe: bool,
    /// The fields that it reads.
    pub fields: fn() -> Vec<FieldDoc>,
    /// Its successful responses.
    pub responses: fn() -> Vec<ResponseDoc>,
    /// The media types of a successful response that is no JSON.
    pub media_types: &'static [&'static str],
    /// A body that is accepted, as JSON; empty where there is none.
    pub example: &'static str,
    /// Whether its errors have OpenAI's form too.
    pub is_openai: bool,
    handler: Box<dyn Fn(&'static Self, Box<Call>) -> ResponseFuture + Send + Sync>,
}

impl service::Target for Route {
    fn number(&self) -> usize {
        self.number
    }

    fn pattern(&self) -> &'static str {
        self.path
    }

    fn is_probe(&self) -> bool {
        self.is_probe
    }

    fn is_openai(&self) -> bool {
        self.is_openai
    }
}

impl Route {
    /// A row for those whom the guard `D` lets in.
    pub(super) fn new<D, I, O, F, R>(
        method: Method,
        path: &'static str,
        handler: F,
        summary: &'static str,
    ) -> Self
    where
        F: Fn(Arc<App>, D, I) -> R + Copy + Send + Sync + 'static,
        R: Future<Output = Result<O>> + Send,
        D: Guard,
        I: FromRequest,
        O: IntoResponse,
    {
        let answer = move |route: &'static Self, call: Box<Call>| -> ResponseFuture {
            Box::pin(async move {
                let mut response_headers = ResponseHeaders::new();
                let outcome = match admit::<D>(&call, &mut response_headers) {
                    Ok(who) => handle(route, call, who, handler).await,
                    Err(error) => Err(error),
                };
                (outcome, response_headers)
            })
        };
        Self {
            number: 0,
            access: D::ACCESS,
            permission: None,
            method,
            path,
            literal: path.split('{').next().unwrap_or(path),
            name: function_name::<F>(),
            summary,
            failures: Vec::new(),
            body: I::BODY,
            body_bytes_max: 0,
            response_size: ResponseSize::Small,
            cost: 1,
            is_probe: false,
            fields: Extractor::describe::<I>,
            responses: O::describe,
            media_types: &[],
            example: "",
            is_openai: false,
            handler: Box::new(answer),
        }
    }

    /// The same row for tokens that have this permission.
    pub(super) fn needs(self, permission: Permission) -> Self {
        Self { permission: Some(permission), ..self }
    }

    /// The same row with the errors of its own.
    #[must_use]
    pub fn errors<const N: usize>(self, failures: [Error; N]) -> Self {
        Self { failures: failures.into(), ..self }
    }

    /// The same row with a body that is accepted.
    #[must_use]
    pub fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// The same row with the media types of its response, which is no JSON.
    #[must_use]
    pub fn responds_with(self, media_types: &'static [&'static str]) -> Self {
        Self { media_types, ..self }
    }

    /// The same row with a longest body of its own, in bytes; a longer one that its kind has stays.
    #[must_use]
    pub fn max_body(self, body_bytes_max: usize) -> Self {
        Self { body_bytes_max, ..self }
    }

    /// The same row, whose response is a page, or page after page.
    #[must_use]
    pub fn paged(self) -> Self {
        Self { response_size: ResponseSize::Paged, ..self }
    }

    /// The same row, whose response can be more than a page at once.
    #[must_use]
    pub fn large(self) -> Self {
        Self { response_size: ResponseSize::Large, ..self }
    }

    /// The same row, which counts as so many requests.
    #[must_use]
    pub fn cost(self, cost: u32) -> Self {
        Self { cost, ..self }
    }

    /// The same row, for clients of OpenAI's API: its errors have their form too.
    #[must_use]
    pub fn openai(self) -> Self {
        Self { is_openai: true, ..self }
    }

    /// The same row for probes, by whatever name they reach the server.
    #[must_use]
    pub fn probe(self) -> Self {
        Self { is_probe: true, ..self }
    }

    /// The longest body in bytes, where `configured` is the setting. Before a key was seen a body is
    /// short, for anybody can send one.
    pub fn body_max(&self, configured: usize) -> usize {
        let of_kind = match self.access {
            Access::Open | Access::Session | Access::Socket | Access::SoundSocket => {
                configured.min(KEYLESS_BODY_BYTES_MAX)
            }
            Access::Admin | Access::User | Access::Mcp | Access::Sound | Access::Bot => configured,
        };
        self.body_bytes_max.max(of_kind)
    }

    /// The class of routes whose times are counted together: by who calls, and what it does.
    pub fn class(&self) -> &'static str {
        let reads = self.method == Method::GET;
        match (self.access, reads) {
            (Access::Open, _) => "open",
            (Access::Admin, true) => "admin_read",
            (Access::Admin, false) => "admin_write",
            (Access::User, true) => "user_read",
            (Access::User, false) | (Access::Sound, _) => "user_write",
            (Access::Socket | Access::SoundSocket, _) => "socket",
            (Access::Mcp, _) => "mcp",
            (Access::Bot | Access::Session, _) => "bot",
        }
    }

    /// What it is called in metrics and in lists.
    pub fn label(&'static self) -> RouteLabel {
        RouteLabel::new(self.method.as_str(), self.path, self.class())
    }

    /// The same row at its place in the table.
    #[must_use]
    pub fn numbered(self, number: usize) -> Self {
        Self { number, ..self }
    }

    /// Answers a call.
    pub fn answer(&'static self, call: Box<Call>) -> ResponseFuture {
        (self.handler)(self, call)
    }

    /// Whether the path is this row's. The literal beginning decides most cases by one comparison.
    pub(crate) fn matches(&self, path: &str) -> bool {
        if self.literal.len() == self.path.len() {
            return path == self.path;
        }
        let at = self.literal.len();
        path.starts_with(self.literal) && same_segments(&self.path[at..], &path[at..])
    }
}

/// The last part of a function's path, which is its name.
fn function_name<F>() -> &'static str {
    let path = std::any::type_name::<F>();
    path.rsplit("::").next().unwrap_or(path)
}

/// Reads what a handler takes, and calls it.
async fn handle<D, I, O, F, R>(
    route: &'static Route,
    call: Box<Call>,
    who: D,
    handler: F,
) -> Result<Response>
where
    F: Fn(Arc<App>, D, I) -> R,
    R: Future<Output = Result<O>>,
    D: Guard,
    I: FromRequest,
    O: IntoResponse,
{
    let transport = Arc::clone(&call.app.transport);
    let holder = who.holder();
    let limits = || {
        let rules = transport.rules();
        BodyLimits {
            bytes_max: route.body_max(rules.limits.body_bytes_max),
            time_max: rules.limits.body_time_max,
            bodies: &transport.budgets.bodies,
            holder,
        }
    };
    let mut streamed = None;
    let body = match I::BODY {
        BodyRule::Form | BodyRule::FormOrFile => {
            let time_max = transport.rules().limits.body_time_max;
            let body = (call.request.body, call.request.body_state);
            let (headers, bytes_max) = (&call.request.head.headers, usize::MAX);
            streamed = Some(StreamedBody::new(body, headers, time_max, bytes_max));
            ReadBody::default()
        }
        BodyRule::None => ReadBody::default(),
        BodyRule::Optional | BodyRule::Required | BodyRule::Raw => {
            body::read(call.request.body, &limits(), &call.request.body_state).await?
        }
    };
    let input = input::<I>(route, &call.request.head, &body.bytes, streamed)?;
    drop(body);
    let (size, budgets) = (route.response_size, &transport.budgets);
    if size == ResponseSize::Small {
        return handler(call.app, who, input).await?.into_response();
    }
    // On the heap, so that the future of a small response is small.
    let room = Box::pin(Room::take(size, budgets, holder, who.holder_of_long())).await?;
    let response = handler(call.app, who, input).await?.into_response()?;
    Box::pin(room.hold(response, budgets)).await
}

/// Reads what the handler takes from a request whose body was read.
fn input<I: FromRequest>(
    route: &Route,
    head: &request::Parts,
    body: &[u8],
    streamed: Option<StreamedBody>,
) -> Result<I> {
    let at = route.literal.len();
    let (pattern, path) = (&route.path[at..], &head.uri.path()[at..]);
    let raw_segment = |name: &str| segment(pattern, path, name);
    let (query, headers) = (head.uri.query().unwrap_or(""), Some(&head.headers));
    let streamed = Cell::new(streamed);
    Extractor::fill(&Parts { path: &raw_segment, query, body, headers, streamed })
}
