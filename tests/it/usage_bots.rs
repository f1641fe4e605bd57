//! Bots as they are counted: one that ran once, one that never ran not at all, its time from when
//! it was sent to its end.

use crate::client::Client;
use crate::server::{Setup, open_file};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use vomeet::domain::{
    MeetingId, MeetingStatus, PlainToken, Platform, StatusReport, Time, TokenHash, TokenId,
    TransitionSource, UserId,
};
use vomeet::store::{Advance, MeetingRef, NoteContainer, Options, SendBot, Store, Verb};

/// 2025-10-10T00:00:00Z, in milliseconds.
const MIDNIGHT: i64 = 1_760_054_400_000;

/// A time in minutes after that midnight.
fn at(minutes: f64) -> Time {
    #[expect(clippy::cast_possible_truncation, reason = "minutes of a few days")]
    Time::from_millis(MIDNIGHT + (minutes * 60_000.0).round() as i64)
}

/// A store in whose meetings something happens.
struct House {
    store: Store,
    runtime: tokio::runtime::Runtime,
}

/// What happens to a meeting.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A runner has started the bot.
    Runs,
    /// A report.
    To(MeetingStatus, TransitionSource),
}

impl House {
    fn write<V: Verb>(&self, verb: V) -> V::Answer {
        self.runtime.block_on(self.store.write(verb)).expect("committed")
    }

    /// Sends a bot by token `token` of user `token`, to which then happens what the events say, at
    /// so many minutes.
    fn bot(&self, token: i64, sent: f64, events: &[(f64, Event)]) {
        let secret = PlainToken::generate().expect("randomness");
        let meeting = self.write(SendBot {
            user_id: UserId(token),
            token_id: TokenId(token),
            platform: Platform::GoogleMeet,
            native_meeting_id: secret.reveal().to_owned(),
            url: String::new(),
            uid: secret.reveal().to_owned(),
            token_hash: TokenHash::of(secret.reveal().as_bytes()),
            bot_name: "Bot".to_owned(),
            language: None,
            task: None,
            has_voice: false,
            vocabulary: Vec::new(),
            now: at(sent),
        });
        for (minutes, event) in events {
            self.happens(meeting.id, at(*minutes), *event);
        }
    }

    fn happens(&self, id: MeetingId, now: Time, event: Event) {
        match event {
            Event::Runs => {
                self.write(NoteContainer { meeting_id: id, container_id: "c".to_owned(), now });
            }
            Event::To(to, by) => {
                let report = StatusReport::new(to, by);
                assert!(
                    self.write(Advance {
                        meeting_ref: MeetingRef::Meeting(id),
                        report,
                        container_id: None,
                        now
                    })
                    .is_some()
                );
            }
        }
    }
}

/// Day, bots and minutes of each line of a token.
fn lines(client: &Client, token: i64) -> Value {
    let path = format!("/admin/usage?from=2025-10-10&to=2025-10-12&token_id={token}");
    let body = client.get(path).admin().send().expect(200);
    let line = |line: &Value| json!([line["day"], line["bots"], line["bot_minutes"]]);
    body["usage"].as_array().expect("lines").iter().map(line).collect()
}

type Row<'a> = (&'a str, Vec<(f64, Event)>, Value);

/// Minutes of the day.
const NIGHT: f64 = 1430.0;
const NEXT_DAY: f64 = 1440.0;

