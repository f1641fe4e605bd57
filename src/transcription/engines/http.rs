//! An engine that is a server with the API of OpenAI: `POST …/audio/transcriptions`.
//!
//! The fields of a request: `file`, `model`, `language`, `prompt`, `response_format`, and
//! `timestamp_granularities[]` where the times of words are asked for. A server that refuses
//! `verbose_json` is asked again for `json`, and for an hour then for nothing else.

use crate::clock::Clock;
use crate::domain::EngineKey;
use crate::http_client::{Connection, Failure as HttpFailure};
use crate::tls::Tls;
use crate::transcription::engines::answer;
use crate::transcription::engines::failure::{Failure, Reason};
use crate::transcription::engines::multipart::Form;
use crate::transcription::files::wav_of;
use crate::transcription::heard::{Asked, AskedSound, Heard};
use crate::webhooks::{Target, may_reach};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, StatusCode};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

/// Most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest attempt to connect to one address.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long a server that refused `verbose_json` is not asked for it again.
const JSON_ALONE: Duration = Duration::from_hours(1);
/// Most addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;

const USER_AGENT: &str = concat!("vomeet/", env!("CARGO_PKG_VERSION"));

/// A server.
pub(super) struct HttpEngine {
    name: String,
    url: Url,
    model: String,
    key: Option<EngineKey>,
    /// Of an engine of a user's: the private networks that it may be in. `None` is anywhere.
    allowed: Option<Vec<IpNet>>,
    tls: Arc<Tls>,
    clock: Clock,
    /// Until when it is asked for `json` alone.
    json_until: Mutex<Option<Instant>>,
}

/// What a server answered: its status, its headers, its body.
type Answered = (StatusCode, HeaderMap, Vec<u8>);

impl HttpEngine {
    /// A server of the settings, which may be anywhere.
    pub(super) fn new(
        name: &str,
        url: Url,
        model: &str,
        key: Option<EngineKey>,
        tls: Arc<Tls>,
        clock: Clock,
    ) -> Self {
        let (name, model) = (name.to_owned(), model.to_owned());
        let json_until = Mutex::default();
        Self { name, url, model, key, allowed: None, tls, clock, json_until }
    }

    /// The same for a server of a user's, which obeys the rules of webhooks: global addresses, and
    /// those in these networks.
    pub(super) fn only_within(mut self, allowed: Vec<IpNet>) -> Self {
        self.allowed = Some(allowed);
        self
    }

    /// Whether it is the server that is asked in this way.
    pub(super) fn is(&self, url: &Url, model: &str, key: Option<&EngineKey>) -> bool {
        self.url == *url && self.model == model && self.key.as_ref() == key
    }

    /// The model that it is asked for.
    pub(super) fn model(&self) -> &str {
        &self.model
    }

    /// Asks it, within this time.
    pub(super) async fn hear(
        &self,
        asked: &Asked,
        sound_ms: Option<u64>,
        time_max: Duration,
    ) -> Result<Heard, Failure> {
        match timeout(time_max, self.ask(asked, sound_ms)).await {
            Ok(heard) => heard,
            Err(_elapsed) => {
                let (name, seconds) = (&self.name, time_max.as_secs());
                let sentence = format!("Engine {name} did not answer within {seconds} seconds.");
                Err(Failure::away(Reason::Slow, sentence))
            }
        }
    }

    async fn ask(&self, asked: &Asked, sound_ms: Option<u64>) -> Result<Heard, Failure> {
        if self.knows_json_alone() {
            let answered = self.exchange(asked, "json").await?;
            return self.read(answered, sound_ms).await;
        }
        let answered = self.exchange(asked, "verbose_json").await?;
        if !is_refusal(answered.0) {
            return self.read(answered, sound_ms).await;
        }
        // Either it does not know this format, or it does not take this sound.
        let again = self.exchange(asked, "json").await?;
        let heard = self.read(again, sound_ms).await?;
        *self.json_until() = self.clock.instant().checked_add(JSON_ALONE);
        log::info!("engine {} is asked for json alone for an hour", self.name);
        Ok(heard)
    }

    fn knows_json_alone(&self) -> bool {
        let now = self.clock.instant();
        self.json_until().is_some_and(|end| now < end)
    }

