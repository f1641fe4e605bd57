//! Commands for bots, pushed to those that have subscribed to the channel of their meeting.
//!
//! [`BotCommands::on_change`] runs on the writer's thread, so commands leave in the order of their
//! commits. Nobody waits for a full queue: a subscriber that would miss a command is dropped, and
//! its bot connects again.

use crate::domain::MeetingId;
use crate::error::{Error, Result};
use crate::store::{Change, Reconfigured};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc};

/// Most commands that wait for one subscriber.
const COMMANDS_MAX: usize = 64;

/// A command, as bots read it.
#[derive(Debug, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Command<'a> {
    /// Leave the meeting.
    Leave { meeting_id: MeetingId },
    /// Go on with this language and task.
    Reconfigure {
        uid: &'a str,
        meeting_id: MeetingId,
        language: Option<&'a str>,
        task: Option<&'a str>,
    },
    /// Say this aloud.
    Speak {
        meeting_id: MeetingId,
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        voice: Option<&'a str>,
    },
    /// Write this into the chat.
    ChatSend { meeting_id: MeetingId, text: &'a str },
}

/// What a bot is to say aloud.
#[derive(Debug)]
pub(crate) struct Speech<'a> {
    /// The words.
    pub text: &'a str,
    /// Which service makes a voice of them; `None` is the bot's own choice.
    pub provider: Option<&'a str>,
    /// Which voice; `None` is the bot's own choice.
    pub voice: Option<&'a str>,
}

/// The subscribers of one meeting, by their numbers.
type OfMeeting = BTreeMap<u64, mpsc::Sender<Arc<str>>>;

#[derive(Default)]
struct Hub {
    meetings: HashMap<MeetingId, OfMeeting>,
    numbers: u64,
}

impl Hub {
    /// Queues a command for each subscriber of a meeting. One whose queue is full is dropped.
    fn send(&mut self, meeting_id: MeetingId, command: &Command<'_>) -> usize {
        let Some(subscribers) = self.meetings.get_mut(&meeting_id) else { return 0 };
        let Ok(text) = serde_json::to_string(command) else { return 0 };
        let text: Arc<str> = text.into();
        subscribers.retain(|_, queue| queue.try_send(Arc::clone(&text)).is_ok());
        let told = subscribers.len();
        if told == 0 {
            self.meetings.remove(&meeting_id);
        }
        told
    }
}

/// All subscribers of commands.
#[derive(Default)]
pub struct BotCommands {
    hub: Mutex<Hub>,
    /// Told of every new subscriber.
    news: Notify,
}

/// One subscriber; dropping it ends the subscription.
pub struct Subscription {
    hub: Arc<BotCommands>,
    meeting_id: MeetingId,
    number: u64,
    commands: mpsc::Receiver<Arc<str>>,
}

impl BotCommands {
    /// Takes in a committed change, on the writer's thread.
    pub(crate) fn on_change(&self, change: &Change) {
        if let Change::BotReconfigured(reconfigured) = change {
            self.reconfigure(reconfigured);
        }
    }

    /// Tells the bot of a meeting to leave; returns how many subscribers were told.
    pub fn leave(&self, meeting_id: MeetingId) -> usize {
        self.send(meeting_id, &Command::Leave { meeting_id })
    }

    /// Tells the bot of a meeting its language and task; returns how many subscribers were told.
    pub fn reconfigure(&self, reconfigured: &Reconfigured) -> usize {
        let meeting_id = reconfigured.meeting_id;
        let command = Command::Reconfigure {
            uid: &reconfigured.uid,
            meeting_id,
            language: reconfigured.language.as_deref(),
            task: reconfigured.task.as_deref(),
        };
        self.send(meeting_id, &command)
    }

    /// Lets the bot of a meeting speak. Fails where no bot listens, or too much waits for it.
    pub(crate) fn speak(&self, meeting_id: MeetingId, speech: &Speech<'_>) -> Result<()> {
        let Speech { text, provider, voice } = *speech;
        self.send_if_room(meeting_id, &Command::Speak { meeting_id, text, provider, voice })
    }

    /// Lets the bot of a meeting write into the chat; fails as [`BotCommands::speak`] does.
    pub(crate) fn chat(&self, meeting_id: MeetingId, text: &str) -> Result<()> {
        self.send_if_room(meeting_id, &Command::ChatSend { meeting_id, text })
    }

    /// Sends a command that users cause as often as they please. Half of each queue is kept free
    /// of them: no subscriber is dropped for their sake, and `leave` has room.
    fn send_if_room(&self, meeting_id: MeetingId, command: &Command<'_>) -> Result<()> {
        let mut hub = self.lock();
        let subscribers = hub.meetings.get(&meeting_id).ok_or(Error::BotNotListening)?;
        if subscribers.values().any(|queue| queue.capacity() <= COMMANDS_MAX / 2) {
            return Err(Error::Busy);
        }
        match hub.send(meeting_id, command) {
            0 => Err(Error::BotNotListening),
            _ => Ok(()),
        }
    }

    /// Resolves once a meeting has a subscriber. Cancel-safe.
    pub(crate) async fn subscribed(&self, meeting_id: MeetingId) {
        loop {
            let mut news = pin!(self.news.notified());
            // Before the look, so that nobody is missed in between.
            news.as_mut().enable();
            if self.lock().meetings.contains_key(&meeting_id) {
                return;
            }
            news.await;
        }
    }

    fn send(&self, meeting_id: MeetingId, command: &Command<'_>) -> usize {
        self.lock().send(meeting_id, command)
    }

