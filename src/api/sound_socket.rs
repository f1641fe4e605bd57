//! What the sockets for sound have in common: who opens them, whose meeting a secret opens, samples
//! as the spool keeps them, and how a socket ends.

use crate::api::call::Call;
use crate::api::guard::{Access, Guard, handshake};
use crate::app::App;
use crate::auth::{Auth, Bot, Refusal};
use crate::budget::{Held, Holder};
use crate::domain::field_error::LocStep;
use crate::domain::{Hint, PlainToken, SentInstead, Time, TokenHash};
use crate::error::{Error, Result};
use crate::http::websocket::handshake::Handshake;
use crate::http::websocket::socket::{End, Intake};
use crate::metrics::{Limit, RouteLabel};
use crate::store::MeetingOfSecret;
use crate::transcription::{NewSound, Sound};
use std::net::IpAddr;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// A caller who opens a WebSocket and says over it who they are.
pub(crate) struct StrangerSocket {
    /// The handshake of the request.
    pub handshake: Handshake,
    /// The address that the request came from.
    pub client: Option<IpAddr>,
    /// The row of the table.
    pub label: RouteLabel,
}

impl Guard for StrangerSocket {
    const ACCESS: Access = Access::SoundSocket;

    fn authenticate(call: &Call) -> Result<Self> {
        let handshake = handshake(call)?;
        Ok(Self { handshake, client: call.request.client, label: call.label })
    }

    fn holder(&self) -> Holder {
        Holder::reporter(self.client)
    }
}

/// The bot of a meeting, which opens a WebSocket.
pub(crate) struct BotSocket {
    /// The bot.
    pub bot: Bot,
    /// The handshake of the request.
    pub handshake: Handshake,
}

impl Guard for BotSocket {
    const ACCESS: Access = Access::Bot;

    fn authenticate(call: &Call) -> Result<Self> {
        let bot = Auth::bot(&call.request.head, &call.app.store, call.now)?;
        Ok(Self { bot, handshake: handshake(call)? })
    }

    fn holder(&self) -> Holder {
        self.bot.holder()
    }
}

/// What a socket for sound holds of the server while it is open.
pub(crate) struct SoundHeld {
    /// Its place among the sockets.
    pub socket: Held,
    /// The bytes of its longest message.
    pub bytes: Held,
}

/// Takes what a socket for sound holds; [`Error::Busy`] where there is not as much.
pub(crate) fn hold(app: &App, holder: Holder, intake: Intake) -> Result<SoundHeld> {
    let budgets = &app.transport.budgets;
    let socket = budgets.sockets.take(holder, 1)?;
    let bytes = budgets.sound.take(holder, intake.message_bytes_max)?;
    Ok(SoundHeld { socket, bytes })
}

/// The meeting that a secret opens, with BLAKE3 of the secret. One that opens none counts as a
/// refused key of the client's address ([`Error::BotRefused`], [`Error::TooManyFailedKeys`]), unless
/// its meeting is over.
pub(crate) fn meeting_of(
    app: &App,
    client: Option<IpAddr>,
    label: RouteLabel,
    secret: &str,
) -> Result<(TokenHash, MeetingOfSecret)> {
    let refused = || Error::BotRefused(SentInstead::Nothing);
    if !PlainToken::is_wellformed(secret.as_bytes()) {
        return Err(count_unknown(app, client, label, secret, refused()));
    }
    let token_hash = TokenHash::of(secret.as_bytes());
    match app.store.meeting_of_secret(&token_hash, app.clock.now())? {
        Some(meeting) if meeting.takes_words => Ok((token_hash, meeting)),
        Some(_) => Err(refused()),
        None => Err(count_unknown(app, client, label, secret, refused())),
    }
}

/// Counts a secret that nobody has, and gives the error that the caller gets.
fn count_unknown(
    app: &App,
    client: Option<IpAddr>,
    label: RouteLabel,
    secret: &str,
    error: Error,
) -> Error {
    let now = app.clock.now();
    app.metrics.refuse_key("bot");
    let is_key = PlainToken::is_wellformed(secret.as_bytes());
    app.refusals.note(Refusal {
        at: now,
        first_at: now,
        count: 1,
        address: client,
        key: "bot",
        code: "unknown",
        method: label.method,
        path: label.path,
        hint: is_key.then(|| Hint::of(secret.as_bytes())),
    });
    let Some(client) = client else { return error };
    match app.failed_auth_limiter.count(client, app.clock.instant()) {
        Ok(()) => error,
        Err(too_many) => {
            app.metrics.refuse_too_many(Limit::FailedKeys);
            too_many
        }
    }
}

