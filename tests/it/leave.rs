//! How bots that listen to the Redis endpoint are stopped: by `leave`, by SIGTERM where that was
//! not enough, and by every road to `stopping`. What users let them say, and write into the chat.

use crate::bots::{WAITING_BOT, bot_environment, newest, send, setup, user};
use crate::client::{Client, Token, wait_for};
use crate::lifecycle::{report, wait_until};
use crate::redis_client::Redis;
use crate::server::{Server, Setup, still_clock};
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::Clock;

/// A bot that stays until SIGTERM, which it notes in its log.
const STAYING_BOT: &str =
    r#"["sh", "-c", "trap 'echo signalled; exit 0' TERM; env; while :; do sleep 0.05; done"]"#;
const CODE: &str = "abc-defg-hij";
const LEAVE: &str =
    r#">["message", "bot_commands:meeting:1", "{"action":"leave","meeting_id":1}"]"#;

/// A bot in a meeting.
struct Sent {
    server: Server,
    token: Token,
    config: Value,
}

impl Sent {
    /// A bot that was sent and says that it is in its meeting.
    fn new(setup: Setup) -> Self {
        let server = setup.start();
        let token = user(&server, "one@example.com", 2);
        send(&server, &token, CODE).expect(201);
        let environment = bot_environment(&server, 1);
        let config: Value = serde_json::from_str(&environment["BOT_CONFIG"]).expect("JSON");
        let sent = Self { server, token, config };
        report(&sent.server, sent.config["connectionId"].as_str().expect("text"), "active")
            .expect(200);
        sent
    }

    /// Its connection to the Redis endpoint, subscribed.
    fn listen(&self) -> Redis {
        let secret = self.config["token"].as_str().expect("a secret");
        let mut redis = Redis::bot(self.server.address, 3, secret);
        let confirmed = redis.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
        assert_eq!(confirmed, ">[\"subscribe\", \"bot_commands:meeting:1\", :1]");
        redis
    }

    fn stop(&self) {
        let path = format!("/bots/google_meet/{CODE}");
        self.server.delete(path).user(&self.token.text).send().expect(202);
    }

    fn is_signalled(&self) -> bool {
        let log = self.server.folder().join("logs/meeting-1.log");
        std::fs::read_to_string(log).expect("a log").contains("signalled\n")
    }

    fn wait_for_signal(&self) {
        wait_for(|| self.is_signalled().then_some(()));
    }

    /// Says its last words as a bot that has left.
    fn exit(&self) {
        let body = json!({ "connection_id": self.config["connectionId"], "status": "completed",
            "completion_reason": "stopped", "exit_code": 0 });
        self.server.post("/bots/internal/callback/status_change").json(&body).send().expect(200);
    }
}

fn staying(clock: &Clock) -> Setup {
    setup().set("VOMEET_BOTS_PROCESS_COMMAND", STAYING_BOT).clock(clock)
}

#[test]
fn a_bot_that_listens_is_told_to_leave_and_has_its_time() {
    let clock = still_clock();
    let sent = Sent::new(staying(&clock));
    let mut redis = sent.listen();
    sent.stop();
    assert_eq!(redis.next().as_deref(), Some(LEAVE));
    clock.advance(Duration::from_secs(29));
    assert_eq!(redis.call(&["PING"]), "+PONG", "it is told once");
    assert!(!sent.is_signalled(), "it has time to leave");
    assert_eq!(newest(&sent.server, &sent.token)["status"], "stopping");
    clock.advance(Duration::from_secs(1));
    sent.wait_for_signal();
    sent.exit();
    let over = wait_until(&sent.server, &sent.token, "completed");
    assert_eq!(over["data"]["completion_reason"], "stopped");
}

#[test]
fn a_bot_that_does_not_listen_is_signalled_at_once() {
    // No time passes.
    let sent = Sent::new(staying(&still_clock()));
    sent.stop();
    sent.wait_for_signal();
    sent.exit();
}

#[test]
fn no_time_to_leave_is_none() {
    let sent = Sent::new(staying(&still_clock()).set("VOMEET_BOTS_LEAVE_SECONDS", "0"));
    let mut redis = sent.listen();
    sent.stop();
    assert_eq!(redis.next().as_deref(), Some(LEAVE));
    sent.wait_for_signal();
    sent.exit();
}

#[test]
fn a_server_that_starts_again_tells_the_bot_once_more() {
    let clock = still_clock();
    let mut sent = Sent::new(staying(&clock));
    let mut redis = sent.listen();
    sent.stop();
    assert_eq!(redis.next().as_deref(), Some(LEAVE));
    sent.server = sent.server.restart();
    assert_eq!(redis.next(), None);
    let mut redis = sent.listen();
    assert_eq!(redis.next().as_deref(), Some(LEAVE), "it may have missed the first one");
    assert_eq!(redis.next().as_deref(), Some(LEAVE), "by its connection and by its meeting");
    clock.advance(Duration::from_secs(29));
    assert_eq!(redis.call(&["PING"]), "+PONG");
    assert!(!sent.is_signalled(), "its time goes on");
    clock.advance(Duration::from_secs(1));
    sent.wait_for_signal();
    sent.exit();
}