    /// A new subscriber of a meeting; the subscription is in force at once.
    pub fn subscribe(self: &Arc<Self>, meeting_id: MeetingId) -> Subscription {
        let (queue, commands) = mpsc::channel(COMMANDS_MAX);
        let mut hub = self.lock();
        hub.numbers += 1;
        let number = hub.numbers;
        hub.meetings.entry(meeting_id).or_default().insert(number, queue);
        drop(hub);
        self.news.notify_waiters();
        Subscription { hub: Arc::clone(self), meeting_id, number, commands }
    }

    /// How many subscribers there are.
    pub fn count(&self) -> u64 {
        self.lock().meetings.values().map(|subscribers| subscribers.len() as u64).sum()
    }

    // A panic while the lock was held leaves maps that are whole: every step under it is one
    // insertion or removal.
    fn lock(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// Tells this one subscriber to leave: its meeting was stopping before it subscribed.
    pub(crate) fn leave(&self) {
        let meeting_id = self.meeting_id;
        let hub = self.hub.lock();
        let Some(subscribers) = hub.meetings.get(&meeting_id) else { return };
        let Some(queue) = subscribers.get(&self.number) else { return };
        if let Ok(text) = serde_json::to_string(&Command::Leave { meeting_id }) {
            // It is new, and its queue is empty.
            let _ = queue.try_send(text.into());
        }
    }

    /// The next command, as JSON; `None` once a command did not fit into the queue. Cancel-safe.
    pub async fn next(&mut self) -> Option<Arc<str>> {
        self.commands.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut hub = self.hub.lock();
        let Some(subscribers) = hub.meetings.get_mut(&self.meeting_id) else { return };
        subscribers.remove(&self.number);
        if subscribers.is_empty() {
            hub.meetings.remove(&self.meeting_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MeetingId = MeetingId(1);
    const TWO: MeetingId = MeetingId(2);

    #[tokio::test]
    async fn the_subscribers_of_a_meeting_are_told_and_nobody_else() {
        let hub = Arc::new(BotCommands::default());
        assert_eq!(hub.leave(ONE), 0);
        let (mut first, mut second) = (hub.subscribe(ONE), hub.subscribe(ONE));
        let mut other = hub.subscribe(TWO);
        assert_eq!((hub.leave(ONE), hub.count()), (2, 3));
        for subscriber in [&mut first, &mut second] {
            let command = subscriber.next().await.expect("a command");
            assert_eq!(&*command, r#"{"action":"leave","meeting_id":1}"#);
        }
        drop(first);
        let reconfigured = Reconfigured {
            meeting_id: ONE,
            uid: "a-b".to_owned(),
            language: Some("de".to_owned()),
            task: None,
        };
        let change = Change::BotReconfigured(Arc::new(reconfigured));
        hub.on_change(&change);
        let expected =
            r#"{"action":"reconfigure","uid":"a-b","meeting_id":1,"language":"de","task":null}"#;
        assert_eq!(second.next().await.as_deref(), Some(expected));
        drop(second);
        assert_eq!((hub.leave(ONE), hub.count()), (0, 1));
        assert_eq!(hub.leave(TWO), 1);
        assert!(other.next().await.is_some(), "its own meeting's command is the first");
    }

    #[tokio::test]
    async fn a_subscriber_that_would_miss_a_command_is_dropped() {
        let hub = Arc::new(BotCommands::default());
        let (mut slow, mut quick) = (hub.subscribe(ONE), hub.subscribe(ONE));
        for _ in 0..COMMANDS_MAX {
            assert_eq!(hub.leave(ONE), 2);
            quick.next().await.expect("a command");
        }
        assert_eq!((hub.leave(ONE), hub.count()), (1, 1));
        for _ in 0..COMMANDS_MAX {
            slow.next().await.expect("what was queued before");
        }
        assert_eq!(slow.next().await, None);
        drop((slow, quick));
        assert_eq!(hub.count(), 0);
    }

    #[tokio::test]
    async fn what_users_say_leaves_room_for_leave() {
        let hub = Arc::new(BotCommands::default());
        let speech = Speech { text: "hello", provider: None, voice: Some("nova") };
        assert!(matches!(hub.speak(ONE, &speech), Err(Error::BotNotListening)));
        let mut bot = hub.subscribe(ONE);
        hub.speak(ONE, &speech).expect("sent");
        hub.chat(ONE, "a line").expect("sent");
        for expected in [
            r#"{"action":"speak","meeting_id":1,"text":"hello","voice":"nova"}"#,
            r#"{"action":"chat_send","meeting_id":1,"text":"a line"}"#,
        ] {
            assert_eq!(bot.next().await.as_deref(), Some(expected));
        }
        let sent = (0..1000).take_while(|_| hub.chat(ONE, "a line").is_ok()).count();
        assert_eq!(sent, COMMANDS_MAX / 2);
        assert!(matches!(hub.chat(ONE, "a line"), Err(Error::Busy)));
        assert_eq!(hub.leave(ONE), 1, "it was not dropped");
    }

    #[tokio::test]
    async fn who_comes_late_is_waited_for_and_told_to_leave() {
        let hub = Arc::new(BotCommands::default());
        let mut wait = wait_for_one(&hub);
        tokio::task::yield_now().await;
        let _other = hub.subscribe(TWO);
        tokio::task::yield_now().await;
        assert!(!wait.is_finished(), "another meeting's subscriber is not waited for");
        let mut late = hub.subscribe(ONE);
        (&mut wait).await.expect("it comes");
        hub.subscribed(ONE).await;
        late.leave();
        let command = late.next().await;
        assert_eq!(command.as_deref(), Some(r#"{"action":"leave","meeting_id":1}"#));
    }

    fn wait_for_one(hub: &Arc<BotCommands>) -> tokio::task::JoinHandle<()> {
        let hub = Arc::clone(hub);
        tokio::spawn(async move { hub.subscribed(ONE).await })
    }
}
