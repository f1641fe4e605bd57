//! A videobridge of Jitsi with many participants who all speak, for `benches/bridge.py`.
//!
//! `bridge ADDRESS TOKEN PARTICIPANTS SECONDS` opens a socket at `/jitsi` and sends a packet of 20 ms
//! for each participant, fifty times a second. It prints `begin` when all streams have begun, and at
//! the end one JSON object: how many packets were sent, the longest delay behind their time, and what
//! the server had to say, which should be nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long a packet lasts, and how many samples of 48,000 a second it has.
const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: u64 = 960;
/// Bytes of a packet: 32 kbit/s.
const PACKET_BYTES: usize = 80;
/// The first byte of a packet: one frame of 20 ms, full band, one channel (RFC 6716, section 3.1).
const FIRST_BYTE: u8 = 0xf8;
/// Rounds of packets before the first that counts.
const WARM_UP: u64 = 100;
/// How long the server may take to close the socket.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Outcome<()> {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [address, token, participants, seconds] = words.as_slice() else {
        return Err("ADDRESS TOKEN PARTICIPANTS SECONDS".into());
    };
    let (participants, seconds) = (participants.parse()?, seconds.parse()?);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    println!("{}", runtime.block_on(send(address, token, participants, seconds))?);
    Ok(())
}

async fn send(
    address: &str,
    token: &str,
    participants: u64,
    seconds: u64,
) -> Outcome<serde_json::Value> {
    let mut request = format!("ws://{address}/jitsi?meeting=bench").into_client_request()?;
    request.headers_mut().insert("X-API-Key", token.parse()?);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(request, stream).await?;
    let (mut sink, mut source) = socket.split();
    let listening = tokio::spawn(async move {
        let mut told = Vec::new();
        while let Some(Ok(message)) = source.next().await {
            if let Message::Text(text) = message {
                told.push(text.to_string());
            }
        }
        told
    });
    for participant in 0..participants {
        let format = json!({ "encoding": "opus", "sampleRate": 48_000, "channels": 2 });
        let start = json!({ "tag": format!("{participant:08x}-1"), "mediaFormat": format,
            "customParameters": { "endpointId": format!("{participant:08x}") } });
        let text = json!({ "event": "start", "start": start }).to_string();
        sink.send(Message::text(text)).await?;
    }
    let rounds = WARM_UP + seconds * 50;
    let mut ticks = interval(FRAME);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut latest = Duration::ZERO;
    let mut began = Instant::now();
    for round in 0..rounds {
        ticks.tick().await;
        if round == WARM_UP {
            println!("begin");
            std::io::stdout().flush()?;
            began = Instant::now();
        }
        if round > WARM_UP {
            let due = FRAME * u32::try_from(round - WARM_UP)?;
            latest = latest.max(began.elapsed().saturating_sub(due));
        }
        for participant in 0..participants {
            sink.feed(Message::Text(media(participant, round))).await?;
        }
        sink.flush().await?;
    }
    sink.send(Message::text(r#"{"event":"session-end"}"#)).await?;
    let told = timeout(PATIENCE, listening).await??;
    let sent = (rounds - WARM_UP) * participants;
    let latest_ms = u64::try_from(latest.as_millis())?;
    Ok(json!({ "sent": sent, "latest_ms": latest_ms, "told": told.len(), "first": told.first() }))
}

/// A packet as bridges send it. What is in it differs, so that nothing compresses it.
fn media(participant: u64, round: u64) -> Utf8Bytes {
    let mut packet = [FIRST_BYTE; PACKET_BYTES];
    let mut state = participant << 32 | round | 1;
    for byte in &mut packet[1..] {
        // Xorshift (Marsaglia, 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[3];
    }
    let payload = STANDARD.encode(packet);
    let timestamp = round * FRAME_SAMPLES;
    format!(
        r#"{{"event":"media","sequenceNumber":{round},"media":{{"tag":"{participant:08x}-1","chunk":{round},"timestamp":{timestamp},"payload":"{payload}"}}}}"#
    )
    .into()
}
