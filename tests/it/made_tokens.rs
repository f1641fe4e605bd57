//! Tokens that holders have made: what still counts of them, what brings them back, and who deletes
//! them.

use crate::client::{Token, token_of};
use crate::own_tokens::{code, create, is_accepted, made, make, narrow, rotate_own, start};
use crate::server::{Server, still_clock};
use crate::watcher::{Received, Watcher};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: i64 = 86_400;

/// What happens to a token, and to the one that it has made.
type Way = dyn Fn(&Server, &Token, &Token);

fn delete(server: &Server, id: i64, by: &Token) -> u16 {
    server.delete(format!("/user/tokens/{id}")).user(&by.text).send().status
}

fn rotate(server: &Server, token: &Token, body: &Value) -> Token {
    let path = format!("/admin/tokens/{}/rotate", token.id);
    token_of(&server.post(path).admin().json(body).send().expect(201))
}

fn expires_at(server: &Server, token: &Token) -> Value {
    server.whoami(&token.text).expect(200)["token"]["expires_at"].clone()
}

#[test]
fn what_was_deleted_or_rotated_still_counts() {
    let after_deletion = |server: &Server, whole: &Token, child: &Token| {
        assert_eq!(delete(server, child.id, whole), 204);
    };
    let after_rotation = |server: &Server, _: &Token, child: &Token| {
        rotate_own(server, child).expect(201);
    };
    let after_both = |server: &Server, whole: &Token, child: &Token| {
        let rotated = token_of(&rotate_own(server, child).expect(201));
        assert_eq!(delete(server, rotated.id, whole), 204);
    };
    let ways: [&Way; 3] = [&after_deletion, &after_rotation, &after_both];
    for (way, what_happens) in ways.iter().enumerate() {
        let clock = still_clock();
        let server = start(&clock);
        let (whole, other) = (create(&server, 1, &json!({})), create(&server, 1, &json!({})));
        for _ in 0..5 {
            let child = made(&server, &whole, &json!({}));
            what_happens(&server, &whole, &child);
            clock.advance(Duration::from_mins(1));
        }
        for token in [&whole, &other] {
            let refused = make(&server, token, &json!({}));
            let seen = (refused.status, refused.header("retry-after"));
            assert_eq!(seen, (429, Some("3300")), "way {way}");
        }
        // Of another user nothing is counted.
        made(&server, &create(&server, 2, &json!({})), &json!({}));
        clock.advance(Duration::from_mins(55));
        made(&server, &whole, &json!({}));
    }
}

#[test]
fn those_that_are_over_leave_room_for_others() {
    let clock = still_clock();
    let server = start(&clock);
    let whole = create(&server, 1, &json!({}));
    for limits in ["expires_in", "disuse_seconds"] {
        for number in 0..51 {
            if number % 5 == 0 {
                clock.advance(Duration::from_hours(1));
            }
            made(&server, &whole, &json!({ limits: 60 }));
        }
    }
}

#[test]
fn enabling_a_maker_leaves_disabled_what_was_disabled_by_itself() {
    let clock = still_clock();
    let server = start(&clock);
    let maker = create(&server, 1, &json!({}));
    let (leaked, other) = (made(&server, &maker, &json!({})), made(&server, &maker, &json!({})));
    let disable = |token: &Token, disabled: bool| {
        clock.advance(Duration::from_secs(1));
        narrow(&server, token.id, &json!({ "disabled": disabled }))
    };
    let accepted = || [&maker, &leaked, &other].map(|token| is_accepted(&server, token));
    disable(&leaked, true).expect(200);
    // A form may send it, although the maker was never disabled.
    disable(&maker, false).expect(200);
    assert_eq!(accepted(), [true, false, true]);
    disable(&maker, true).expect(200);
    assert_eq!(accepted(), [false, false, false]);
    for token in [&leaked, &other] {
        let refused = disable(token, false);
        let reason = "The token that made this one is disabled; enable that one first.";
        assert_eq!(refused.refusal(), (409, reason.to_owned()));
    }
    let enabled = disable(&maker, false);
    assert_eq!((enabled.status, enabled.header("x-tokens-affected")), (200, Some("2")));
    assert_eq!(accepted(), [true, false, true]);
    disable(&leaked, false).expect(200);
    assert_eq!(accepted(), [true, true, true]);
}