/// What befalls a bot, and what is counted of it.
fn rows() -> [Row<'static>; 8] {
    use Event::{Runs, To};
    use MeetingStatus::{Active, Completed, Failed, Joining, Stopping};
    let by_bot = |status| To(status, TransitionSource::Bot);
    let by_server = |status| To(status, TransitionSource::Server);
    [
        (
            "over midnight, with a wait before it was let in, and told to end twice",
            vec![
                (NIGHT, Runs),
                (NIGHT + 1.0, by_bot(Joining)),
                (NIGHT + 5.0, by_bot(Active)),
                (NEXT_DAY + 20.5, by_bot(Completed)),
                (NEXT_DAY + 30.0, by_bot(Completed)),
                (NEXT_DAY + 40.0, by_bot(Failed)),
            ],
            json!([["2025-10-10", 1, 0.0], ["2025-10-11", 0, 30.5]]),
        ),
        (
            "started, and never heard of",
            vec![(NIGHT, Runs), (NIGHT + 3.0, by_server(Failed))],
            json!([["2025-10-10", 1, 3.0]]),
        ),
        (
            "its end is all that it reported",
            vec![(NIGHT + 0.25, by_bot(Failed))],
            json!([["2025-10-10", 1, 0.25]]),
        ),
        (
            "a report came, and its start was never noted",
            vec![(NIGHT, by_bot(Joining)), (NIGHT + 2.0, by_server(Failed))],
            json!([["2025-10-10", 1, 2.0]]),
        ),
        (
            "never started",
            vec![(NEXT_DAY + 1.0, by_server(Failed))],
            json!([["2025-10-10", 0, 0.0]]),
        ),
        (
            "told to leave before it was started",
            vec![
                (NIGHT, To(Stopping, TransitionSource::User)),
                (NIGHT + 1.0, by_server(Completed)),
            ],
            json!([["2025-10-10", 0, 0.0]]),
        ),
        (
            "a clock that was set back",
            vec![(NIGHT, Runs), (NIGHT - 9.0, by_bot(Completed))],
            json!([["2025-10-10", 1, 0.0]]),
        ),
        ("not over", vec![(NIGHT, Runs), (NIGHT, by_bot(Active))], json!([["2025-10-10", 1, 0.0]])),
    ]
}

#[test]
fn bots_and_their_minutes_are_counted() {
    let rows = rows();
    let setup = Setup::new();
    open_file(&setup.database(), |db| (1..=8).for_each(|user| _ = insert_token(db, user, None)));
    let options =
        Options { path: setup.database(), small_readers: 1, long_readers: 1, queue_max: 8 };
    let store = Store::open(&options, |_| {}).expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let house = House { store, runtime };
    for (token, (_, events, _)) in (1..).zip(&rows) {
        house.bot(token, NIGHT, events);
    }
    house.store.close();
    drop(house);
    let server = setup.start();
    for (token, (about, _, expected)) in (1..).zip(&rows) {
        assert_eq!(lines(&server, token), *expected, "{about}");
    }
}

#[test]
fn a_bot_is_counted_for_the_token_that_sent_it() {
    let server = crate::bots::setup().start();
    let first = crate::bots::user(&server, "one@example.com", 2);
    let second = server.new_token(1);
    crate::bots::send(&server, &first, "abc-defg-hij").expect(201);
    crate::bots::send(&server, &second, "abc-defg-hik").expect(201);
    assert_eq!(crate::bots::send(&server, &second, "abc-defg-hil").status, 403, "over the limit");
    let body = server.get("/user/usage?by=token").user(&first.text).send().expect(200);
    let bots: Vec<_> = body["usage"]
        .as_array()
        .expect("lines")
        .iter()
        .map(|line| (&line["token_id"], &line["bots"]))
        .collect();
    assert_eq!(bots, [(&json!(first.id), &json!(1)), (&json!(second.id), &json!(1))]);
    for code in ["abc-defg-hij", "abc-defg-hik"] {
        let session = crate::bots::session(&server, &first, code);
        crate::lifecycle::report(&server, &session, "completed").expect(200);
    }
    let body = server.get("/user/usage?by=user").user(&first.text).send().expect(200);
    assert_eq!(body["usage"][0]["bots"], 2, "{body}");
    let minutes = body["usage"][0]["bot_minutes"].as_f64().expect("minutes");
    assert!((0.0..2.0).contains(&minutes), "{body}");
}
