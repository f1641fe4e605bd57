//! One attempt: look up the name, check the addresses, connect to one of those, post the event,
//! read the status.

use crate::clock::{Clock, later};
use crate::domain::{Time, WebhookSecret};
use crate::http_client::{Connection, Failure};
use crate::tls::Tls;
use crate::webhooks::blocked_networks::may_reach;
use crate::webhooks::target::{Target, UNREACHABLE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header;
use ipnet::IpNet;
use ring::hmac;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

/// Longest attempt, from the name to the status.
pub(super) const TIME_MAX: Duration = Duration::from_secs(5);
/// Most addresses of a name that are tried; each gets its part of the time.
const ADDRESSES_MAX: usize = 4;

const USER_AGENT: &str = concat!("vomeet/", env!("CARGO_PKG_VERSION"));

/// What is posted. Its headers:
///
/// | header | what it holds |
/// |---|---|
/// | `X-Vomeet-Event` | what happened: the body's `event_type` |
/// | `X-Vomeet-Delivery` | the name of the event: unique, the same on retries |
/// | `X-Vomeet-Timestamp` | when this attempt began, in seconds since 1970; later on a retry |
/// | `X-Vomeet-Signature` | `sha256=` and the HMAC-SHA256 of the body in hexadecimal, if there is a secret |
/// | `X-Vomeet-Signature-Old` | the same by the secret before, while it rotates |
/// | `webhook-id` | the name of the event |
/// | `webhook-timestamp` | when this attempt began, as above |
/// | `webhook-signature` | of each secret, the newest first and with spaces between, `v1,` and the HMAC-SHA256 of `id.timestamp.body` in base64 |
///
/// Those without `X-` are of Standard Webhooks 1.0 (standardwebhooks.com).
pub(super) struct WebhookRequest {
    /// The event's type, such as `meeting.status_change`.
    pub event_type: String,
    /// The unique name of the event, the same on retries.
    pub delivery: String,
    /// The body, in JSON.
    pub body: String,
    /// What signs it, the newest first; without any, the request is not signed.
    pub secrets: Vec<WebhookSecret>,
    /// When the attempt begins.
    pub at: Time,
}

/// How an attempt ended; a success has no error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The status of the response, if one came.
    pub status: Option<u16>,
    /// Why it failed: a sentence without a secret, without the path and without what the receiver
    /// wrote.
    pub error: Option<String>,
}

impl Outcome {
    /// A failure without a response.
    pub fn failed(error: impl Into<String>) -> Self {
        Self { status: None, error: Some(error.into()) }
    }

    /// 2xx is a success, and nothing else is.
    fn of_status(status: u16) -> Self {
        let error = match status {
            200..=299 => None,
            300..=399 => {
                Some(format!("The webhook answered {status}; redirects are not followed."))
            }
            _ => Some(format!("The webhook answered {status}.")),
        };
        Self { status: Some(status), error }
    }
}

/// A look-up that outlived its attempt: the system's resolver cannot be hurried.
pub(super) type Lookup = oneshot::Receiver<Result<Vec<SocketAddr>, String>>;

/// Posts events to webhooks.
pub(super) struct WebhookClient {
    clock: Clock,
    allowed: Vec<IpNet>,
    tls: Tls,
}

impl WebhookClient {
    /// Reaches global addresses, and private ones in these networks.
    pub(super) fn new(allowed: Vec<IpNet>, clock: Clock) -> Self {
        Self { clock, allowed, tls: Tls::default() }
    }

    /// Whether an address of this form names a private one outright; a name is checked at each
    /// attempt.
    pub(super) fn refuses(&self, target: &Target) -> bool {
        target.is_refused(&self.allowed)
    }

    /// One attempt, of at most [`TIME_MAX`]; a look-up that is still under way comes with the
    /// outcome.
    pub(super) async fn send(
        &self,
        url: &str,
        webhook_request: &WebhookRequest,
    ) -> (Outcome, Option<Lookup>) {
        let target = match Target::parse(url) {
            Ok(target) => target,
            Err(why) => return (Outcome::failed(why), None),
        };
        let mut lookup = target.look_up();
        let deadline = later(self.clock.now(), TIME_MAX);
        let outcome = tokio::select! {
            biased;
            posted = self.post(&target, &mut lookup, webhook_request) => match posted {
                Ok(status) => Outcome::of_status(status),
                Err(why) => Outcome::failed(why),
            },
            () = self.clock.sleep_until(deadline) => {
                let seconds = TIME_MAX.as_secs();
                Outcome::failed(format!("The webhook did not answer within {seconds} seconds."))
            }
        };
        if lookup.is_terminated() {
            return (outcome, None);
        }
        (outcome, Some(lookup))
    }

