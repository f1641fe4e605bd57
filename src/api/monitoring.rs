//! The routes of the address for monitoring: those that probes call, and no other. The metrics may
//! ask for a token.

use crate::api::route::Route;
use crate::api::service::Api;
use crate::app::App;
use crate::domain::TokenHash;
use crate::error::{Error, Result};
use crate::http::service::{Request, ResponseFuture, Service, Target};
use hyper::Method;
use hyper::header::{self, HeaderMap};
use std::sync::Arc;

/// The route that asks for the token.
const METRICS: &str = "/metrics";

/// The routes for monitoring.
pub(crate) struct Monitoring {
    app: Arc<App>,
    api: Arc<Api>,
}

impl Monitoring {
    /// Those of `api`; the metrics for those alone who send the token of the settings in force, if
    /// there is one.
    pub(crate) fn new(app: Arc<App>, api: Arc<Api>) -> Self {
        Self { app, api }
    }

    /// The hash of the token; `None` where there is none.
    fn token(&self) -> Option<TokenHash> {
        let settings = self.app.in_force.load();
        let token = settings.metrics_token.as_bytes();
        (!token.is_empty()).then(|| TokenHash::of(token))
    }

    /// Whether the request brings the token. Hashes are compared, so that the time that it takes
    /// tells nothing.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(token) = self.token() else { return true };
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(sent), None) = (sent.next(), sent.next()) else { return false };
        let sent = sent.to_str().ok().and_then(|text| text.split_once(' '));
        sent.is_some_and(|(scheme, sent)| {
            scheme.eq_ignore_ascii_case("bearer") && TokenHash::of(sent.trim().as_bytes()) == token
        })
    }
}

impl Service for Monitoring {
    type Target = Route;

    fn find(&self, method: &Method, path: &str) -> Result<&'static Route> {
        match self.api.find(method, path) {
            Ok(route) if !route.is_probe() => Err(Error::NoRoute),
            found => found,
        }
    }

    fn call(&self, route: &'static Route, request: Request) -> ResponseFuture {
        if route.path == METRICS && !self.admits(&request.head.headers) {
            return Box::pin(async { (Err(Error::MetricsRefused), Vec::new()) });
        }
        self.api.call(route, request)
    }
}
