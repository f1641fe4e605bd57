//! Many callers at once: nothing is made twice, and nothing that was taken back is accepted again.

use crate::client::{Client, Token};
use crate::server::Server;
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

#[test]
fn of_a_hundred_creations_of_one_address_one_makes_it() {
    let server = Server::start();
    for round in 0..3 {
        let barrier = Barrier::new(100);
        let client = *server;
        let answers: Vec<(u16, i64)> = thread::scope(|scope| {
            let create = |n: usize| {
                let barrier = &barrier;
                let email = format!("Race{round}@example.com");
                let email = if n.is_multiple_of(2) { email } else { email.to_uppercase() };
                scope.spawn(move || {
                    let mut line = client.line();
                    let call = client
                        .post("/admin/users")
                        .admin()
                        .json(&json!({ "email": email, "name": n.to_string() }));
                    barrier.wait();
                    let answer = call.over(&mut line).expect("an answer");
                    (answer.status, answer.json()["id"].as_i64().expect("an id"))
                })
            };
            let threads: Vec<_> = (0..100).map(create).collect();
            threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
        });
        let count = |status: u16| answers.iter().filter(|answer| answer.0 == status).count();
        assert_eq!((count(201), count(200)), (1, 99), "round {round}");
        assert!(answers.iter().all(|answer| answer.1 == answers[0].1), "two ids in round {round}");
        assert_eq!(server.counts(), (round + 1, 0), "rows after round {round}");
    }
}

#[test]
fn different_addresses_at_once_are_all_made_with_ids_of_their_own() {
    let server = Server::start();
    let client = *server;
    let ids = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for thread in 0..16 {
            let ids = &ids;
            scope.spawn(move || {
                let mine: Vec<i64> = (0..10)
                    .map(|n| client.new_user(&format!("u{thread}-{n}@example.com")))
                    .collect();
                assert!(mine.is_sorted(), "ids of one caller, one after the other");
                ids.lock().expect("ids").extend(mine);
            });
        }
    });
    let mut ids = ids.into_inner().expect("ids");
    ids.sort_unstable();
    assert_eq!(ids, (1..=160).collect::<Vec<_>>());
}

/// Uses tokens from other threads as long as the makers run, and notes each acceptance that began
/// after the revocation.
struct Watch {
    /// Tokens, and whether their 204 has come.
    tokens: Mutex<HashMap<String, &'static AtomicBool>>,
    over: AtomicBool,
    accepted: AtomicUsize,
    refused: AtomicUsize,
}

impl Watch {
    fn any(&self, turn: usize) -> Option<(String, &'static AtomicBool)> {
        let tokens = self.tokens.lock().expect("tokens");
        let at = turn % tokens.len().max(1);
        tokens.iter().nth(at).map(|(text, revoked)| (text.clone(), *revoked))
    }

