//! The voice of the demo bot: recorded speech, sent to the audio socket of its meeting as fast as it
//! is spoken, as any bot sends what it hears.

use futures_util::{SinkExt, StreamExt};
use ogg::PacketReader;
use serde_json::{Value, json};
use std::io::Cursor;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::AUTHORIZATION;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Eleven seconds of a person who speaks English: see `speech/README.md`.
static SPEECH: &[u8] = include_bytes!("speech/jfk.ogg");
/// Who that is.
const SPEAKER: &str = "John F. Kennedy";
/// How long each packet of it lasts.
const PACKET_TIME: Duration = Duration::from_millis(20);
/// How often it is said in a meeting: that there is time to look at it.
const TIMES: usize = 6;
/// How long nobody speaks after each time; what was said before is final then.
const PAUSE: Duration = Duration::from_secs(5);
/// The number of the stream.
const STREAM: u16 = 0;
/// Longest wait for the server to take or to say something.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// An audio socket with one stream.
pub(crate) struct Voice {
    socket: WebSocketStream<TcpStream>,
}

impl Voice {
    /// Opens the socket at this path of a server, with the secret of the meeting, and a stream in it.
    pub(crate) async fn open(server: &str, path: &str, secret: &str) -> Result<Self, String> {
        let opened = timeout(WAIT_MAX, connect(server, path, secret)).await;
        let opened = opened.map_err(|_elapsed| format!("{server} does not answer"))?;
        let socket = opened.map_err(|error| format!("{path} cannot be opened ({error})"))?;
        let mut voice = Self { socket };
        let stream = json!({
            "stream": STREAM,
            "speaker": SPEAKER,
            "codec": "opus",
            "rate": 48_000,
            "language": "en",
        });
        let answer = voice.ask(&stream).await?;
        match answer["ready"].as_bool() {
            Some(true) => Ok(voice),
            // It waits, for example.
            _ => Err(format!("its sound is not taken: {}", text_of(&answer["reason"]))),
        }
    }

    /// Says all that there is to say, which takes a minute and a half.
    pub(crate) async fn speak(mut self) -> Result<(), String> {
        let packets = packets()?;
        for _ in 0..TIMES {
            let mut due = Instant::now();
            for packet in &packets {
                self.listen_until(due).await?;
                let message = [&STREAM.to_be_bytes(), packet.as_slice()].concat();
                self.send(Message::binary(message)).await?;
                due += PACKET_TIME;
            }
            self.listen_until(due + PAUSE).await?;
        }
        self.ask(&json!({ "stream": STREAM, "end": true })).await?;
        // Whether the server hears it too makes no difference.
        let _ = timeout(WAIT_MAX, self.socket.close(None)).await;
        Ok(())
    }

    /// Says something, and gives the answer.
    async fn ask(&mut self, text: &Value) -> Result<Value, String> {
        self.send(Message::text(text.to_string())).await?;
        let answered = async {
            loop {
                if let Some(text) = self.hear().await? {
                    return Ok(serde_json::from_str(&text).unwrap_or_default());
                }
            }
        };
        timeout(WAIT_MAX, answered).await.unwrap_or_else(|_elapsed| Err(silent()))
    }

    async fn send(&mut self, message: Message) -> Result<(), String> {
        match timeout(WAIT_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_elapsed) => Err(silent()),
        }
    }

    /// Listens to the server until then; so its pings are answered.
    async fn listen_until(&mut self, due: Instant) -> Result<(), String> {
        loop {
            tokio::select! {
                heard = self.hear() => heard?,
                () = sleep_until(due) => return Ok(()),
            };
        }
    }

    /// The next text of the server; nothing is another message. What is wrong with the sound, and the
    /// end of the socket, is an error.
    async fn hear(&mut self) -> Result<Option<Utf8Bytes>, String> {
        match self.socket.next().await {
            Some(Ok(Message::Text(text))) => {
                let said: Value = serde_json::from_str(&text).unwrap_or_default();
                match said.get("error") {
                    Some(error) => Err(format!("its sound is refused: {}", text_of(error))),
                    None => Ok(Some(text)),
                }
            }
            Some(Ok(Message::Close(_))) | None => Err("the audio socket was closed".to_owned()),
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => Err(broken(&error)),
        }
    }
}

async fn connect(
    server: &str,
    path: &str,
    secret: &str,
) -> Result<WebSocketStream<TcpStream>, Error> {
    let mut request = format!("ws://{server}{path}").into_client_request()?;
    let bearer = HeaderValue::try_from(format!("Bearer {secret}"))?;
    request.headers_mut().insert(AUTHORIZATION, bearer);
    let stream = TcpStream::connect(server).await?;
    let (socket, _) = client_async(request, stream).await?;
    Ok(socket)
}

/// The packets of the recording.
fn packets() -> Result<Vec<Vec<u8>>, String> {
    let mut reader = PacketReader::new(Cursor::new(SPEECH));
    let mut packets = Vec::new();
    loop {
        match reader.read_packet() {
            // The first two say what the file is (RFC 7845, section 5).
            Ok(Some(packet)) if packet.data.starts_with(b"Opus") => {}
            Ok(Some(packet)) => packets.push(packet.data),
            Ok(None) => return Ok(packets),
            Err(error) => return Err(format!("its recording cannot be read ({error})")),
        }
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("it is not said why")
}

fn broken(error: &Error) -> String {
    format!("the audio socket broke ({error})")
}

fn silent() -> String {
    "the audio socket does not answer".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_has_packets_of_the_time_that_is_meant() {
        let packets = packets().expect("packets");
        assert_eq!(packets.len(), 550);
        for packet in &packets {
            // One frame of 20 ms in one channel (RFC 6716, section 3.1).
            assert_eq!(packet[0], 0x48);
        }
    }
}
