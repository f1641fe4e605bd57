//! A bucket: objects below a prefix are listed, read and deleted. Each call is tried again while the
//! store is busy or the connection breaks.

use crate::clock::{Clock, later};
use crate::http_client::Response;
use crate::s3::answer::{text, texts};
use crate::s3::connect::connect;
use crate::s3::sign::{Keys, Unsigned, authorization, date_of, escaped, query_of, sha256_of};
use crate::tls::Tls;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode, header};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use url::{Position, Url};

/// How often a call is tried.
const TRIES: u32 = 5;
/// The wait after the first try; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Most bytes of an answer in XML, which has at most 1,000 objects.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most characters of an error code of the store.
const CODE_CHARS_MAX: usize = 64;
/// Most pages of a list that are read.
const PAGES_MAX: usize = 1000;

/// Where the objects are.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The address of the store.
    pub endpoint: Url,
    /// The bucket.
    pub bucket: String,
    /// What the names of all objects begin with.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The keys that they are signed with.
    pub keys: Keys,
}

/// Why a call has failed: the end of a sentence.
#[derive(Debug, Clone)]
pub(crate) enum Failed {
    /// The store refuses it, and would again.
    Refused(String),
    /// It may succeed later.
    Passing(String),
    /// There is no such object.
    Gone(String),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Passing(why) | Self::Gone(why) => f.write_str(why),
        }
    }
}

/// An object, without the prefix in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A request to the bucket.
pub(super) struct Call<'a> {
    /// Its method.
    pub method: Method,
    /// The name of the object, without the prefix; `None` is the bucket itself.
    pub object: Option<&'a str>,
    /// The parameters of its query.
    pub query: &'a [(&'a str, &'a str)],
    /// Its body.
    pub body: Body,
}

/// What is sent with a request.
#[derive(Clone)]
pub(super) struct Body {
    bytes: Bytes,
    /// In hexadecimal.
    sha256: String,
}

impl Body {
    /// Hashes the bytes, for the signature.
    pub(super) fn of(bytes: Bytes) -> Self {
        let sha256 = sha256_of(&bytes);
        Self { bytes, sha256 }
    }
}

/// An object whose parts are being uploaded.
#[derive(Debug, Clone)]
pub(super) struct Unfinished {
    /// Its name, without the prefix.
    pub object: String,
    /// What the store calls the upload.
    pub id: String,
}

/// A bucket in a store.
pub(crate) struct Bucket {
    place: Place,
    clock: Clock,
    tls: Tls,
    unfinished: Mutex<Option<Unfinished>>,
}

impl Bucket {
    /// Nothing is connected yet.
    pub(crate) fn new(place: Place, clock: Clock) -> Self {
        Self { place, clock, tls: Tls::default(), unfinished: Mutex::default() }
    }

