//! An engine that makes words of nothing: it counts what it is asked, and answers as a test wants.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What it does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Does {
    /// Answers with these words, as one segment.
    Says(&'static str),
    /// Says a word, in sound of so many seconds.
    Lasts(u32),
    /// Answers with this status.
    Fails(u16),
    /// Answers only when the test lets it.
    Waits,
}

/// An engine on a port of its own. It goes on until the test ends.
#[derive(Clone)]
pub struct SayingEngine {
    pub address: SocketAddr,
    pub asked: Arc<AtomicUsize>,
    /// The bodies that came, without what is no text.
    pub bodies: Arc<Mutex<Vec<String>>>,
    does: Arc<Mutex<Does>>,
    changed: Arc<Condvar>,
}

impl SayingEngine {
    pub fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let engine = Self {
            address,
            asked: Arc::default(),
            bodies: Arc::default(),
            does: Arc::new(Mutex::new(does)),
            changed: Arc::default(),
        };
        let serving = engine.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let engine = serving.clone();
                thread::spawn(move || engine.serve(stream));
            }
        });
        engine
    }

    /// From now on it does something else.
    pub fn now(&self, does: Does) {
        *self.does.lock().expect("a lock") = does;
        self.changed.notify_all();
    }

    pub fn count(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// What the settings say of it.
    pub fn settings(&self, name: &str) -> String {
        format!(
            "[[transcription.engines]]\nname = {name:?}\nurl = \"http://{}/v1\"\nmodel = \"m\"\n\
             concurrent_max = 8\n",
            self.address
        )
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut read = Vec::new();
        while let Some(body) = request(&mut stream, &mut read) {
            self.bodies.lock().expect("a lock").push(String::from_utf8_lossy(&body).into_owned());
            self.asked.fetch_add(1, Ordering::SeqCst);
            let waits = |does: &mut Does| *does == Does::Waits;
            let does = self.does.lock().expect("a lock");
            let does = self.changed.wait_while(does, waits).expect("a lock").clone();
            let (status, body) = match does {
                Does::Says(text) => (200, said(text, 1.0)),
                Does::Lasts(seconds) => (200, said("word", f64::from(seconds))),
                Does::Fails(status) => (status, "{\"error\": {}}".to_owned()),
                Does::Waits => unreachable!("it waits no more"),
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            if stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(body.as_bytes()))
                .is_err()
            {
                return;
            }
        }
    }
}

fn said(text: &str, seconds: f64) -> String {
    serde_json::json!({
        "text": text, "language": "en", "duration": seconds,
        "segments": [{"id": 0, "start": 0.25, "end": 0.75, "text": format!(" {text}"), "avg_logprob": -0.2,
            "no_speech_prob": 0.01, "compression_ratio": 1.0}],
    })
    .to_string()
}

/// The body of the next request on a line; `None` at its end.
fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut more = |read: &mut Vec<u8>| {
        let mut chunk = vec![0; 64 * 1024];
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&chunk[..count]);
        Some(())
    };
    let end = loop {
        if let Some(at) = memchr::memmem::find(read, b"\r\n\r\n") {
            break at + 4;
        }
        more(read)?;
    };
    let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length?.trim().parse().ok()?;
    while read.len() < end + length {
        more(read)?;
    }
    let body = read[end..end + length].to_vec();
    read.drain(..end + length);
    Some(body)
}

/// A WAV file of 16 kHz and these channels, with a voice-like tone in the given seconds of each.
pub fn wav(channels: u16, seconds: u32, voice: &[(u16, f64, f64)]) -> Vec<u8> {
    let rate = 16_000u32;
    let mut samples = Vec::new();
    for at in 0..rate * seconds {
        let time = f64::from(at) / f64::from(rate);
        for channel in 0..channels {
            let speaks =
                voice.iter().any(|(of, from, to)| *of == channel && (*from..*to).contains(&time));
            samples.extend_from_slice(&if speaks { vowel(time) } else { 0 }.to_le_bytes());
        }
    }
    let mut file = b"RIFF".to_vec();
    file.extend_from_slice(&u32::try_from(36 + samples.len()).expect("short").to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0");
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * u32::from(channels) * 2).to_le_bytes());
    file.extend_from_slice(&(channels * 2).to_le_bytes());
    file.extend_from_slice(&16u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&u32::try_from(samples.len()).expect("short").to_le_bytes());
    file.extend_from_slice(&samples);
    file
}

/// A voiced sound: pulses of a glottis at about 120 Hz through three formants, louder and softer as
/// syllables are.
fn vowel(time: f64) -> i16 {
    let pitch = 120.0 + 15.0 * (time * 2.1).sin();
    let mut sum = 0.0;
    for harmonic in 1..30 {
        let frequency = pitch * f64::from(harmonic);
        let formant = |center: f64, width: f64| (-((frequency - center) / width).powi(2)).exp();
        let gain =
            formant(700.0, 150.0) + 0.6 * formant(1200.0, 200.0) + 0.3 * formant(2600.0, 300.0);
        sum += gain * (std::f64::consts::TAU * frequency * time).sin();
    }
    let syllable = 0.55 + 0.45 * (std::f64::consts::TAU * 4.0 * time).sin();
    #[expect(clippy::cast_possible_truncation, reason = "it is far below the bounds")]
    let sample = (sum * syllable * 4000.0) as i16;
    sample
}

/// A form with a file.
pub fn form(file: &[u8], name: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in fields {
        let part =
            format!("--XX\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--XX--\r\n");
    body
}
