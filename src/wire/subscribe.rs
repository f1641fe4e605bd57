//! `SUBSCRIBE` and `UNSUBSCRIBE`: a bot hears its own channels, and no others.

use crate::app::App;
use crate::domain::{MeetingId, MeetingStatus};
use crate::wire::channels::Channels;
use crate::wire::client::Client;
use crate::wire::refusal::{Outcome, Refusal};
use crate::wire::replies::Replies;

/// Longest name of a channel that `UNSUBSCRIBE` takes, in bytes.
const NAME_BYTES_MAX: usize = 255;

impl Client {
    /// Whether a channel is the client's own: that of its session, or of its meeting.
    fn may_hear(&self, name: &str) -> bool {
        let Some(bot) = self.bot() else { return false };
        let Some(id) = name.strip_prefix("bot_commands:") else { return false };
        id == bot.meeting.uid || id == format!("meeting:{}", bot.meeting.meeting_id)
    }
}

/// Subscribes to each channel that is named, or to none where one is another's. The subscription is
/// in force before it is confirmed.
pub(crate) fn subscribe(
    client: &mut Client,
    names: &[&[u8]],
    replies: &mut Replies,
) -> Outcome<()> {
    let mut channels = Vec::new();
    for name in names {
        let name = String::from_utf8_lossy(name).into_owned();
        if !client.may_hear(&name) {
            let text = "NOPERM No permissions to access a channel: a bot hears \
                        bot_commands:<connectionId> and bot_commands:meeting:<id> of its own";
            return Err(Refusal::new(text));
        }
        channels.push(name);
    }
    let Some(bot) = client.bot() else { return Ok(()) };
    let meeting_id = bot.meeting.meeting_id;
    if client.subscription.is_none() {
        let app = &client.endpoint.app;
        let subscription = app.bot_commands.subscribe(meeting_id);
        // Looked up once the subscription is in force: a step to `stopping` is missed by neither.
        if is_stopping(app, meeting_id) {
            subscription.leave();
        }
        client.subscription = Some(subscription);
    }
    for name in channels {
        client.channels.0.insert(name.clone());
        confirm(b"subscribe", Some(&name), &client.channels, replies);
    }
    Ok(())
}

/// Whether a bot is to leave: it was told so while it was not connected, or by an earlier server.
fn is_stopping(app: &App, id: MeetingId) -> bool {
    match app.store.meeting_of_bot(id) {
        Ok(Some(meeting)) => meeting.status == MeetingStatus::Stopping,
        _ => false,
    }
}

/// Ends the subscriptions to the channels that are named, or to all. Names that are longer than any
/// channel's are refused.
pub(crate) fn unsubscribe(
    client: &mut Client,
    names: &[&[u8]],
    replies: &mut Replies,
) -> Outcome<()> {
    if names.iter().any(|name| name.len() > NAME_BYTES_MAX) {
        let text = format!("ERR the name of a channel is longer than {NAME_BYTES_MAX} bytes");
        return Err(Refusal::new(text));
    }
    let mut ended = Vec::new();
    for name in names {
        ended.push(String::from_utf8_lossy(name).into_owned());
    }
    if names.is_empty() {
        ended.extend(client.channels.0.iter().cloned());
    }
    if ended.is_empty() {
        confirm(b"unsubscribe", None, &client.channels, replies);
    }
    for name in ended {
        client.channels.0.remove(&name);
        confirm(b"unsubscribe", Some(&name), &client.channels, replies);
    }
    if client.channels.is_empty() {
        client.subscription = None;
    }
    Ok(())
}

fn confirm(what: &[u8], name: Option<&str>, channels: &Channels, replies: &mut Replies) {
    replies.push(3);
    replies.bulk(what);
    match name {
        Some(name) => replies.bulk(name.as_bytes()),
        None => replies.null(),
    }
    let count = channels.0.len();
    replies.integer(i64::try_from(count).unwrap_or(i64::MAX));
}
