//! The client of the commands: sends requests to the admin routes over any stream, and turns error
//! responses into a [`StartupError`].

use crate::api::tokens::TOKENS_AFFECTED;
use crate::app::App;
use crate::error::Error;
use crate::exit::{Code, StartupError};
use crate::http::request::extractor::Parts;
use crate::http::{Extractor, FromRequest};
use crate::http_client::{self, Connection, Failure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderName;
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Longest wait for the head of a response, and for each piece of its body.
const RESPONSE_TIME_MAX: Duration = Duration::from_mins(1);
/// Most bytes of a response that is read as a whole: far more than a page of anything.
const RESPONSE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What is encoded in a segment of a path: all but letters, digits and the hyphen, which paths of
/// routes have (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-');

/// A path with its query, encoded.
pub(super) struct Target(String);

impl Target {
    /// The path that these segments make.
    pub(super) fn path<const N: usize>(segments: [&str; N]) -> Self {
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, ENCODED));
        }
        Self(path)
    }

    /// The same with a query parameter, if there is a value for it.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            let value = value.to_string();
            let separator = if self.0.contains('?') { '&' } else { '?' };
            self.0.push(separator);
            self.0.push_str(name);
            self.0.push('=');
            self.0.extend(utf8_percent_encode(&value, NON_ALPHANUMERIC));
        }
        self
    }
}

/// A JSON object of those fields that have a value.
pub(super) fn object_of<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let mut object = Map::new();
    for (field, value) in fields {
        if let Some(value) = value {
            object.insert(field.to_owned(), value);
        }
    }
    Value::Object(object)
}

/// Holds the body of a request against what the route takes, before a database is opened or
/// created for it.
pub(super) fn check<I: FromRequest>(body: &Value) -> Result<(), StartupError> {
    let body = body.to_string();
    let parts = Parts {
        path: &|_| None,
        query: "",
        body: body.as_bytes(),
        headers: None,
        streamed: Cell::default(),
    };
    match Extractor::fill::<I>(&parts) {
        Err(Error::Invalid(faults)) => {
            let detail = json!({ "detail": faults }).to_string();
            Err(refused(StatusCode::UNPROCESSABLE_ENTITY, &detail))
        }
        // What else may be wrong with it, the server says.
        _ => Ok(()),
    }
}

/// A successful response.
pub(super) struct Response {
    /// Its status.
    pub status: StatusCode,
    /// How many tokens were changed, if it says so.
    pub tokens_affected: Option<u64>,
    /// Its body, as it was received.
    pub body: String,
}

impl Response {
    /// What a server would respond, made here.
    pub(super) fn of(body: &impl Serialize) -> Result<Self, StartupError> {
        let body = serde_json::to_string(body).map_err(|error| broken(&error))?;
        Ok(Self { status: StatusCode::OK, tokens_affected: None, body })
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, StartupError> {
        serde_json::from_str(&self.body).map_err(|error| broken(&error))
    }
}

/// The number in a header.
fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

/// A connection to a server, or to the database that this process has opened itself.
pub(super) struct Client {
    connection: Connection,
    file: Option<Arc<App>>,
    /// A user's token, which is sent with each request.
    api_key: Option<String>,
}

impl Client {
    /// A client over a stream; `file` is the database at its other end, if that is in this
    /// process. Call it in a runtime.
    pub(super) async fn over<S>(stream: S, file: Option<Arc<App>>) -> Result<Self, StartupError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection =
            Connection::over(stream).await.map_err(failed)?.waiting_at_most(RESPONSE_TIME_MAX);
        Ok(Self { connection, file, api_key: None })
    }

    /// The same, which waits for longer or shorter than others for a response.
    #[must_use]
    pub(super) fn waiting_at_most(self, wait_max: Duration) -> Self {
        Self { connection: self.connection.waiting_at_most(wait_max), ..self }
    }

    /// The same, which speaks for the user of a token.
    #[must_use]
    pub(super) fn with_api_key(self, token: &str) -> Self {
        Self { api_key: Some(token.to_owned()), ..self }
    }

    /// Sends a GET request.
    pub(super) async fn get(&mut self, target: Target) -> Result<Response, StartupError> {
        self.send(Method::GET, target, None).await
    }

    /// Sends a GET request and reads the body as JSON.
    pub(super) async fn get_json(&mut self, target: Target) -> Result<Value, StartupError> {
        let response = self.get(target).await?;
        response.json()
    }

    /// Sends a request with a body, if there is one, and reads the whole response; an error
    /// response becomes a [`StartupError`].
    pub(super) async fn send(
        &mut self,
        method: Method,
        target: Target,
        body: Option<Value>,
    ) -> Result<Response, StartupError> {
        let response = self.begin(method, target, body).await?;
        let status = response.status;
        let tokens_affected = number(&response.headers, &TOKENS_AFFECTED);
        let bytes = response.whole(RESPONSE_BYTES_MAX).await.map_err(failed)?;
        let body = String::from_utf8(bytes).map_err(|error| broken(&error))?;
        if !status.is_success() {
            return Err(refused(status, &body));
        }
        Ok(Response { status, tokens_affected, body })
    }

