//! Engines against servers that answer in every way, and against processes that do.

#![cfg(test)]

mod places;
mod processes;
mod servers;

use crate::clock::Clock;
use crate::domain::{EngineKey, Time, UserId};
use crate::tls::Tls;
use crate::transcription::engines::counters::Counters;
use crate::transcription::engines::http::HttpEngine;
use crate::transcription::engines::{Engine, Engines, HeardBy, Kind, NotHeard};
use crate::transcription::heard::{Asked, AskedSound, Urgency};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// The key of the engines, which nothing may show.
const KEY: &str = "hush-4f1c2a9be07d3358";
/// An answer that suffices.
const HELLO: &str = r#"{"text":"Hello."}"#;

/// A server of a test: it notes what it is sent, and answers as the test wants.
struct Server {
    url: Url,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with what `answer` makes of it; an empty text hangs up.
    async fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                let response = answer(&request);
                noted.lock().expect("a lock").push(request);
                // The client may have gone.
                let _ = stream.write_all(response.as_bytes()).await;
            }
        });
        let url = Url::parse(&format!("http://{address}/v1")).expect("an address");
        Self { url, received }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().expect("a lock").clone()
    }
}

/// A request with its body, as text.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            if bytes.len() >= head.len() + 4 + length {
                return text;
            }
        }
        if stream.read_buf(&mut bytes).await.expect("a request") == 0 {
            return text;
        }
    }
}

/// A response with this status and body.
fn response(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn still_clock() -> Clock {
    Clock::manual(Time::from_millis(1_760_097_600_000))
}

/// A second of silence.
fn asked(urgency: Urgency) -> Asked {
    Asked {
        sound: AskedSound::Samples(vec![0; 16_000]),
        language: Some("en".to_owned()),
        translates: false,
        words: false,
        prompt: Some("Vomeet".to_owned()),
        urgency,
        user_id: UserId(1),
    }
}

/// An engine that is a server.
fn server(name: &str, url: &Url) -> Engine {
    let key = Some(EngineKey::new(KEY.to_owned()));
    let server =
        HttpEngine::new(name, url.clone(), "tiny", key, Arc::new(Tls::default()), still_clock());
    Engine {
        name: name.to_owned(),
        kind: Kind::Http(server),
        seconds_max: None,
        places: 2,
        counters: Counters::new(name),
    }
}

/// The address of a port at which nobody listens.
async fn nobody() -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    Url::parse(&format!("http://{address}/v1")).expect("an address")
}

/// The text and the engine.
fn words(heard: Result<HeardBy, NotHeard>) -> (String, String) {
    let heard = heard.expect("words");
    let texts: Vec<&str> = heard.heard.segments.iter().map(|one| one.text.as_str()).collect();
    (texts.join(" "), heard.engine)
}

/// The sentence of an engine that is away.
fn away(heard: Result<HeardBy, NotHeard>) -> String {
    match heard {
        Err(NotHeard::Away(sentence)) => {
            assert!(!sentence.contains(KEY) && sentence.ends_with('.'), "{sentence}");
            sentence
        }
        other => panic!("{other:?}"),
    }
}

/// A sample of the metrics.
fn sample(engines: &Engines, line: &str) -> bool {
    let text = crate::metrics::text(crate::metrics::Format::Classic, engines.families(), vec![]);
    text.expect("metrics").lines().any(|known| known == line)
}
