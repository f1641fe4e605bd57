//! What a token is not for does not show in any answer: two databases that differ only outside of a
//! token's scope answer it byte for byte the same.

use crate::client::{Answer, Call};
use crate::contract::real_path;
use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use crate::watcher::Watcher;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use vomeet::clock::Clock;
use vomeet::domain::{PlainToken, SegmentId};
use vomeet::routes::TABLE;
use vomeet::store::IndexSegments;

/// Meetings of user 1, by their ids.
const MEETINGS: [(&str, &str); 4] = [
    ("google_meet", "abc-defg-hij"),
    ("google_meet", "out-side-one"),
    ("teams", "1234567890"),
    ("teams", "9876543210"),
];

/// A scope, and which of [`MEETINGS`] are within it.
struct Case {
    scope: Value,
    within: &'static [usize],
}

fn cases() -> [Case; 3] {
    let meeting = |platform: &str, id: &str| json!({"platform": platform, "native_meeting_id": id});
    [
        Case {
            scope: json!({"read_only": false, "platforms": [], "meeting": meeting("google_meet", "abc-defg-hij")}),
            within: &[0],
        },
        Case {
            scope: json!({"read_only": false, "platforms": ["teams"], "meeting": null}),
            within: &[2, 3],
        },
        Case {
            scope: json!({"read_only": true, "platforms": ["teams"], "meeting": meeting("teams", "1234567890")}),
            within: &[2],
        },
    ]
}

fn insert_rows(db: &Connection, case: &Case, token: &PlainToken, other: bool) -> Vec<Session> {
    // A user with a token of another scope, so that the ids of tokens are not the first ones.
    insert_token(db, 1, None);
    insert_token(db, 2, None);
    db.execute(
        "INSERT INTO tokens (user_id, hash, hint, created_at, scope) VALUES (1, ?1, ?2, 0, ?3)",
        params![token.hash().0, token.hint().0, case.scope.to_string()],
    )
    .expect("a token");
    db.execute("UPDATE users SET max_concurrent_bots = 100", []).expect("a limit");
    let mut sessions = Vec::new();
    for (platform, id) in MEETINGS {
        sessions.push(insert_session(db, 1, id));
        let set = "UPDATE meetings SET platform = ?1 WHERE native_meeting_id = ?2";
        db.execute(set, params![platform, id]).expect("a platform");
    }
    if other {
        // More meetings, of this user and of others.
        for (user, id) in [(1, "mor-eout-side"), (1, "abc-defg-hik"), (2, "abc-defg-hij")] {
            insert_session(db, user, id);
        }
    }
    sessions
}

/// A server whose rows are the same within the scope, and others outside of it.
fn start(case: &Case, token: &PlainToken, clock: &Clock, other: bool) -> Server {
    let mut sessions = Vec::new();
    let setup = Setup::new().rows(|db| sessions = insert_rows(db, case, token, other));
    let server = setup.clock(clock).start();
    for round in 0..4 {
        for (at, session) in sessions.iter().enumerate() {
            let is_within = case.within.contains(&at);
            let text = match (is_within, other) {
                (true, _) => format!("globex and initech, part {round}"),
                (false, true) => format!("globex globalises, part {round}"),
                (false, false) => "nothing of interest".to_owned(),
            };
            let speaker = if is_within || other { "Ada" } else { "Ben" };
            let segment = json!({"start": round * 10, "end": round * 10 + 5, "text": text, "speaker": speaker, "language": "en"});
            session.say(&server, &json!([segment]));
        }
        if round == 1 {
            // Half of them are in the word index, the others not yet.
            let ids = (1..=8).map(SegmentId).collect();
            let runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = { runtime }.enable_all().build().expect("a runtime");
            runtime.block_on(server.app.store.write(IndexSegments { ids })).expect("indexed");
        }
    }
    let close = |at: usize| {
        let body = json!({"connection_id": sessions[at].uid, "exit_code": 0});
        server.post("/bots/internal/callback/exited").json(&body).send().expect(200);
    };
    for at in 0..MEETINGS.len() {
        // Of the second meeting within the scope the bot is gone; outside, all or none are.
        let is_within = case.within.contains(&at);
        if (is_within && case.within.first() != Some(&at)) || (!is_within && other) {
            close(at);
        }
    }
    server
}