/// How a socket ends: the last text, if there is one, and the reason of its close.
pub(crate) struct Farewell {
    pub end: End,
    pub text: Option<Utf8Bytes>,
}

impl Farewell {
    /// Without a text.
    pub(crate) fn silent(end: End) -> Self {
        Self { end, text: None }
    }

    /// With a last text.
    pub(crate) fn saying(end: End, json: &serde_json::Value) -> Self {
        Self { end, text: Some(json.to_string().into()) }
    }
}

impl From<End> for Farewell {
    fn from(end: End) -> Self {
        Self::silent(end)
    }
}

/// Nobody makes words of sound here.
pub(crate) fn no_engine() -> Error {
    let reason = "No engine makes words of sound here: set transcription.whisper_model, or an \
                  engine under [[transcription.engines]].";
    Error::NoRoomForSound { reason: reason.to_owned() }
}

/// Begins a sound, where somebody makes words of it ([`no_engine`]); the other errors are those of
/// [`Transcription::listen`](crate::transcription::Transcription::listen).
pub(crate) async fn listen(app: &App, sound: NewSound) -> Result<Sound> {
    if !app.transcription.is_on() {
        return Err(no_engine());
    }
    app.transcription.listen(sound).await
}

/// Ends a sound. What cannot be written now is found at the next start.
pub(crate) async fn end(sound: Sound) {
    match sound.end().await {
        // Somebody else goes on with it, or the spool has said what it lost.
        Ok(()) | Err(Error::NoRoomForSound { .. }) => {}
        Err(error) => log::warn!("the end of a sound cannot be written: {}", error.store_cause()),
    }
}

/// How long a sound has gone on by the clock, in samples.
pub(crate) fn elapsed_samples(started_at: Time, now: Time, rate: u32) -> u64 {
    let elapsed_ms = now.as_millis().saturating_sub(started_at.as_millis());
    u64::try_from(elapsed_ms).unwrap_or(0).saturating_mul(u64::from(rate)) / 1000
}

/// An error in one sentence. What failed inside the server stays in its log.
pub(crate) fn sentence(error: &Error) -> String {
    let Error::Invalid(faults) = error else {
        return match error.reason() {
            Some((_, reason)) => reason,
            None => error.to_string(),
        };
    };
    let mut parts = Vec::new();
    for fault in faults {
        let name = fault.loc.iter().rev().find_map(|step| match step {
            LocStep::Name(name) => Some(*name),
            LocStep::Number(_) => None,
        });
        parts.push(format!("{}: {}", name.unwrap_or("text"), fault.msg));
    }
    parts.join("; ")
}

/// Samples of 32-bit float, little-endian, as signed ones of 16 bits. What is louder than full scale
/// is clipped, and what is no number is silence. Bytes beyond the last whole sample are left out.
pub(crate) fn s16le_of_f32le(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 2);
    for sample in bytes.chunks_exact(4) {
        let value = f32::from_le_bytes([sample[0], sample[1], sample[2], sample[3]]);
        out.extend(s16_of(value).to_le_bytes());
    }
    out
}

#[expect(clippy::cast_possible_truncation, reason = "it is within the bounds")]
fn s16_of(value: f32) -> i16 {
    if value.is_nan() {
        return 0;
    }
    (value * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn float_samples_are_clipped_and_what_is_no_number_is_silence() {
        for (value, expected) in [
            (0.0, 0),
            (-0.0, 0),
            (0.5, 16_384),
            (-0.5, -16_384),
            (1.0, 32_767),
            (-1.0, -32_768),
            (7.5, 32_767),
            (-7.5, -32_768),
            (f32::MAX, 32_767),
            (f32::INFINITY, 32_767),
            (f32::NEG_INFINITY, -32_768),
            (f32::NAN, 0),
            (f32::MIN_POSITIVE, 0),
            (1.0 / 32_768.0, 1),
        ] {
            assert_eq!(s16_of(value), expected, "{value}");
        }
        let bytes = [0.5_f32.to_le_bytes().as_slice(), &[1, 2]].concat();
        assert_eq!(s16le_of_f32le(&bytes), 16_384_i16.to_le_bytes());
    }
}
