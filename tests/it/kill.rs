//! kill -9 under eight writers, again and again: what was acknowledged is there, what was revoked
//! stays refused.
//!
//! `VOMEET_KILL_ROUNDS` says how often (5 unless set).

use crate::client::{Client, Token};
use crate::process::Launch;
use serde_json::json;
use std::sync::mpsc::{Sender, channel};
use std::thread;

const WRITERS: usize = 8;
/// Acknowledgements before the first kill of a round; each round takes a few more, so that the
/// kills fall everywhere.
const ACKNOWLEDGED_MIN: usize = 300;

/// What one writer knows when the server dies.
#[derive(Default)]
struct Known {
    users: Vec<(i64, String)>,
    live: Vec<Token>,
    revoked: Vec<Token>,
    /// Changed names, acknowledged: user and name.
    names: Vec<(i64, String)>,
}

/// Writes until the server is gone; each acknowledgement is announced.
fn write(client: Client, name: &str, acknowledged: &Sender<()>) -> Known {
    let mut known = Known::default();
    let mut line = client.line();
    let mut more = |known: &mut Known, n: usize| -> std::io::Result<()> {
        let done =
            || acknowledged.send(()).map_err(|_| std::io::Error::other("nobody counts any more"));
        let email = format!("{name}-{n}@example.com");
        let answer =
            client.post("/admin/users").admin().json(&json!({ "email": email })).over(&mut line)?;
        let user = answer.expect(201)["id"].as_i64().expect("an id");
        known.users.push((user, email));
        done()?;
        for _ in 0..2 {
            let answer =
                client.post(format!("/admin/users/{user}/tokens")).admin().over(&mut line)?;
            known.live.push(crate::client::token_of(&answer.expect(201)));
            done()?;
        }
        let name = format!("name {n}");
        let answer = client
            .patch(format!("/admin/users/{user}"))
            .admin()
            .json(&json!({ "name": name }))
            .over(&mut line)?;
        answer.expect(200);
        known.names.push((user, name));
        done()?;
        // From here on this token may be revoked or not: nobody knows until the 204 is here.
        let token = known.live.swap_remove(n % known.live.len());
        assert_eq!(client.get("/user").user(&token.text).over(&mut line)?.status, 200);
        let answer =
            client.delete(format!("/admin/tokens/{}", token.id)).admin().over(&mut line)?;
        assert_eq!(answer.status, 204, "{}", answer.text());
        known.revoked.push(token);
        done()
    };
    for n in 0.. {
        if more(&mut known, n).is_err() {
            break;
        }
    }
    known
}

fn assert_kept(client: &Client, known: &Known, row: &str) {
    for (id, email) in &known.users {
        let user = client.get(format!("/admin/users/{id}")).admin().send();
        assert_eq!(user.status, 200, "{row}: user {id} was acknowledged and is lost");
        assert_eq!(user.json()["email"], email.as_str(), "{row}: user {id}");
    }
    for (id, name) in &known.names {
        let user = client.get(format!("/admin/users/{id}")).admin().send().expect(200);
        assert_eq!(user["name"], name.as_str(), "{row}: the change of user {id} is lost");
    }
    for token in &known.live {
        assert_eq!(
            client.whoami(&token.text).status,
            200,
            "{row}: token {} was acknowledged and is lost",
            token.id
        );
    }
    for token in &known.revoked {
        assert_eq!(
            client.whoami(&token.text).status,
            403,
            "{row}: token {} was revoked and is accepted",
            token.id
        );
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let rounds = std::env::var("VOMEET_KILL_ROUNDS")
        .map_or(5, |rounds| rounds.parse().expect("a number of rounds"));
    let folder = tempfile::tempdir().expect("a folder");
    let (mut all, mut acknowledgements) = (Vec::new(), 0);
    for round in 0..rounds {
        let server = Launch::serve(folder.path()).any_wrong_keys().start();
        let client = *server;
        let (acknowledged, count) = channel();
        let known: Vec<Known> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|n| {
                    let acknowledged = acknowledged.clone();
                    scope.spawn(move || write(client, &format!("r{round}w{n}"), &acknowledged))
                })
                .collect();
            drop(acknowledged);
            for _ in 0..ACKNOWLEDGED_MIN + round * 7 % 101 {
                count.recv_timeout(crate::client::PATIENCE).expect("an acknowledgement");
            }
            let ended = server.kill();
            assert_eq!(ended.status.code(), None, "it ended by itself: {ended:?}");
            writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
        });
        let server = Launch::serve(folder.path()).any_wrong_keys().start();
        let row = format!("round {round}");
        for known in &known {
            assert_kept(&server, known, &row);
            acknowledgements +=
                known.users.len() + known.live.len() + 2 * known.revoked.len() + known.names.len();
        }
        assert!(known.iter().any(|known| !known.revoked.is_empty()), "{row}: nothing was revoked");
        all.extend(known);
        // Every other time the server that was checked is killed as well, and starts the next round
        // from its log.
        if round % 2 == 0 {
            server.kill();
        } else {
            assert!(server.terminate().status.success(), "{row}");
        }
    }
    let server = Launch::serve(folder.path()).any_wrong_keys().start();
    for known in &all {
        assert_kept(&server, known, "in the end");
    }
    assert!(server.terminate().status.success());
    crate::server::open_file(&folder.path().join("vomeet.db"), |db| {
        let check: String =
            db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(check, "ok");
    });
    println!("{rounds} kills, {acknowledgements} acknowledgements, none lost");
}
