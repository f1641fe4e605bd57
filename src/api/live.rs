//! The live feed: a WebSocket on which a user follows their meetings.

use crate::api::guard::WebSocketCaller;
use crate::api::meetings::{NameInPath, owned};
use crate::app::App;
use crate::auth::{ResponseHeaders, User};
use crate::budget::Holder;
use crate::clock::later;
use crate::domain::{Platform, TokenHash};
use crate::error::{Error, Result};
use crate::feed::{CloseReason, SUBSCRIPTIONS_MAX, Watcher};
use crate::http::tracked_stream::TrackedStream;
use crate::http::websocket::handshake::Switching;
use crate::http::websocket::permits::Permit;
use crate::http::websocket::socket::{End, Socket};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// How often the token of an open socket is checked for disuse; a revoked one closes its sockets at
/// once, and a changed one is checked at once.
const LOOK_PERIOD: Duration = Duration::from_secs(30);

/// Most meetings in one message.
const MEETINGS_MAX: usize = 100;
/// How many meetings a message may name before it counts as one more request.
const MEETINGS_PER_REQUEST: usize = 10;

/// The error of a message whose `meetings` are no list, or an empty or too long one.
const NO_LIST: EntryError =
    EntryError { index: None, reason: "meetings should be a list of 1 to 100 objects" };
const TOO_MANY: &str = "a socket watches at most 1000 meetings";
const _: () =
    assert!(SUBSCRIPTIONS_MAX == 1000 && MEETINGS_MAX == 100, "the sentences name the limits");

/// What the server says in response to a message.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ServerMessage {
    Subscribed {
        meetings: Vec<Name>,
    },
    Unsubscribed {
        meetings: Vec<Name>,
    },
    Pong,
    Error {
        error: &'static str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        details: Vec<EntryError>,
        #[serde(flatten)]
        why: Option<Why>,
    },
}

/// Why a key is refused.
#[derive(Serialize)]
struct Why {
    code: &'static str,
    reason: String,
}

/// A meeting as subscribers name it.
#[derive(Serialize)]
struct Name {
    platform: Platform,
    native_id: String,
}

/// What is wrong with an entry of `meetings`, or with all of it.
#[derive(Serialize)]
struct EntryError {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    reason: &'static str,
}

/// The members of an object; of two with one name the last counts.
type Members<'a> = HashMap<String, &'a RawValue>;

/// Opens a socket on which the caller follows their meetings.
pub(crate) async fn open_live_feed(
    app: Arc<App>,
    caller: WebSocketCaller,
    (): (),
) -> Result<Switching> {
    let WebSocketCaller { who, handshake } = caller;
    let permit = match &who {
        Ok(user) => {
            let held = app.transport.budgets.sockets.take(Holder::User(user.user.id), 1)?;
            app.transport.sockets.known(held)
        }
        Err(_) => app.transport.sockets.refused()?,
    };
    Ok(handshake.accept(permit, async move |socket, permit| {
        serve_connection(app, who, socket, permit).await;
    }))
}

async fn serve_connection(
    app: Arc<App>,
    who: Result<User>,
    mut socket: Socket<TrackedStream>,
    mut permit: Permit,
) {
    let (end, refused) = match who {
        Ok(user) => {
            let token = user.token_hash();
            let end = follow(&app, &user, &mut socket, &mut permit).await;
            (end, app.auth.revalidate(&token, &app.store, app.clock.now()).err())
        }
        Err(error) => (End::KeyRefused, Some(error)),
    };
    log::debug!("a live socket ends: {end:?}");
    let last_words = if end == End::KeyRefused { last_words(refused.as_ref()) } else { None };
    socket.close(end, last_words).await;
}

/// The last message to a caller whose key is refused: the documented error, and the reason where
/// there is one.
fn last_words(refused: Option<&Error>) -> Option<Utf8Bytes> {
    let is_missing = matches!(refused, Some(Error::TokenMissing(_)));
    let error = if is_missing { "missing_api_key" } else { "invalid_api_key" };
    let why = refused.and_then(Error::reason).map(|(code, reason)| Why { code, reason });
    serde_json::to_string(&ServerMessage::Error { error, details: Vec::new(), why })
        .ok()
        .map(Utf8Bytes::from)
}

