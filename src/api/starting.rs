//! What a server responds while its database is upgraded: that it lives, and that it is not ready.

use crate::api::health::{not_ready, works};
use crate::error::{Error, Result};
use crate::http::service::{Request, ResponseFuture, Service, Target};
use hyper::Method;

/// The word for why a server is not ready.
const STARTING: &str = "starting";

/// The service of a server that starts.
pub(crate) struct Starting;

/// What probes call; for everything else the error is [`Error::Starting`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whether the server works.
    Health,
    /// Whether the server should get requests.
    Readiness,
}

impl Target for Probe {
    fn number(&self) -> usize {
        *self as usize
    }

    fn pattern(&self) -> &'static str {
        match self {
            Self::Health => "/healthz",
            Self::Readiness => "/ready",
        }
    }

    fn is_probe(&self) -> bool {
        true
    }

    fn is_openai(&self) -> bool {
        false
    }
}

impl Service for Starting {
    type Target = Probe;

    fn find(&self, method: &Method, path: &str) -> Result<&'static Probe> {
        let is_read = *method == Method::GET || *method == Method::HEAD;
        match [&Probe::Health, &Probe::Readiness].into_iter().find(|probe| probe.pattern() == path)
        {
            Some(probe) if is_read => Ok(probe),
            _ => Err(Error::Starting),
        }
    }

    fn call(&self, probe: &'static Probe, _: Request) -> ResponseFuture {
        let response = match probe {
            Probe::Health => works(),
            Probe::Readiness => not_ready(STARTING),
        };
        Box::pin(async { (response, Vec::new()) })
    }
}