/// The words that may be searched for, and pages of them.
const SEARCHES: [&str; 9] = [
    "q=globex",
    "q=globex&limit=1",
    "q=globex&limit=1&before=9",
    "q=globex&limit=100",
    "q=glob*&limit=2",
    "q=nothing",
    "q=globex&speaker=ada&limit=1",
    "q=globex&platform=google_meet&limit=1",
    "q=globex&meeting_id=2&limit=1",
];
const LISTS: [&str; 6] =
    ["", "limit=1", "skip=1", "limit=1&skip=1", "status=active", "platform=google_meet&limit=1"];

/// Every way to ask a route that is told apart by what is outside: by names and ids of meetings
/// that are within, outside, or nowhere.
fn requests(server: &Server) -> Vec<(String, Call)> {
    let mut requests = Vec::new();
    let mut add = |method: &str, path: String, body: Option<&Value>| {
        let call = server.call(method, path.clone());
        let call = match body {
            Some(body) => call.json(body),
            None => call,
        };
        requests.push((format!("{method} {path}"), call));
    };
    let names = MEETINGS.into_iter().chain([("google_meet", "now-here-atal"), ("zoom", "1")]);
    let names: Vec<_> = names.collect();
    for route in TABLE.iter().filter(|route| route.permission.is_some()) {
        let method = route.method.as_str();
        match (method, route.path) {
            ("GET", "/transcripts/search") => {
                for query in SEARCHES {
                    add(method, format!("{}?{query}", route.path), None);
                }
            }
            ("GET", "/meetings") => {
                for query in LISTS {
                    add(method, format!("{}?{query}", route.path), None);
                }
            }
            ("POST", "/bots") => {
                for (platform, id) in &names {
                    let body = json!({"platform": platform, "native_meeting_id": id});
                    add(method, route.path.to_owned(), Some(&body));
                }
            }
            // Over the socket, and last of all.
            (_, "/ws" | "/user/tokens/rotate") => {}
            (_, path) if path.contains("{platform}") => {
                for (platform, id) in &names {
                    let path = path.replace("{platform}", platform);
                    let path = path.replace("{native_meeting_id}", id);
                    for query in
                        ["", "?meeting_id=1", "?meeting_id=2", "?meeting_id=3", "?meeting_id=99"]
                    {
                        let body = json!({"data": {"name": "x"}, "language": "en"});
                        let body = (method == "PATCH" || method == "PUT").then_some(&body);
                        add(method, format!("{path}{query}"), body);
                    }
                }
            }
            _ => add(method, real_path(route), None),
        }
    }
    requests
}

/// Status, headers and body, without what names the request and its time, and without a link, which
/// is random.
fn shown(answer: &Answer) -> String {
    let body = answer.text().split("\"url\"").next().unwrap_or_default();
    let headers: BTreeSet<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| name != "x-request-id" && name != "date")
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("{} {headers:?}\n{body}", answer.status)
}

#[test]
fn what_is_outside_of_a_scope_shows_in_no_answer() {
    let clock = still_clock();
    for case in cases() {
        let token = PlainToken::generate().expect("randomness");
        let servers = [false, true].map(|other| start(&case, &token, &clock, other));
        let [one, two] = servers.each_ref().map(requests);
        let mut found = 0;
        for ((row, one), (_, two)) in one.into_iter().zip(two) {
            let answers = [one, two].map(|call| shown(&call.user(token.reveal()).send()));
            assert_eq!(answers[0], answers[1], "{row} by {}", case.scope);
            found += usize::from(answers[0].contains("initech"));
        }
        assert!(found > 5, "only {found} answers show words that are within {}", case.scope);
        let told = servers.each_ref().map(|server| {
            let mut watcher = Watcher::open(server, token.reveal());
            let ask = |name| watcher.ask("subscribe", &[name]).to_string();
            MEETINGS.into_iter().chain([("teams", "0000000000")]).map(ask).collect::<Vec<_>>()
        });
        assert_eq!(told[0], told[1], "over the socket by {}", case.scope);
        let rotated = servers.each_ref().map(|server| {
            let call = server.post("/user/tokens/rotate").user(token.reveal());
            let mut answer = call.send().expect(201);
            answer.as_object_mut().expect("a token").remove("token");
            answer
        });
        assert_eq!(rotated[0], rotated[1]);
    }
}
