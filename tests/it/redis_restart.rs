//! kill -9 of the server among bots that are subscribed and feeders that write: what was answered
//! is there, and who connects again is heard and hears.

use crate::client::{Client, PATIENCE, wait_for};
use crate::process::Launch;
use crate::redis_client::{Redis, is_id};
use crate::segments::{Session, insert_session};
use crate::server::open_file;
use crate::tokens::insert_token;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::mpsc::{Sender, channel};
use std::thread;

const FEEDERS: usize = 4;
/// Answers before the kill of each round.
const ANSWERS: usize = 100;

/// Writes until the server is gone; the ids of the segments that were answered.
fn feed(client: Client, session: &Session, name: &str, answered: &Sender<()>) -> Vec<String> {
    let mut redis = Redis::connect(client.address);
    let mut stored = Vec::new();
    for n in 0.. {
        let id = format!("{name}-{n}");
        let segment = json!({"segment_id": id, "start": n, "end": n + 1, "text": "a word"});
        let payload = json!({
            "type": "transcription", "token": session.token, "uid": name, "segments": [segment]
        });
        let text = payload.to_string();
        redis.send_if_open(&["XADD", "transcription_segments", "*", "payload", &text]);
        match redis.next() {
            Some(reply) => assert!(is_id(&reply), "{reply}"),
            None => break,
        }
        stored.push(id);
        if answered.send(()).is_err() {
            break;
        }
    }
    stored
}

#[test]
fn nothing_answered_is_lost_when_the_server_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut made = None;
    open_file(&folder.path().join("vomeet.db"), |db| {
        made = Some((insert_token(db, 1, None), insert_session(db, 1, "abc-defg-hij")));
    });
    let (key, session) = made.expect("rows");
    let launch = || Launch::serve(folder.path()).env("VOMEET_BOTS_ACTIVE_SECONDS_MAX", "315360000");
    let mut stored = BTreeSet::new();
    for round in 0..3 {
        let server = launch().start();
        let client = *server;
        let mut bot = Redis::bot(client.address, 3, &session.token);
        bot.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
        let (answered, count) = channel();
        thread::scope(|scope| {
            let feeders: Vec<_> = (0..FEEDERS)
                .map(|n| {
                    let (answered, session) = (answered.clone(), &session);
                    scope.spawn(move || feed(client, session, &format!("r{round}f{n}"), &answered))
                })
                .collect();
            drop(answered);
            for _ in 0..ANSWERS {
                count.recv_timeout(PATIENCE).expect("an answer");
            }
            server.kill();
            for feeder in feeders {
                stored.extend(feeder.join().expect("a feeder"));
            }
        });
        assert_eq!(bot.next(), None, "the end of the server is seen at once");
    }
    let server = launch().start();
    let path = "/transcripts/google_meet/abc-defg-hij";
    let body = server.get(path).user(&key).send().expect(200);
    let shown: BTreeSet<String> = body["segments"]
        .as_array()
        .expect("segments")
        .iter()
        .map(|segment| segment["segment_id"].as_str().expect("an id").to_owned())
        .collect();
    let lost: Vec<_> = stored.difference(&shown).collect();
    assert!(
        lost.is_empty() && stored.len() >= 3 * ANSWERS,
        "{} stored, lost {lost:?}",
        stored.len()
    );
    // Whoever connects again hears what is told after that.
    let mut bot = Redis::bot(server.address, 2, &session.token);
    bot.call(&["SUBSCRIBE", "bot_commands:meeting:1"]);
    let path = "/bots/google_meet/abc-defg-hij/config";
    server.call("PUT", path).user(&key).json(&json!({"language": "fr"})).send().expect(202);
    assert!(bot.next().is_some_and(|push| push.contains("reconfigure")));
    drop(bot);
    let subscribers = || {
        let text = server.get("/metrics").send().text().to_owned();
        text.lines().any(|line| line == "vomeet_redis_subscribers 0").then_some(())
    };
    wait_for(subscribers);
    assert!(server.terminate().status.success());
}