/// Serves the socket until something ends it. An end comes first, even while a message waits for a
/// slow client.
async fn follow(
    app: &App,
    user: &User,
    socket: &mut Socket<TrackedStream>,
    permit: &mut Permit,
) -> End {
    let token = user.token_hash();
    let (watcher, cut) = app.feed.watch(user.user.id, token);
    let changed = watcher.token_changed();
    if let Some(end) = refused_by_now(app, user) {
        return end;
    }
    tokio::select! {
        biased;
        () = permit.stopping() => End::Stopping,
        end = cut_off(cut) => end,
        () = refusal(app, &token, &changed) => End::KeyRefused,
        end = talk(app, user, watcher, socket) => end,
    }
}

/// Why a subscriber may not go on whom the feed knows only now: the token may have been revoked, or
/// limited, since it was authenticated.
pub(crate) fn refused_by_now(app: &App, user: &User) -> Option<End> {
    let token = user.token_hash();
    if app.auth.revalidate(&token, &app.store, app.clock.now()).is_err() {
        return Some(End::KeyRefused);
    }
    if !app.auth.has_scope(&token, &user.token.terms.scope, &app.store) {
        return Some(End::Narrowed);
    }
    None
}

/// Waits until the feed closes a subscriber.
pub(crate) async fn cut_off(cut: oneshot::Receiver<CloseReason>) -> End {
    match cut.await {
        Ok(CloseReason::KeyRefused) => End::KeyRefused,
        Ok(CloseReason::Narrowed) => End::Narrowed,
        // The feed drops a subscriber only to close its socket.
        Ok(CloseReason::Slow) | Err(_) => End::Slow,
    }
}

/// Waits until a token is refused: its time may end, and that end may change meanwhile.
pub(crate) async fn refusal(app: &App, token: &TokenHash, changed: &Notify) {
    loop {
        let mut next_look = later(app.clock.now(), LOOK_PERIOD);
        match app.auth.revalidate(token, &app.store, app.clock.now()) {
            Ok(Some(end)) => next_look = next_look.min(end),
            Err(Error::TokenRefused(_)) => return,
            // The database cannot be read now; a revoked token is closed by the feed.
            Ok(None) | Err(_) => {}
        }
        tokio::select! {
            () = app.clock.sleep_until(next_look) => {}
            () = changed.notified() => {}
        }
    }
}

async fn talk(
    app: &App,
    user: &User,
    mut watcher: Watcher,
    socket: &mut Socket<TrackedStream>,
) -> End {
    loop {
        let said = tokio::select! {
            heard = socket.next() => match heard {
                Ok(text) => send_all(socket, respond(app, user, &mut watcher, &text)).await,
                Err(end) => Err(end),
            },
            news = watcher.next() => socket.say(news).await,
        };
        if let Err(end) = said {
            return end;
        }
    }
}

async fn send_all(
    socket: &mut Socket<TrackedStream>,
    responses: Vec<ServerMessage>,
) -> std::result::Result<(), End> {
    for response in responses {
        let text = serde_json::to_string(&response).map_err(|_| End::Gone)?;
        socket.say(text.into()).await?;
    }
    Ok(())
}

/// Does what a message asks for, and gives the responses.
fn respond(app: &App, user: &User, watcher: &mut Watcher, text: &str) -> Vec<ServerMessage> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = serde_json::from_str::<&RawValue>(text);
    let members: Members<'_> = match &whole {
        Ok(whole) => serde_json::from_str(whole.get()).unwrap_or_default(),
        Err(_) => Members::new(),
    };
    let mut headers = ResponseHeaders::new();
    let now = app.clock.instant();
    if let Err(refused) = app.request_limiter.count(user, cost(&members), now, &mut headers) {
        let why = refused.reason().map(|(code, reason)| Why { code, reason });
        return vec![ServerMessage::Error { error: "too_many_requests", details: Vec::new(), why }];
    }
    if whole.is_err() {
        return vec![error("invalid_json", Vec::new())];
    }
    match string(&members, "action").as_deref() {
        Some("subscribe") => subscribe(app, user, watcher, &members),
        Some("unsubscribe") => unsubscribe(watcher, &members),
        Some("ping") => vec![ServerMessage::Pong],
        _ => vec![error("unknown_action", Vec::new())],
    }
}