    fn json_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.json_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self, asked: &Asked, format: &str) -> Result<Answered, Failure> {
        let target = self.target(asked)?;
        let request = self.request(&target, asked, format)?;
        let stream = self.connect(&target).await?;
        if !target.is_https() {
            return self.send(stream, request).await;
        }
        let unreachable = |why: String| {
            Failure::away(Reason::Unreachable, format!("Engine {}: {why}", self.name))
        };
        let Ok(name) = ServerName::try_from(target.name()) else {
            return Err(unreachable("No certificate can be for this name.".to_owned()));
        };
        let connector = self.tls.connector().await.map_err(unreachable)?;
        match connector.connect(name, stream).await {
            Ok(secured) => self.send(secured, request).await,
            Err(error) => Err(unreachable(format!("TLS failed: {error}."))),
        }
    }

    /// Where it is asked.
    fn target(&self, asked: &Asked) -> Result<Target, Failure> {
        let task = if asked.translates { "translations" } else { "transcriptions" };
        let base = self.url.as_str().trim_end_matches('/');
        let base = base.strip_suffix("/audio/transcriptions").unwrap_or(base);
        Target::parse(&format!("{base}/audio/{task}")).map_err(|_| {
            let sentence = format!("The address of engine {} cannot be asked.", self.name);
            Failure::away(Reason::Unreachable, sentence)
        })
    }

    fn request(
        &self,
        target: &Target,
        asked: &Asked,
        format: &str,
    ) -> Result<Request<Full<Bytes>>, Failure> {
        let cannot = || {
            let sentence = format!("No request can be made for engine {}.", self.name);
            Failure::away(Reason::Unreachable, sentence)
        };
        let (kind, body) = self.form(asked, format).ok_or_else(cannot)?;
        let mut request = Request::post(target.path())
            .header(header::HOST, target.authority())
            .header(header::CONTENT_TYPE, kind)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONNECTION, "close");
        if let Some(key) = &self.key {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", key.key())).map_err(|_| cannot())?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request.body(Full::new(body)).map_err(|_| cannot())
    }

    fn form(&self, asked: &Asked, format: &str) -> Option<(HeaderValue, Bytes)> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).ok()?;
        let made;
        let (name, bytes) = match &asked.sound {
            AskedSound::Samples(samples) => {
                made = wav_of(samples);
                ("sound.wav", &made[..])
            }
            AskedSound::File { name, bytes } => (name.as_str(), &bytes[..]),
        };
        let mut form = Form::new(random, bytes.len());
        form.field("model", &self.model);
        form.field("response_format", format);
        if asked.words && format == "verbose_json" {
            form.field("timestamp_granularities[]", "segment");
            form.field("timestamp_granularities[]", "word");
        }
        // A translation is always into English, and the API has no field for it.
        if let Some(language) = asked.language.as_ref().filter(|_| !asked.translates) {
            form.field("language", language);
        }
        if let Some(prompt) = &asked.prompt {
            form.field("prompt", prompt);
        }
        form.file(name, bytes);
        form.end()
    }

    /// Connects to the first address that accepts: to the very address that was checked, whatever
    /// the name resolves to now.
    async fn connect(&self, target: &Target) -> Result<TcpStream, Failure> {
        let mut addresses = match target.look_up().await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        if let Some(allowed) = &self.allowed {
            addresses.retain(|address| may_reach(address.ip(), allowed));
        }
        addresses.truncate(ADDRESSES_MAX);
        for address in &addresses {
            if let Some(stream) = connect(*address).await {
                return Ok(stream);
            }
        }
        let name = &self.name;
        let sentence = match (addresses.is_empty(), &self.allowed) {
            (true, None) => format!("The address of engine {name} is unknown."),
            (true, Some(_)) => format!(
                "The address of engine {name} is unknown, private or reserved; the operator can \
                 allow private ones."
            ),
            (false, _) => format!("Engine {name} cannot be reached."),
        };
        Err(Failure::away(Reason::Unreachable, sentence))
    }

    async fn send<S>(&self, stream: S, request: Request<Full<Bytes>>) -> Result<Answered, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let answered = exchange(stream, request).await;
        answered.map_err(|failure| Failure::of_http(&self.name, &failure))
    }

    /// What an answer means.
    async fn read(&self, answered: Answered, sound_ms: Option<u64>) -> Result<Heard, Failure> {
        let (status, headers, body) = answered;
        let (name, code) = (&self.name, status.as_u16());
        let away = |reason, sentence: String| Err(Failure::away(reason, sentence));
        match code {
            200..=299 => {}
            300..=399 => {
                let sentence =
                    format!("Engine {name} answered {code}; redirects are not followed.");
                return away(Reason::Redirect, sentence);
            }
            401 | 403 => {
                let sentence =
                    format!("Engine {name} answered {code}: it does not accept its key.");
                return away(Reason::Unauthorized, sentence);
            }
            _ if is_refusal(status) => {
                let sentence =
                    format!("Engine {name} does not take this sound: it answered {code}.");
                return Err(match code {
                    413 | 415 => Failure::Refused(sentence),
                    // A wrong model or field is answered so too.
                    _ => Failure::NotTaken(sentence),
                });
            }
            _ => return away(Reason::Status, format!("Engine {name} answered {code}.")),
        }
        if body.trim_ascii().is_empty() {
            return away(Reason::Empty, format!("The answer of engine {name} is empty."));
        }
        if is_html(&headers, &body) {
            let sentence = format!("Engine {name} answered with a page: its address is wrong.");
            return away(Reason::Html, sentence);
        }
        let heard = spawn_blocking(move || answer::read(&body, sound_ms)).await.ok().flatten();
        heard.ok_or_else(|| {
            let sentence = format!("The answer of engine {name} cannot be read.");
            Failure::away(Reason::Unreadable, sentence)
        })
    }
}

/// Whether a status says that this very request is not taken, and others may be.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 413 | 415 | 422)
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_said = kind.is_some_and(|kind| kind.starts_with("text/html"));
    is_said || body.trim_ascii_start().starts_with(b"<")
}

async fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = timeout(CONNECT_TIME_MAX, TcpStream::connect(address)).await.ok()?.ok()?;
    // Without it the last piece of a request may wait for a moment; nothing else.
    let _ = stream.set_nodelay(true);
    Some(stream)
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answered, HttpFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut connection = Connection::over(stream).await?;
    let response = connection.send(request).await?;
    let (status, headers) = (response.status, response.headers.clone());
    let body = response.whole(ANSWER_BYTES_MAX).await?;
    Ok((status, headers, body))
}
