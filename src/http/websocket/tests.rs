//! A socket over a pipe, with a clock that jumps: what takes too long, and what is no WebSocket.

#![cfg(test)]

use super::*;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::time::Instant;

/// What one side of the pipe holds for the other.
const PIPE_BYTES: usize = 1024;
/// Longest text.
const MESSAGE_BYTES_MAX: usize = Intake::TEXTS.message_bytes_max;

async fn pair() -> (Socket<DuplexStream>, WebSocketStream<DuplexStream>) {
    let (ours, theirs) = duplex(PIPE_BYTES);
    let peer = WebSocketStream::from_raw_socket(theirs, Role::Client, None).await;
    (Socket::new(ours, Bytes::new(), Intake::TEXTS).await, peer)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_stays() {
    let (mut socket, mut peer) = pair().await;
    let began = Instant::now();
    let peer = tokio::spawn(async move {
        let mut pings = 0;
        while pings < 10 {
            pings += u32::from(matches!(peer.next().await, Some(Ok(Message::Ping(_)))));
        }
        peer.send(Message::text("done")).await.expect("sent");
        peer
    });
    assert_eq!(socket.next().await.as_deref(), Ok("done"));
    assert_eq!(began.elapsed().as_secs(), 10 * PING_PERIOD.as_secs());
    drop(peer.await);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_is_closed_at_the_next_ping() {
    let (mut socket, _peer) = pair().await;
    let began = Instant::now();
    assert_eq!(socket.next().await, Err(End::Silent));
    assert_eq!(began.elapsed().as_secs(), 2 * PING_PERIOD.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_only_talks_is_silent_too() {
    let (mut socket, mut peer) = pair().await;
    let began = Instant::now();
    let end = loop {
        peer.feed(Message::text("x")).await.expect("room");
        peer.flush().await.expect("room");
        match socket.next().await {
            Ok(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            Err(end) => break end,
        }
        if began.elapsed() > 3 * PING_PERIOD {
            break End::Gone;
        }
    };
    assert_eq!(end, End::Silent);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_slow_and_its_end_takes_a_second() {
    let (mut socket, _peer) = pair().await;
    let long = Utf8Bytes::from("x".repeat(4 * PIPE_BYTES));
    let began = Instant::now();
    assert_eq!(socket.say(long).await, Err(End::Slow));
    assert_eq!(began.elapsed(), WRITE_TIME_MAX);
    socket.close(End::Slow, Some(Utf8Bytes::from_static("last words"))).await;
    assert_eq!(began.elapsed(), WRITE_TIME_MAX + CLOSE_TIME_MAX);
}

#[tokio::test(start_paused = true)]
async fn last_words_and_the_code_arrive() {
    let (socket, mut peer) = pair().await;
    let closing =
        tokio::spawn(socket.close(End::KeyRefused, Some(Utf8Bytes::from_static("last words"))));
    assert_eq!(peer.next().await.expect("a text").expect("a text"), Message::text("last words"));
    let Some(Ok(Message::Close(Some(frame)))) = peer.next().await else { panic!("no close") };
    assert_eq!(u16::from(frame.code), 4401);
    let began = Instant::now();
    assert!(peer.next().await.is_none(), "the handshake");
    drop(peer);
    closing.await.expect("no panic");
    assert!(began.elapsed() < CLOSE_TIME_MAX, "a peer that answers is not waited for");
}

/// A frame of a client, masked with zeros.
fn frame(first: u8, length: usize, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(length) {
        Ok(length) if length < 126 => frame.push(0x80 | length.to_be_bytes()[1]),
        Ok(length) => {
            frame.push(0xfe);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0xff);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

#[tokio::test(start_paused = true)]
async fn what_is_no_text_ends_it() {
    let fragments = |count: usize| {
        [frame(0x01, 900, &[b'x'; 900]), frame(0x00, 900, &[b'x'; 900]).repeat(count)].concat()
    };
    for (name, bytes, end) in [
        ("binary", frame(0x82, 1, b"x"), End::NoText),
        ("no UTF-8", frame(0x81, 2, b"\xff\xfe"), End::NoUtf8),
        ("unmasked", vec![0x81, 1, b'x'], End::Malformed),
        ("too long, announced", frame(0x81, MESSAGE_BYTES_MAX + 1, b""), End::TooLong),
        ("far too long, announced", frame(0x81, usize::MAX, b""), End::TooLong),
        ("too long, in fragments", fragments(MESSAGE_BYTES_MAX / 900), End::TooLong),
        ("fragmented ping", frame(0x09, 1, b"x"), End::Malformed),
        ("long ping", frame(0x89, 126, &[0; 126]), End::Malformed),
        ("reserved bit", frame(0xc1, 1, b"x"), End::Malformed),
        ("reserved opcode", frame(0x83, 1, b"x"), End::Malformed),
        ("reserved control", frame(0x8b, 0, b""), End::Malformed),
        ("continuation of nothing", frame(0x80, 1, b"x"), End::Malformed),
        ("two texts in one", [frame(0x01, 1, b"x"), frame(0x81, 1, b"x")].concat(), End::Malformed),
        ("close", frame(0x88, 2, &1000_u16.to_be_bytes()), End::Gone),
        ("close without a code", frame(0x88, 0, b""), End::Gone),
        ("nothing more", Vec::new(), End::Gone),
    ] {
        let (ours, mut theirs) = duplex(2 * MESSAGE_BYTES_MAX);
        let mut socket = Socket::new(ours, Bytes::new(), Intake::TEXTS).await;
        theirs.write_all(&bytes).await.expect("room");
        if bytes.is_empty() {
            theirs.shutdown().await.expect("the end");
        }
        assert_eq!(socket.next().await, Err(end), "{name}");
        let closing = tokio::spawn(socket.close(end, None));
        let mut said = Vec::new();
        theirs.shutdown().await.expect("the end");
        theirs.read_to_end(&mut said).await.expect("the end");
        let code = said.get(2..4).map(|code| u16::from_be_bytes([code[0], code[1]]));
        let expected = match end.frame() {
            Some(frame) => Some(u16::from(frame.code)),
            None => (name == "close").then_some(1000),
        };
        assert_eq!(code, expected, "{name}: {said:?}");
        closing.await.expect("no panic");
    }
}

#[tokio::test(start_paused = true)]
async fn texts_up_to_the_limit_are_heard_whole_or_in_fragments_and_after_what_came_early() {
    let longest = "x".repeat(MESSAGE_BYTES_MAX);
    let early = Bytes::from(frame(0x81, 5, b"early"));
    let (ours, mut theirs) = duplex(4 * MESSAGE_BYTES_MAX);
    let mut socket = Socket::new(ours, early, Intake::TEXTS).await;
    theirs.write_all(&frame(0x81, longest.len(), longest.as_bytes())).await.expect("room");
    let parts = [
        frame(0x01, 2, b"\xc3\xa9"),
        frame(0x89, 1, b"p"),
        frame(0x00, 0, b""),
        frame(0x80, 1, b"!"),
    ];
    theirs.write_all(&parts.concat()).await.expect("room");
    for expected in ["early", &longest, "é!"] {
        assert_eq!(socket.next().await.as_deref(), Ok(expected));
    }
    let mut pong = [0; 3];
    theirs.read_exact(&mut pong).await.expect("a pong");
    assert_eq!(pong, [0x8a, 1, b'p']);
}

#[tokio::test(start_paused = true)]
async fn sound_is_taken_up_to_its_own_limit_where_it_is_expected() {
    let intake = Intake::WHISPER_LIVE;
    let longest = vec![7; intake.message_bytes_max];
    let (ours, mut theirs) = duplex(4 * intake.message_bytes_max);
    let mut socket = Socket::new(ours, Bytes::new(), intake).await;
    theirs.write_all(&frame(0x82, longest.len(), &longest)).await.expect("room");
    let parts = [frame(0x02, 2, b"\xff\xfe"), frame(0x80, 1, b"!"), frame(0x81, 1, b"x")];
    theirs.write_all(&parts.concat()).await.expect("room");
    let expected = [
        Received::Binary(longest.into()),
        Received::Binary(Bytes::from_static(b"\xff\xfe!")),
        Received::Text(Utf8Bytes::from_static("x")),
    ];
    for expected in expected {
        assert_eq!(socket.receive().await, Ok(expected));
    }
    let too_long = frame(0x82, intake.message_bytes_max + 1, b"");
    theirs.write_all(&too_long).await.expect("room");
    assert_eq!(socket.receive().await, Err(End::TooLong));
}