#[test]
fn every_road_to_a_stop_begins_with_leave() {
    for road in ["the user", "an administrator", "a disabled user", "the time"] {
        let clock = still_clock();
        let setup = setup().set("VOMEET_BOTS_PROCESS_COMMAND", WAITING_BOT).clock(&clock);
        let sent = Sent::new(setup.set("VOMEET_BOTS_ACTIVE_SECONDS_MAX", "100"));
        let mut redis = sent.listen();
        match road {
            "the user" => sent.stop(),
            "an administrator" => {
                sent.server.post("/admin/meetings/1/stop").admin().send().expect(202);
            }
            "a disabled user" => {
                let body = json!({ "disabled": true, "stop_bots": true });
                let id =
                    sent.server.get("/admin/users").admin().send().expect(200)[0]["id"].clone();
                let path = format!("/admin/users/{id}");
                sent.server.call("PATCH", path).admin().json(&body).send().expect(200);
            }
            _ => clock.advance(Duration::from_secs(100)),
        }
        assert_eq!(redis.next().as_deref(), Some(LEAVE), "by {road}");
        clock.advance(Duration::from_secs(30));
        sent.exit();
    }
}

#[test]
fn a_user_is_not_erased_before_the_bot_has_left() {
    let clock = still_clock();
    let sent = Sent::new(staying(&clock));
    let erase = || sent.server.delete("/admin/users/1").admin().send();
    let mut redis = sent.listen();
    sent.stop();
    assert_eq!(redis.next().as_deref(), Some(LEAVE));
    let refusal = (409, "User has a bot in a meeting; stop it first.".to_owned());
    assert_eq!(erase().refusal(), refusal, "it was told to leave, and is still there");
    clock.advance(Duration::from_secs(30));
    sent.wait_for_signal();
    assert_eq!(erase().refusal(), refusal);
    sent.exit();
    wait_until(&sent.server, &sent.token, "completed");
    assert_eq!(erase().status, 204);
}

#[test]
fn a_bot_speaks_and_writes_for_its_owner() {
    let sent = Sent::new(setup());
    let act = |client: &Client, token: &Token, what: &str, body: Value| {
        client.post(format!("/bots/google_meet/{CODE}/{what}")).user(&token.text).json(&body).send()
    };
    let say = |what: &str, body: Value| act(&sent.server, &sent.token, what, body);
    let deaf = "The bot of this meeting does not listen for commands: it is not connected to the \
                Redis endpoint.";
    for what in ["speak", "chat"] {
        assert_eq!(say(what, json!({ "text": "Hello" })).refusal(), (409, deaf.to_owned()));
    }
    let mut redis = sent.listen();
    let mut heard = || redis.next().expect("a command");
    for (what, body, message, command) in [
        (
            "speak",
            json!({ "text": "Hello" }),
            "Speak command sent",
            r#"{"action":"speak","meeting_id":1,"text":"Hello"}"#,
        ),
        (
            "speak",
            json!({ "text": "Hello\nyou", "voice": "nova", "provider": "openai" }),
            "Speak command sent",
            r#"{"action":"speak","meeting_id":1,"text":"Hello\nyou","provider":"openai","voice":"nova"}"#,
        ),
        (
            "chat",
            json!({ "text": "ünö" }),
            "Chat message sent",
            r#"{"action":"chat_send","meeting_id":1,"text":"ünö"}"#,
        ),
    ] {
        let answer = say(what, body).expect(202);
        assert_eq!(answer, json!({ "message": message, "meeting_id": 1 }));
        let push = format!(">[\"message\", \"bot_commands:meeting:1\", \"{command}\"]");
        assert_eq!(heard(), push);
    }
    for what in ["speak", "chat"] {
        for body in [json!({}), json!({ "text": " \n" }), json!({ "text": "a".repeat(2001) })] {
            let faults = say(what, body.clone()).faults();
            assert_eq!(faults[0].1, "body.text", "{what} {body:.40}");
        }
    }
    let other = user(&sent.server, "two@example.com", 1);
    let missing = "Meeting not found for platform google_meet and ID abc-defg-hij";
    let refused = act(&sent.server, &other, "speak", json!({ "text": "Hello" })).refusal();
    assert_eq!(refused, (404, missing.to_owned()));
    sent.stop();
    let late = "Meeting found but is not active (status: 'stopping'). No bot is in it.";
    assert_eq!(say("chat", json!({ "text": "Hello" })).refusal(), (409, late.to_owned()));
    sent.exit();
}

#[test]
fn who_says_too_much_is_told_to_wait_and_leave_is_heard() {
    let sent = Sent::new(setup());
    let hub = &sent.server.app.bot_commands;
    // It listens and reads nothing.
    let mut slow = hub.subscribe(vomeet::domain::MeetingId(1));
    let chat = || {
        sent.server
            .post(format!("/bots/google_meet/{CODE}/chat"))
            .user(&sent.token.text)
            .json(&json!({ "text": "a line" }))
            .send()
    };
    let said = (0..1000).take_while(|_| chat().status == 202).count();
    assert_eq!(said, 32);
    assert_eq!(chat().refusal(), (503, "The server is busy. Try again in a second.".to_owned()));
    assert_eq!(hub.leave(vomeet::domain::MeetingId(1)), 1, "it still listens");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for _ in 0..said {
        let command = runtime.block_on(slow.next()).expect("a command");
        assert!(command.contains("a line"), "{command}");
    }
    let last = runtime.block_on(slow.next());
    assert_eq!(last.as_deref(), Some(r#"{"action":"leave","meeting_id":1}"#));
}