    /// Sends a GET request and passes the lines of the body on as they are received, each with its
    /// line break.
    pub(super) async fn get_lines(
        &mut self,
        target: Target,
        mut take: impl FnMut(&str) -> Result<(), StartupError>,
    ) -> Result<(), StartupError> {
        let mut response = self.begin(Method::GET, target, None).await?;
        if !response.status.is_success() {
            let status = response.status;
            let bytes = response.whole(RESPONSE_BYTES_MAX).await.map_err(failed)?;
            return Err(refused(status, &String::from_utf8_lossy(&bytes)));
        }
        let mut buffer = Vec::new();
        while let Some(piece) = response.piece().await.map_err(failed)? {
            buffer.extend_from_slice(&piece);
            let last_line_break = buffer.iter().rposition(|&byte| byte == b'\n');
            if let Some(end) = last_line_break {
                take(&String::from_utf8_lossy(&buffer[..=end]))?;
                buffer.drain(..=end);
            }
        }
        take(&String::from_utf8_lossy(&buffer))
    }

    async fn begin(
        &mut self,
        method: Method,
        target: Target,
        body: Option<Value>,
    ) -> Result<http_client::Response, StartupError> {
        let mut request = Request::builder().method(method).uri(target.0);
        request = request.header(header::HOST, "localhost");
        if let Some(token) = &self.api_key {
            request = request.header("X-API-Key", token);
        }
        let mut bytes = Bytes::new();
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json");
            bytes = Bytes::from(body.to_string());
        }
        let request = request.body(Full::new(bytes)).map_err(|error| broken(&error))?;
        self.connection.send(request).await.map_err(failed)
    }

    /// Whether this process has opened the database itself, as no server runs.
    pub(super) fn is_at_rest(&self) -> bool {
        self.file.is_some()
    }

    /// Closes the connection, and the database if this process has opened it.
    pub(super) fn close(self) {
        drop(self.connection);
        if let Some(app) = self.file {
            app.store.close();
        }
    }
}

fn failed(failure: Failure) -> StartupError {
    match failure {
        Failure::Slow => StartupError::new(
            Code::Unavailable,
            "The server takes too long; look at its log and try again.",
        ),
        Failure::TooLong => StartupError::new(
            Code::Unavailable,
            "The response of the server is too long to be shown; ask for less of it.",
        ),
        failure @ Failure::Broken(_) => broken(&failure),
    }
}

fn broken(error: &dyn std::error::Error) -> StartupError {
    StartupError::new(
        Code::Unavailable,
        format!("The response of the server broke off or cannot be read ({error}); try again."),
    )
}

/// The message of an error response, and the exit code that goes with its status.
fn refused(status: StatusCode, body: &str) -> StartupError {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let message = match &body["detail"] {
        Value::String(message) => message.clone(),
        Value::Array(errors) => {
            let messages: Vec<String> = errors.iter().map(field_error).collect();
            messages.join("; ")
        }
        _ => format!("The server responds with {status}."),
    };
    // The server has no such route.
    let is_other_version = message == "Not Found" || status == StatusCode::METHOD_NOT_ALLOWED;
    if is_other_version {
        return StartupError::new(
            Code::Unavailable,
            "The server does not have this command; it is another version than this program.",
        );
    }
    let code = match status.as_u16() {
        404 => Code::NotFound,
        409 => Code::Conflict,
        401 | 403 => Code::NotPermitted,
        400 | 413 | 422 => Code::Invalid,
        _ => Code::Unavailable,
    };
    StartupError::new(code, message)
}

/// One entry of a validation error: `field: message`.
fn field_error(error: &Value) -> String {
    let message = error["msg"].as_str().unwrap_or("not accepted");
    let mut path = Vec::new();
    if let Some(steps) = error["loc"].as_array() {
        // The first step is "body" or "query".
        for step in steps.iter().skip(1) {
            match step.as_str() {
                Some(name) => path.push(name.to_owned()),
                None => path.push(step.to_string()),
            }
        }
    }
    if path.is_empty() {
        return message.to_owned();
    }
    format!("{}: {message}", path.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hold_whatever_is_in_them() {
        let target = Target::path(["admin", "users", "a/b@c?d"])
            .with("q", Some("x&y z"))
            .with("n", None::<i64>);
        assert_eq!(
            target.with("limit", Some(3)).0,
            "/admin/users/a%2Fb%40c%3Fd?q=x%26y%20z&limit=3"
        );
    }

    #[test]
    fn error_responses_become_messages_and_codes() {
        let faults = json!({"detail": [
            {"loc": ["body", "email"], "msg": "Field required"},
            {"loc": ["body"], "msg": "bad"},
        ]});
        let faults = &faults.to_string();
        for (status, body, code, message) in [
            (404, r#"{"detail":"User not found"}"#, Code::NotFound, "User not found"),
            (
                404,
                r#"{"detail":"Not Found"}"#,
                Code::Unavailable,
                "The server does not have this command; it is another version than this program.",
            ),
            (409, r#"{"detail":"x"}"#, Code::Conflict, "x"),
            (422, faults, Code::Invalid, "email: Field required; bad"),
            (
                507,
                "no json",
                Code::Unavailable,
                "The server responds with 507 Insufficient Storage.",
            ),
        ] {
            let exit = refused(StatusCode::from_u16(status).expect("a status"), body);
            assert_eq!((exit.code, exit.message.as_str()), (code, message));
        }
    }
}
