//! An engine with the API of OpenAI that hears marks: phrases of speech with a high tone in them,
//! whose pitch says which word it is. So each window has its right text, wherever it is cut.

use ogg::PacketReader;
use ropus::{Channels, DecodeMode, Decoder};
use serde_json::json;
use std::f64::consts::TAU;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// How many words there are.
const WORDS: usize = 15;
/// Samples of a frame, 20 ms.
const FRAME: usize = 320;
/// How loud a mark is at least.
const HEARD: f64 = 200.0;
/// How loud it is made.
const MADE: f64 = 700.0;
/// Fewest frames of a word.
const FRAMES_MIN: usize = 10;

fn hertz(word: usize) -> f64 {
    f64::from(4200 + 200 * u32::try_from(word).expect("small"))
}

/// Eleven seconds of speech, 16,000 samples a second.
fn speech() -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bots/runners/speech/jfk.ogg");
    let mut packets = PacketReader::new(BufReader::new(File::open(path).expect("the speech")));
    let mut decoder = Decoder::new(16_000, Channels::Mono).expect("a decoder");
    let (mut samples, mut room) = (Vec::new(), vec![0_i16; 1920]);
    while let Some(packet) = packets.read_packet().expect("an Ogg file") {
        if packet.data.starts_with(b"Opus") {
            continue;
        }
        let count = decoder.decode(&packet.data, &mut room, DecodeMode::Normal).expect("Opus");
        samples.extend_from_slice(&room[..count]);
    }
    samples
}

/// Speech from there, in milliseconds, for so long, with the mark of a word.
fn marked(word: usize, from_ms: usize, for_ms: usize) -> Vec<f32> {
    let speech = speech();
    let step = TAU * hertz(word) / 16_000.0;
    let piece = &speech[from_ms * 16..(from_ms + for_ms) * 16];
    let mut samples = Vec::with_capacity(piece.len());
    for (at, sample) in piece.iter().enumerate() {
        let at = f64::from(u32::try_from(at).expect("short"));
        let sum = f64::from(*sample) * 0.8 + MADE * (at * step).sin();
        #[expect(clippy::cast_possible_truncation, reason = "samples are short numbers")]
        samples.push((sum / 32_768.0) as f32);
    }
    samples
}

/// Two seconds of speech with a word's mark, and a pause.
pub fn phrase(word: usize) -> Vec<f32> {
    let mut samples = marked(word, 300, 1900);
    samples.extend(vec![0.0; 16 * 1200]);
    samples
}

/// Five seconds of speech with a word's mark, without a pause after it.
pub fn long_phrase(word: usize) -> Vec<f32> {
    marked(word, 5500, 5000)
}

/// The text that the engine makes of a word.
pub fn text(word: usize) -> String {
    format!("word{word:02}")
}

/// The texts of so many first words.
pub fn texts(words: usize) -> Vec<String> {
    (0..words).map(text).collect()
}

/// How loud a frequency is in a frame (Goertzel's algorithm).
fn loudness(frame: &[i16], hertz: f64) -> f64 {
    let factor = 2.0 * (TAU * hertz / 16_000.0).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in frame {
        let next = f64::from(*sample) + factor * last - before;
        (before, last) = (last, next);
    }
    let power = last * last + before * before - factor * last * before;
    power.max(0.0).sqrt() * 2.0 / 320.0
}

/// The word of a frame.
fn word_of(frame: &[i16]) -> Option<usize> {
    let all = (0..WORDS).map(|word| (word, loudness(frame, hertz(word))));
    let (word, loudest) = all.max_by(|one, other| one.1.total_cmp(&other.1))?;
    (loudest >= HEARD).then_some(word)
}

/// The words in some samples: which, and from when to when in seconds.
fn words_in(samples: &[i16]) -> Vec<(usize, f64, f64)> {
    let mut words: Vec<(usize, usize, usize)> = Vec::new();
    for (at, frame) in samples.chunks_exact(FRAME).enumerate() {
        let Some(word) = word_of(frame) else { continue };
        match words.last_mut() {
            // A loud sound of speech may hide the mark for a moment.
            Some((last, _, end)) if *last == word && at - *end < 20 => *end = at + 1,
            _ => words.push((word, at, at + 1)),
        }
    }
    words.retain(|(_, from, to)| to - from >= FRAMES_MIN);
    let seconds = |frame: usize| f64::from(u32::try_from(frame).expect("short")) * 0.02;
    words.into_iter().map(|(word, from, to)| (word, seconds(from), seconds(to))).collect()
}

