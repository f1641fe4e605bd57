//! Jitsi without a bot: the videobridge itself sends every participant's sound over a socket.

mod said;
mod voices;

use crate::api::guard::WebSocketCaller;
use crate::api::jitsi::said::{Said, said};
use crate::api::jitsi::voices::Voices;
use crate::api::launching::{no_randomness, session_name};
use crate::api::live::{cut_off, refusal, refused_by_now};
use crate::api::sound_socket::{Farewell, hold, no_engine};
use crate::app::App;
use crate::auth::User;
use crate::bots::BridgeSocket;
use crate::budget::Holder;
use crate::domain::field::Invalid;
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::domain::text::SingleLine;
use crate::domain::{Permission, Platform, Scope};
use crate::error::{Error, Result};
use crate::http::request::input::input;
use crate::http::tracked_stream::TrackedStream;
use crate::http::websocket::handshake::Switching;
use crate::http::websocket::permits::Permit;
use crate::http::websocket::socket::{End, Intake, Socket};
use crate::store::BeginBridge;
use serde_json::json;
use std::sync::Arc;

/// The host of a room that is named without one.
const NO_HOST: &str = "bridge";

input! {
    /// The query of `GET /jitsi`.
    pub(crate) struct JitsiInput {
        query meeting: Option<SingleLine<128>>,
        query room: Option<SingleLine<128>>,
    }
}

/// A meeting, as a bridge names it.
struct Named {
    /// What the bridge calls it.
    meeting: String,
    /// The platform's id of the room.
    native_id: String,
}

impl JitsiInput {
    /// The room is the meeting where it is not named.
    fn named(self) -> Result<Named> {
        let Some(meeting) = filled(self.meeting) else {
            return Err(refusal_of("meeting", Invalid::new("missing", "Field required")));
        };
        let room = filled(self.room).unwrap_or_else(|| meeting.clone());
        let native_id = match room.contains('@') {
            true => room,
            false => format!("{room}@{NO_HOST}"),
        };
        match Platform::Jitsi.native_id(&native_id) {
            Ok(native_id) => Ok(Named { meeting, native_id }),
            Err(invalid) => Err(refusal_of("room", invalid)),
        }
    }
}

/// A text of the query; an empty one is none.
fn filled(text: Option<SingleLine<128>>) -> Option<String> {
    let text = text?.0.trim().to_owned();
    if text.is_empty() { None } else { Some(text) }
}

/// What is wrong with a field of the query.
fn refusal_of(name: &'static str, invalid: Invalid) -> Error {
    let loc = vec![LocStep::Name("query"), LocStep::Name(name)];
    Error::Invalid(vec![FieldError::new(loc, SentValue::Nothing, invalid)])
}

/// Opens a socket for the sound of a meeting on Jitsi. The meeting begins with the first socket of
/// its room.
pub(crate) async fn open_jitsi(
    app: Arc<App>,
    caller: WebSocketCaller,
    input: JitsiInput,
) -> Result<Switching> {
    let WebSocketCaller { who, handshake } = caller;
    let user = who?;
    let input = input.named()?;
    check_scope(&user.token.terms.scope, &input.native_id)?;
    let held = hold(&app, Holder::User(user.user.id), Intake::SOUND_TEXTS)?;
    if !app.transcription.is_on() {
        return Err(no_engine());
    }
    let begin = BeginBridge {
        user_id: user.user.id,
        token_id: user.token.id,
        native_meeting_id: input.native_id,
        bridge: input.meeting,
        uid: session_name().map_err(no_randomness)?,
        now: app.clock.now(),
    };
    let bridge = app.bridges.join(&app.store, begin).await?;
    let permit = app.transport.sockets.known(held.socket);
    let bytes_held = held.bytes;
    let talk = async move |socket: Socket<TrackedStream>, permit: Permit| {
        serve(&app, &user, bridge, socket, permit).await;
        drop(bytes_held);
    };
    Ok(handshake.accept_intake(Intake::SOUND_TEXTS, permit, talk))
}

/// The token stands in the configuration of a bridge, so it may do nothing else than this.
fn check_scope(scope: &Scope, native_id: &str) -> Result<()> {
    scope.check(Permission::Transcribe).map_err(Error::NotAllowed)?;
    if scope.platforms != [Platform::Jitsi] || !scope.transcribe_only {
        let why = "A bridge's token stands in its configuration: make one that is limited to the \
                   platform jitsi and may only have sound transcribed (transcribe_only).";
        return Err(Error::NotAllowed(why.to_owned()));
    }
    scope.check_meeting(Platform::Jitsi, Some(native_id)).map_err(Error::NotAllowed)
}

async fn serve(
    app: &Arc<App>,
    user: &User,
    mut bridge: BridgeSocket,
    mut socket: Socket<TrackedStream>,
    mut permit: Permit,
) {
    let mut voices = Voices::new(app, user, bridge.meeting_id);
    let farewell = tokio::select! {
        biased;
        () = permit.stopping() => End::Stopping.into(),
        () = bridge.stopped() => End::Done.into(),
        end = refused(app, user) => end.into(),
        farewell = talk(&mut voices, &mut socket) => farewell,
    };
    log::debug!("a socket of a bridge ends: {:?}", farewell.end);
    voices.end().await;
    // Whoever hears of the end finds the meeting left.
    drop(bridge);
    socket.close(farewell.end, farewell.text).await;
}

/// Waits until the token is refused, or may do less.
async fn refused(app: &App, user: &User) -> End {
    let token = user.token_hash();
    let (watcher, cut) = app.feed.watch(user.user.id, token);
    let changed = watcher.token_changed();
    if let Some(end) = refused_by_now(app, user) {
        return end;
    }
    tokio::select! {
        biased;
        end = cut_off(cut) => end,
        () = refusal(app, &token, &changed) => End::KeyRefused,
    }
}

/// Serves the socket until something ends it.
async fn talk(voices: &mut Voices, socket: &mut Socket<TrackedStream>) -> Farewell {
    loop {
        let text = match socket.next().await {
            Ok(text) => text,
            Err(end) => return end.into(),
        };
        voices.end_left().await;
        let answer = match said(&text) {
            Ok(Said::Media(media)) => voices.hear(&media).await.err(),
            Ok(Said::Start(start)) => voices.start(start).err(),
            Ok(Said::Ping(id)) => {
                let pong = match id {
                    Some(id) => json!({ "event": "pong", "id": id }),
                    None => json!({ "event": "pong" }),
                };
                if let Err(end) = socket.say(pong.to_string().into()).await {
                    return end.into();
                }
                None
            }
            Ok(Said::SessionEnd) => return End::Done.into(),
            Ok(Said::Other) => None,
            Err(error) => Some(error),
        };
        if let Some(error) = answer {
            let told = json!({ "event": "error", "error": error });
            if let Err(end) = socket.say(told.to_string().into()).await {
                return end.into();
            }
        }
    }
}