/// How many requests a message counts as: one for every ten meetings that it names.
fn cost(members: &Members<'_>) -> u32 {
    let count = entries(members).map_or(1, |entries| entries.len());
    u32::try_from(count.div_ceil(MEETINGS_PER_REQUEST)).unwrap_or(u32::MAX)
}

fn error(error: &'static str, details: Vec<EntryError>) -> ServerMessage {
    ServerMessage::Error { error, details, why: None }
}

/// Subscribes to each entry of `meetings`; an error of one does not concern the others.
///
/// The subscriptions are in force before they are confirmed: who then asks for the transcript
/// misses nothing.
fn subscribe(
    app: &App,
    user: &User,
    watcher: &mut Watcher,
    members: &Members<'_>,
) -> Vec<ServerMessage> {
    const ERROR: &str = "invalid_subscribe_payload";
    let Some(entries) = entries(members) else { return vec![error(ERROR, vec![NO_LIST])] };
    let mut responses = Vec::new();
    let mut meetings = Vec::new();
    let mut errors = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        match subscribe_one(app, user, watcher, entry) {
            Ok(name) => meetings.push(name),
            Err(reason) => errors.push(EntryError { index: Some(index), reason }),
        }
    }
    if !errors.is_empty() {
        responses.push(error(ERROR, errors));
    }
    responses.push(ServerMessage::Subscribed { meetings });
    responses
}

fn subscribe_one(
    app: &App,
    user: &User,
    watcher: &mut Watcher,
    entry: &RawValue,
) -> std::result::Result<Name, &'static str> {
    let name = name(entry)?;
    let in_path = NameInPath { platform: name.platform, native_meeting_id: name.native_id.clone() };
    let Ok(meeting_name) = owned(user, in_path, None) else {
        return Err("this token is limited to other meetings");
    };
    let meeting = match app.store.meeting(&meeting_name) {
        Ok(meeting) => meeting,
        Err(Error::MeetingNotFound(..)) => return Err("no such meeting"),
        Err(_) => return Err("the meeting cannot be looked up now; try again"),
    };
    if !watcher.subscribe(&meeting, &name.native_id) {
        return Err(TOO_MANY);
    }
    Ok(name)
}

/// Unsubscribes from each entry of `meetings`; an error of one does not concern the others.
fn unsubscribe(watcher: &mut Watcher, members: &Members<'_>) -> Vec<ServerMessage> {
    const ERROR: &str = "invalid_unsubscribe_payload";
    let Some(entries) = entries(members) else { return vec![error(ERROR, vec![NO_LIST])] };
    let mut responses = Vec::new();
    let mut meetings = Vec::new();
    let mut errors = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        match name(entry) {
            Ok(name) => {
                watcher.unsubscribe(name.platform, &name.native_id);
                meetings.push(name);
            }
            Err(reason) => errors.push(EntryError { index: Some(index), reason }),
        }
    }
    if !errors.is_empty() {
        responses.push(error(ERROR, errors));
    }
    responses.push(ServerMessage::Unsubscribed { meetings });
    responses
}

/// The entries of `meetings`, if they are a list of 1 to [`MEETINGS_MAX`].
fn entries<'a>(members: &Members<'a>) -> Option<Vec<&'a RawValue>> {
    let list = members.get("meetings")?;
    let entries: Vec<&RawValue> = serde_json::from_str(list.get()).ok()?;
    if entries.is_empty() || entries.len() > MEETINGS_MAX {
        return None;
    }
    Some(entries)
}

fn name(entry: &RawValue) -> std::result::Result<Name, &'static str> {
    let Ok(members) = serde_json::from_str::<Members<'_>>(entry.get()) else {
        return Err("should be an object");
    };
    let platform = string(&members, "platform").ok_or("platform is missing")?;
    let platform = Platform::from_word(&platform).ok_or("unknown platform")?;
    match string(&members, "native_id") {
        Some(native_id) if !native_id.is_empty() => Ok(Name { platform, native_id }),
        _ => Err("native_id is missing"),
    }
}

fn string(members: &Members<'_>, name: &str) -> Option<String> {
    let value = members.get(name)?;
    serde_json::from_str(value.get()).ok()
}