/// A running engine; dropping it frees its port.
pub struct FakeEngine {
    pub address: SocketAddr,
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Desk {
    is_away: AtomicBool,
    closed: AtomicBool,
    asked: AtomicUsize,
    /// Whether answers are held back.
    is_held: Mutex<bool>,
    released: Condvar,
}

impl FakeEngine {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let desk = Arc::new(Desk::default());
        let at_work = Arc::clone(&desk);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept()
                && !at_work.closed.load(Ordering::SeqCst)
            {
                let desk = Arc::clone(&at_work);
                std::thread::spawn(move || {
                    // Who asked may be gone.
                    let _ = desk.answer(&stream);
                });
            }
        });
        Self { address, desk, thread: Some(thread) }
    }

    /// `vomeet.toml` with this engine.
    pub fn settings(&self) -> String {
        format!(
            "[[transcription.engines]]\nname = \"fake\"\nurl = \"http://{}/v1\"\nmodel = \"marks\"\n",
            self.address
        )
    }

    /// From now on it answers that it is broken, or words again.
    pub fn set_away(&self, is_away: bool) {
        self.desk.is_away.store(is_away, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.desk.asked.load(Ordering::SeqCst)
    }

    /// Holds its answers back, or gives them.
    pub fn hold(&self, is_held: bool) {
        *self.desk.is_held.lock().expect("no panic") = is_held;
        self.desk.released.notify_all();
    }
}

impl Drop for FakeEngine {
    fn drop(&mut self) {
        self.desk.closed.store(true, Ordering::SeqCst);
        self.hold(false);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Desk {
    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        self.asked.fetch_add(1, Ordering::SeqCst);
        let is_held = self.is_held.lock().expect("no panic");
        let released = self.released.wait_while(is_held, |is_held| *is_held);
        drop(released.expect("no panic"));
        let (status, body) = match self.is_away.load(Ordering::SeqCst) {
            true => ("503 Service Unavailable", json!({"error": {"message": "away"}})),
            false => ("200 OK", answer_to(&samples_of(&body))),
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
        let head = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let mut peer = stream;
        peer.write_all(head.as_bytes())?;
        peer.write_all(body.as_bytes())
    }
}

/// The samples of the WAV file in a form: 16 kHz, one channel, 16 bits.
fn samples_of(form: &[u8]) -> Vec<i16> {
    let wave = form.windows(4).position(|bytes| bytes == b"RIFF").expect("a WAV file");
    // Forms speak of data too.
    let is_data = |bytes: &[u8]| bytes == b"data";
    let data = wave + form[wave..].windows(4).position(is_data).expect("its samples") + 4;
    let length = u32::from_le_bytes(form[data..data + 4].try_into().expect("four bytes"));
    let samples = &form[data + 4..data + 4 + usize::try_from(length).expect("small")];
    samples.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

fn answer_to(samples: &[i16]) -> serde_json::Value {
    let mut segments = Vec::new();
    let mut all = Vec::new();
    for (word, start, end) in words_in(samples) {
        let text = text(word);
        let words = json!([{ "word": text, "start": start, "end": end }]);
        segments.push(json!({ "id": segments.len(), "start": start, "end": end, "text": text,
            "avg_logprob": -0.1, "no_speech_prob": 0.01, "compression_ratio": 1.0,
            "words": words }));
        all.push(text);
    }
    json!({ "language": "en", "text": all.join(" "), "segments": segments })
}

#[test]
fn it_hears_its_own_words() {
    let mut samples = Vec::new();
    for word in [3, 14, 0] {
        samples.extend(phrase(word));
    }
    #[expect(clippy::cast_possible_truncation, reason = "as the server makes samples of floats")]
    let samples: Vec<i16> = samples.iter().map(|sample| (sample * 32_767.0) as i16).collect();
    let words: Vec<usize> = words_in(&samples).into_iter().map(|(word, ..)| word).collect();
    assert_eq!(words, [3, 14, 0]);
}