    /// The objects whose names begin so.
    pub(crate) async fn list(&self, begin: &str) -> Result<Vec<Object>, Failed> {
        let prefix = format!("{}{begin}", self.place.prefix);
        let (mut objects, mut next) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let mut query = vec![("list-type", "2"), ("prefix", prefix.as_str())];
            if !next.is_empty() {
                query.push(("continuation-token", next.as_str()));
            }
            let body = Body::of(Bytes::new());
            let call = Call { method: Method::GET, object: None, query: &query, body };
            let xml = whole(self.call(&call).await?).await?;
            let (keys, sizes) = (texts(&xml, "Key"), texts(&xml, "Size"));
            if text(&xml, "Name").is_none() || keys.len() != sizes.len() {
                return Err(Failed::Refused("it does not answer as S3 does".to_owned()));
            }
            for (key, size) in keys.iter().zip(sizes) {
                if let (Some(name), Ok(bytes)) =
                    (key.strip_prefix(&self.place.prefix), size.parse())
                {
                    objects.push(Object { name: name.to_owned(), bytes });
                }
            }
            match text(&xml, "NextContinuationToken") {
                Some(token) if text(&xml, "IsTruncated").as_deref() == Some("true") => next = token,
                _ => return Ok(objects),
            }
        }
        Err(Failed::Refused("its list of objects does not end".to_owned()))
    }

    /// How many bytes an object has that is there.
    pub(super) async fn size_of(&self, object: &str) -> Result<u64, Failed> {
        let response = self.call(&Call::on(Method::HEAD, object)).await?;
        let length = response.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        length.ok_or_else(|| Failed::Passing("it does not say how long an object is".to_owned()))
    }

    /// The response with an object, whose body is read piece by piece.
    pub(crate) async fn get(&self, object: &str) -> Result<Response, Failed> {
        self.call(&Call::on(Method::GET, object)).await
    }

    /// Deletes an object, if it is there.
    pub(crate) async fn delete(&self, object: &str) -> Result<(), Failed> {
        match self.call(&Call::on(Method::DELETE, object)).await {
            Ok(_) | Err(Failed::Gone(_)) => Ok(()),
            Err(failed) => Err(failed),
        }
    }

    /// The object whose parts are being uploaded.
    pub(super) fn with_unfinished<T>(
        &self,
        use_it: impl FnOnce(&mut Option<Unfinished>) -> T,
    ) -> T {
        use_it(&mut self.unfinished.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a request until it succeeds or is refused, at most [`TRIES`] times.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Response, Failed> {
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            match self.try_once(call).await {
                Err(Failed::Passing(_)) => {}
                done => return done,
            }
            self.clock.sleep_until(later(self.clock.now(), wait)).await;
            wait *= 2;
        }
        self.try_once(call).await
    }

    async fn try_once(&self, call: &Call<'_>) -> Result<Response, Failed> {
        let request = self.signed(call)?;
        let passing = |why: String| Failed::Passing(format!("it cannot be reached ({why})"));
        let mut connection = connect(&self.place.endpoint, &self.tls).await.map_err(passing)?;
        let sent = connection.send(request).await;
        let mut response = sent.map_err(|failure| passing(failure.to_string()))?;
        // It reads on as long as the response is there.
        response.keep(connection);
        match response.status.is_success() {
            true => Ok(response),
            false => Err(refusal(response).await),
        }
    }

    fn signed(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, Failed> {
        let Place { endpoint, bucket, prefix, region, keys } = &self.place;
        let mut path = format!("{}/{}", endpoint.path().trim_end_matches('/'), escaped(bucket));
        if let Some(object) = call.object {
            let key = format!("{prefix}{object}");
            for part in key.split('/') {
                path.push('/');
                path.push_str(&escaped(part));
            }
        }
        let query = query_of(call.query);
        let host = &endpoint[Position::BeforeHost..Position::AfterPort];
        let date = date_of(self.clock.now());
        let body_sha256 = &call.body.sha256;
        let unsigned = Unsigned {
            method: call.method.as_str(),
            path: &path,
            query: &query,
            host,
            body_sha256,
        };
        let request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{path}?{query}").trim_end_matches('?'))
            .header(header::HOST, host)
            .header(header::CONNECTION, "close")
            .header(header::AUTHORIZATION, authorization(&unsigned, keys, region, &date))
            .header("x-amz-content-sha256", body_sha256)
            .header("x-amz-date", &date);
        let request = request.body(Full::new(call.body.bytes.clone()));
        request.map_err(|error| Failed::Refused(format!("no request can be made ({error})")))
    }
}

impl<'a> Call<'a> {
    /// Without a query and a body.
    pub(super) fn on(method: Method, object: &'a str) -> Self {
        Self { method, object: Some(object), query: &[], body: Body::of(Bytes::new()) }
    }
}

/// The whole body of an answer in XML.
pub(super) async fn whole(response: Response) -> Result<Vec<u8>, Failed> {
    let read = response.whole(ANSWER_BYTES_MAX).await;
    read.map_err(|failure| Failed::Passing(format!("its answer is not whole ({failure})")))
}

/// What the store says about a request that it does not carry out.
async fn refusal(response: Response) -> Failed {
    let status = response.status;
    let xml = whole(response).await.unwrap_or_default();
    let code = text(&xml, "Code").map(|code| plain(&code));
    let code = code.unwrap_or_else(|| status.to_string());
    let why = match code.as_str() {
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            format!("it refuses the key ({code}); correct the file of backup.s3_credentials_file")
        }
        "AccessDenied" => format!(
            "the key may not do that ({code}); allow it to list, read, write and delete below the \
             prefix"
        ),
        "NoSuchBucket" => format!("there is no such bucket ({code}); make it"),
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "IllegalLocationConstraintException" => {
            format!("the bucket is in another region ({code}); correct backup.s3_region")
        }
        _ => format!("it answers {status} ({code})"),
    };
    let is_passing = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    match is_passing {
        true => Failed::Passing(why),
        false if status == StatusCode::NOT_FOUND && code != "NoSuchBucket" => Failed::Gone(why),
        false => Failed::Refused(why),
    }
}

/// A code as it may stand in a log: letters and digits, and not too many.
pub(super) fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).take(CODE_CHARS_MAX).collect()
}