#[test]
fn a_holders_rotation_leaves_what_the_token_has_made_and_the_list_says_which_that_is() {
    let server = start(&still_clock());
    let maker = create(&server, 1, &json!({}));
    let child = made(&server, &maker, &json!({}));
    let rotated = token_of(&rotate_own(&server, &maker).expect(201));
    assert!(!is_accepted(&server, &maker) && is_accepted(&server, &child));
    let list = server.get("/user/tokens").user(&rotated.text).send().expect(200);
    let rows = list.as_array().expect("a list").iter();
    let ids: Vec<&Value> = rows
        .filter(|token| token["scope"]["made_by"] == maker.id)
        .map(|token| &token["id"])
        .collect();
    assert_eq!(ids, [&json!(child.id)]);
    assert_eq!(delete(&server, child.id, &rotated), 204);
    assert!(!is_accepted(&server, &child));
}

#[test]
fn an_administrators_rotation_of_a_made_token_gives_it_no_more_time_than_its_maker() {
    let clock = still_clock();
    let server = start(&clock);
    let maker = create(&server, 1, &json!({ "expires_in": 30 * DAY }));
    let end = json!(clock.now().plus_seconds(30 * DAY).to_string());
    let child = made(&server, &maker, &json!({}));
    token_of(&rotate_own(&server, &maker).expect(201));
    clock.advance(Duration::from_hours(29 * 24));
    let child = rotate(&server, &child, &json!({}));
    assert_eq!(expires_at(&server, &child), end);
    let soon = json!(clock.now().plus_seconds(60).to_string());
    let child = rotate(&server, &child, &json!({ "expires_in": 60 }));
    assert_eq!(expires_at(&server, &child), soon);
    // An administrator may say more.
    let later = json!(clock.now().plus_seconds(2 * DAY).to_string());
    let child = rotate(&server, &child, &json!({ "expires_in": 2 * DAY }));
    assert_eq!(expires_at(&server, &child), later);
}

#[test]
fn a_token_deletes_its_chain_and_what_that_has_made_and_no_other() {
    let server = start(&still_clock());
    let maker = create(&server, 1, &json!({}));
    let other = create(&server, 1, &json!({}));
    let (child, sibling) = (made(&server, &maker, &json!({})), made(&server, &maker, &json!({})));
    let grandchild = made(&server, &child, &json!({}));
    for (token, by) in [
        (&maker, &child),
        (&maker, &grandchild),
        (&sibling, &child),
        (&maker, &other),
        (&child, &other),
        (&other, &maker),
    ] {
        let answer = server.delete(format!("/user/tokens/{}", token.id)).user(&by.text).send();
        let seen = (answer.status, code(&answer));
        assert_eq!(seen, (403, "not_allowed".to_owned()), "{} by {}", token.id, by.id);
    }
    let all = [&maker, &other, &child, &sibling, &grandchild];
    assert!(all.iter().all(|token| is_accepted(&server, token)));
    assert_eq!(delete(&server, grandchild.id, &child), 204);
    assert_eq!(delete(&server, sibling.id, &sibling), 204, "the one in use");
    assert_eq!(delete(&server, child.id, &maker), 204);
    let graced = server.post("/user/tokens/rotate").user(&maker.text);
    let rotated = token_of(&graced.json(&json!({ "grace_seconds": 60 })).send().expect(201));
    assert_eq!(delete(&server, maker.id, &rotated), 204, "of the same chain");
    assert_eq!(all.map(|token| is_accepted(&server, token)), [false, true, false, false, false]);
}

#[test]
fn narrowing_by_what_narrows_nothing_closes_no_socket() {
    let server = start(&still_clock());
    let token = create(&server, 1, &json!({ "platforms": ["teams"] }));
    let mut watcher = Watcher::open(&server, &token.text);
    watcher.expect_nothing();
    let same = json!({ "read_only": false, "platforms": ["teams"] });
    narrow(&server, token.id, &same).expect(200);
    watcher.expect_nothing();
    narrow(&server, token.id, &json!({ "read_only": true })).expect(200);
    assert_eq!(watcher.receive(), Received::Closed(1013));
}