    async fn post(
        &self,
        target: &Target,
        lookup: &mut Lookup,
        webhook_request: &WebhookRequest,
    ) -> Result<u16, String> {
        let request = request(target, webhook_request)?;
        let mut addresses = match lookup.await {
            Ok(found) => found?,
            Err(_) => return Err(UNREACHABLE.to_owned()),
        };
        addresses.retain(|address| may_reach(address.ip(), &self.allowed));
        addresses.truncate(ADDRESSES_MAX);
        let stream = connect(&addresses).await?;
        if !target.is_https() {
            return exchange(stream, request).await;
        }
        let Ok(name) = ServerName::try_from(target.name()) else {
            return Err("No certificate can be for this name.".to_owned());
        };
        let connector = self.tls.connector().await?;
        match connector.connect(name, stream).await {
            Ok(secured) => exchange(secured, request).await,
            Err(error) => Err(format!("TLS with the webhook failed: {error}.")),
        }
    }
}

/// Connects to the first address that accepts: to the very address that was checked, whatever the
/// name resolves to now.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    debug_assert!(addresses.len() <= ADDRESSES_MAX, "each address has its part of the time");
    let mut failure = UNREACHABLE.to_owned();
    let part = TIME_MAX / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    for address in addresses {
        match timeout(part, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Without it the last piece of a request may wait for a moment; nothing else.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failure = format!("The webhook cannot be reached: {error}."),
            Err(_) => "The webhook cannot be reached: it does not answer.".clone_into(&mut failure),
        }
    }
    Err(failure)
}

fn request(
    target: &Target,
    webhook_request: &WebhookRequest,
) -> Result<Request<Full<Bytes>>, String> {
    let seconds = webhook_request.at.as_millis().div_euclid(1000);
    let mut request = Request::post(target.path())
        .header(header::HOST, target.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONNECTION, "close")
        .header("X-Vomeet-Event", &webhook_request.event_type)
        .header("X-Vomeet-Timestamp", seconds)
        .header("X-Vomeet-Delivery", &webhook_request.delivery)
        .header("webhook-id", &webhook_request.delivery)
        .header("webhook-timestamp", seconds);
    let signing = ["X-Vomeet-Signature", "X-Vomeet-Signature-Old"];
    for (name, secret) in signing.into_iter().zip(&webhook_request.secrets) {
        request = request.header(name, signature(secret, webhook_request.body.as_bytes()));
    }
    if !webhook_request.secrets.is_empty() {
        request =
            request.header("webhook-signature", standard_signatures(webhook_request, seconds));
    }
    let body = Full::new(Bytes::from(webhook_request.body.clone()));
    request.body(body).map_err(|error| format!("The event cannot be posted there: {error}."))
}

fn signature(secret: &WebhookSecret, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.key().as_bytes());
    let digest = hmac::sign(&key, body);
    let mut text = "sha256=".to_owned();
    for byte in digest.as_ref() {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The signature of each secret as Standard Webhooks has them.
fn standard_signatures(webhook_request: &WebhookRequest, seconds: i64) -> String {
    let WebhookRequest { delivery, body, secrets, .. } = webhook_request;
    let signed = format!("{delivery}.{seconds}.{body}");
    let mut signatures = Vec::new();
    for secret in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.standard_key());
        let digest = hmac::sign(&key, signed.as_bytes());
        signatures.push(format!("v1,{}", BASE64.encode(digest)));
    }
    signatures.join(" ")
}

/// Sends the request and returns the status of the response. Only its head counts; of its body no
/// more is read than comes with the head.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<u16, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match status_of(stream, request).await {
        Ok(status) => Ok(status),
        Err(failure) => Err(format!("The webhook gave no answer: {failure}.")),
    }
}

async fn status_of<S>(stream: S, request: Request<Full<Bytes>>) -> Result<u16, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = Connection::over(stream).await?;
    let response = connection.send(request).await?;
    Ok(response.status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let secret = WebhookSecret::stored("Jefe".to_owned());
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(&secret, b"what do ya want for nothing?"), expected);
    }

    /// The example of the specification of Standard Webhooks, and a second secret beside it.
    #[test]
    fn standard_signatures_are_those_of_the_specification() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "plain"];
        let secrets = secrets.map(|text| WebhookSecret::stored(text.to_owned()));
        let mut request = WebhookRequest {
            event_type: "e".to_owned(),
            delivery: "msg_p5jXN8AQM9LWM0D4loKWxJek".to_owned(),
            body: r#"{"test": 2432232314}"#.to_owned(),
            secrets: vec![secrets[0].clone()],
            at: Time::from_millis(1_614_265_330_999),
        };
        let one = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(standard_signatures(&request, 1_614_265_330), one);
        request.secrets = secrets.to_vec();
        let both = standard_signatures(&request, 1_614_265_330);
        let other = both.strip_prefix(one).and_then(|rest| rest.strip_prefix(" v1,"));
        assert!(other.is_some_and(|other| other.len() == 44), "{both}");
    }

    #[test]
    fn only_2xx_is_a_success() {
        for (status, success) in
            [(199, false), (200, true), (204, true), (299, true), (301, false), (404, false)]
        {
            assert_eq!(Outcome::of_status(status).error.is_none(), success, "{status}");
        }
    }
}
