//! Speaks to the server's admin routes over any stream, and says what became of it.

use crate::app::App;
use crate::exit::{Code, StartupError};
use crate::http_client::{self, Connection, Failure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Longest wait for an answer to begin, and for each piece of it.
const PATIENCE: Duration = Duration::from_mins(1);
/// Most bytes of an answer that is read as a whole: far more than a page of anything.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A path with its query, encoded.
pub struct Target(String);

impl Target {
    /// The path that these segments make.
    pub fn path<const N: usize>(segments: [&str; N]) -> Self {
        let encode = |segment| format!("/{}", utf8_percent_encode(segment, NON_ALPHANUMERIC));
        Self(segments.map(encode).concat())
    }

    /// The same with a parameter, if there is a value for it.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            let value = value.to_string();
            let mark = if self.0.contains('?') { '&' } else { '?' };
            self.0.extend([&mark.to_string(), name, "=", &utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string()]);
        }
        self
    }
}

/// A JSON object of those fields that have a value.
pub fn object_of<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect::<Map<_, _>>().into()
}

/// A success.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, as it came.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value, StartupError> {
        serde_json::from_str(&self.body).map_err(|error| broken(&error))
    }
}

/// A connection to a server, or to the database that this process has opened itself.
pub struct Client {
    connection: Connection,
    file: Option<Arc<App>>,
}

impl Client {
    /// Speaks over a stream; `file` is the database at its other end, if that is in this process. Call it in a runtime.
    pub async fn over<S>(stream: S, file: Option<Arc<App>>) -> Result<Self, StartupError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let connection = Connection::over(stream).await.map_err(failed)?.waiting_at_most(PATIENCE);
        Ok(Self { connection, file })
    }

    /// Asks for what is there.
    pub async fn get(&mut self, target: Target) -> Result<Answer, StartupError> {
        self.send(Method::GET, target, None).await
    }

    /// Asks for it, and reads it as JSON.
    pub async fn get_json(&mut self, target: Target) -> Result<Value, StartupError> {
        self.get(target).await?.json()
    }

    /// Sends a request with a body, if there is one, and reads the whole answer; a refusal becomes an [`StartupError`].
    pub async fn send(&mut self, method: Method, target: Target, body: Option<Value>) -> Result<Answer, StartupError> {
        let answer = self.begin(method, target, body).await?;
        let status = answer.status;
        let bytes = answer.whole(ANSWER_BYTES_MAX).await.map_err(failed)?;
        let body = String::from_utf8(bytes).map_err(|error| broken(&error))?;
        if status.is_success() { Ok(Answer { status, body }) } else { Err(refused(status, &body)) }
    }

    /// Hands the lines of an answer on as they come, each with its end.
    pub async fn get_lines(&mut self, target: Target, mut take: impl FnMut(&str)) -> Result<(), StartupError> {
        let mut answer = self.begin(Method::GET, target, None).await?;
        if !answer.status.is_success() {
            let status = answer.status;
            let bytes = answer.whole(ANSWER_BYTES_MAX).await.map_err(failed)?;
            return Err(refused(status, &String::from_utf8_lossy(&bytes)));
        }
        let mut waiting = Vec::new();
        while let Some(piece) = answer.piece().await.map_err(failed)? {
            waiting.extend_from_slice(&piece);
            if let Some(end) = waiting.iter().rposition(|&byte| byte == b'\n') {
                take(&String::from_utf8_lossy(&waiting[..=end]));
                waiting.drain(..=end);
            }
        }
        take(&String::from_utf8_lossy(&waiting));
        Ok(())
    }

    async fn begin(
        &mut self,
        method: Method,
        target: Target,
        body: Option<Value>,
    ) -> Result<http_client::Answer, StartupError> {
        let mut request = Request::builder().method(method).uri(target.0).header(header::HOST, "localhost");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.body(Full::new(body)).map_err(|error| broken(&error))?;
        self.connection.send(request).await.map_err(failed)
    }

    /// Writes what is left and lets go of the database, if this process has opened it.
    pub fn close(self) {
        drop(self.connection);
        if let Some(app) = self.file {
            app.store.close();
        }
    }
}

fn failed(failure: Failure) -> StartupError {
    match failure {
        Failure::Slow => {
            StartupError::new(Code::Unavailable, "The server takes too long; look at its log and try again.")
        }
        failure => broken(&failure),
    }
}

fn broken(error: &dyn std::error::Error) -> StartupError {
    StartupError::new(
        Code::Unavailable,
        format!("The answer of the server broke off or cannot be read ({error}); try again."),
    )
}

/// What a refusal says, in a sentence, and the exit code of its kind.
fn refused(status: StatusCode, body: &str) -> StartupError {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let message = match &body["detail"] {
        Value::String(message) => message.clone(),
        Value::Array(faults) => faults.iter().map(fault).collect::<Vec<_>>().join("; "),
        _ => format!("The server answers {status}."),
    };
    // No route: what this program asks for, that server does not have.
    let is_strange = message == "Not Found" || status == StatusCode::METHOD_NOT_ALLOWED;
    if is_strange {
        return StartupError::new(
            Code::Unavailable,
            "The server does not know this; it is of another version than this program.",
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

/// One fault of what was sent: where, and what.
fn fault(fault: &Value) -> String {
    let steps = fault["loc"].as_array().into_iter().flatten().skip(1);
    let place: Vec<String> = steps.map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect();
    let what = fault["msg"].as_str().unwrap_or("not accepted");
    if place.is_empty() { what.to_owned() } else { format!("{}: {what}", place.join(".")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_hold_whatever_is_in_them() {
        let target = Target::path(["admin", "users", "a/b@c?d"]).with("q", Some("x&y z")).with("n", None::<i64>);
        assert_eq!(target.with("limit", Some(3)).0, "/admin/users/a%2Fb%40c%3Fd?q=x%26y%20z&limit=3");
    }

    #[test]
    fn refusals_become_sentences_and_codes() {
        let faults = r#"{"detail":[{"loc":["body","email"],"msg":"Field required"},{"loc":["body"],"msg":"bad"}]}"#;
        for (status, body, code, message) in [
            (404, r#"{"detail":"User not found"}"#, Code::NotFound, "User not found"),
            (
                404,
                r#"{"detail":"Not Found"}"#,
                Code::Unavailable,
                "The server does not know this; it is of another version than this program.",
            ),
            (409, r#"{"detail":"x"}"#, Code::Conflict, "x"),
            (422, faults, Code::Invalid, "email: Field required; bad"),
            (507, "no json", Code::Unavailable, "The server answers 507 Insufficient Storage."),
        ] {
            let exit = refused(StatusCode::from_u16(status).expect("a status"), body);
            assert_eq!((exit.code, exit.message.as_str()), (code, message));
        }
    }
}