    fn use_tokens(&self, client: Client) {
        let mut line = client.line();
        let mut turn = 0;
        while !self.over.load(Ordering::Acquire) {
            turn += 1;
            let Some((text, revoked)) = self.any(turn) else { continue };
            let was_revoked = revoked.load(Ordering::Acquire);
            let path = if turn % 2 == 0 { "/user" } else { "/meetings" };
            let status = client.get(path).user(&text).over(&mut line).expect("an answer").status;
            assert!(status == 200 || status == 403, "{status}");
            assert!(
                !(was_revoked && status == 200),
                "accepted after its revocation was acknowledged"
            );
            let counter = if status == 200 { &self.accepted } else { &self.refused };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn make_and_revoke(&self, client: Client, user: i64, last: &(impl Fn(&Token) + Sync)) {
        for _ in 0..25 {
            let token = client.new_token(user);
            let revoked: &'static AtomicBool = Box::leak(Box::default());
            self.tokens.lock().expect("tokens").insert(token.text.clone(), revoked);
            assert_eq!(client.whoami(&token.text).status, 200, "refused before its revocation");
            last(&token);
            revoked.store(true, Ordering::Release);
            assert_eq!(client.whoami(&token.text).status, 403, "accepted after its revocation");
            // It stays a while among those that are tried.
            let mut tokens = self.tokens.lock().expect("tokens");
            if tokens.len() > 40 {
                let gone = tokens
                    .iter()
                    .find(|(_, revoked)| revoked.load(Ordering::Acquire))
                    .map(|(text, _)| text.clone());
                gone.and_then(|text| tokens.remove(&text));
            }
        }
    }
}

/// Eight threads make tokens and take them back by `take_back`, while four others use them.
fn race(take_back: impl Fn(Client, i64, &Token) + Sync) {
    let server = Server::start();
    let client = *server;
    let watch = Watch {
        tokens: Mutex::default(),
        over: AtomicBool::new(false),
        accepted: AtomicUsize::new(0),
        refused: AtomicUsize::new(0),
    };
    thread::scope(|scope| {
        let users: Vec<_> = (0..4).map(|_| scope.spawn(|| watch.use_tokens(client))).collect();
        thread::scope(|makers| {
            for n in 0..8 {
                let (watch, take_back) = (&watch, &take_back);
                makers.spawn(move || {
                    let user = client.new_user(&format!("maker{n}@example.com"));
                    watch.make_and_revoke(client, user, &|token| take_back(client, user, token));
                });
            }
        });
        watch.over.store(true, Ordering::Release);
        for user in users {
            user.join().expect("no acceptance after a revocation");
        }
    });
    let (accepted, refused) = (watch.accepted.into_inner(), watch.refused.into_inner());
    assert!(
        accepted > 0 && refused > 0,
        "{accepted} accepted and {refused} refused: nothing was raced"
    );
}

#[test]
fn a_revoked_token_is_never_accepted_after_its_204() {
    race(|client, _, token| assert_eq!(client.revoke(token).status, 204));
}

#[test]
fn a_change_of_the_user_beside_does_not_bring_a_revoked_token_back() {
    race(|client, user, token| {
        let rename = client
            .patch(format!("/admin/users/{user}"))
            .admin()
            .json(&json!({"name": token.text[..4]}));
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(rename.send().status, 200));
            assert_eq!(client.revoke(token).status, 204);
        });
    });
}

#[test]
fn a_deleted_users_tokens_are_refused_at_once() {
    let server = Server::start();
    let client = *server;
    thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for n in 0..10 {
                    let user = client.new_user(&format!("gone{thread}-{n}@example.com"));
                    let tokens = [client.new_token(user), client.new_token(user)];
                    assert_eq!(client.whoami(&tokens[0].text).status, 200);
                    assert_eq!(
                        client.delete(format!("/admin/users/{user}")).admin().send().status,
                        204
                    );
                    for token in &tokens {
                        assert_eq!(
                            client.whoami(&token.text).status,
                            403,
                            "a deleted user's token"
                        );
                    }
                }
            });
        }
    });
    assert_eq!(server.counts(), (0, 0));
}

#[test]
fn a_change_of_a_user_is_seen_by_the_very_next_request() {
    let server = Server::start();
    let client = *server;
    thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                let user = client.new_user(&format!("seen{thread}@example.com"));
                let token = client.new_token(user).text;
                for n in 0..25 {
                    let path = format!("/admin/users/{user}");
                    let name = format!("name {n}");
                    client
                        .patch(&path)
                        .admin()
                        .json(&json!({"name": name, "max_concurrent_bots": n}))
                        .send()
                        .expect(200);
                    let me = client.whoami(&token).expect(200);
                    assert_eq!(
                        (&me["name"], &me["max_concurrent_bots"]),
                        (&json!(name), &json!(n))
                    );
                    assert_eq!(client.get(&path).admin().send().expect(200)["name"], name.as_str());
                }
            });
        }
    });
}

#[test]
fn writes_at_once_share_their_commits() {
    let server = Server::start();
    let client = *server;
    thread::scope(|scope| {
        for thread in 0..32 {
            scope.spawn(move || {
                for n in 0..10 {
                    client.new_user(&format!("c{thread}-{n}@example.com"));
                }
            });
        }
    });
    let metrics = server.get("/metrics").send();
    let count = |name: &str| {
        let line = metrics.text().lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.trim().parse::<u64>().ok()).expect(name)
    };
    let (writes, commits) =
        (count("vomeet_store_writes_total "), count("vomeet_store_commits_total "));
    assert!(writes >= 320 && commits < writes, "{writes} writes in {commits} commits");
}
