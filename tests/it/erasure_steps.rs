//! A user's deletion: decided in one step, in which nothing can be half done, and carried out in
//! several, by the next server too.

use crate::client::{Client, wait_for};
use crate::process::Launch;
use crate::segments::insert_session;
use crate::server::{Server, Setup, once_free};
use crate::tokens::insert_token;
use crate::transcripts::insert_segments;
use crate::webhook_list::insert_quiet_webhook;
use rusqlite::Connection;
use serde_json::json;
use std::path::Path;
use vomeet::clock::Clock;
use vomeet::domain::{
    Actor, Data, Email, Hint, MeetingId, MeetingStatus, Patch, Platform, StatusReport, Time,
    TokenHash, TokenId, TokenTerms, TransitionSource, UserId, WebhookSecret,
};
use vomeet::error::{Error, Result};
use vomeet::store::{
    Advance, BeginErasure, CreateToken, CreateUser, CreateWebhook, MeetingRef, NoteExport, Options,
    SendBot, SetWebhook, Store, UpdateUser,
};

/// Segments that take many steps to delete.
const SEGMENTS: i64 = 3000;

/// User 1 with a meeting that is over, user 2 with a bot in one.
fn rows(db: &Connection) {
    for user in [1, 2] {
        insert_token(db, user, None);
        insert_session(db, user, "abc-defg-hij");
        insert_quiet_webhook(db, user);
    }
    insert_segments(db, 1, SEGMENTS, "word");
    db.execute("UPDATE meetings SET status = 'completed' WHERE id = 1", []).expect("an end");
    db.execute("UPDATE meetings SET status = 'active' WHERE id = 2", []).expect("a bot");
}

fn open(database: &Path) -> Store {
    let options =
        Options { path: database.to_owned(), small_readers: 1, long_readers: 1, queue_max: 64 };
    once_free(|| Store::open(&options, |_| {})).expect("a store")
}

/// Rows of a table that have the user's id, or all.
fn count(database: &Path, sql: &str) -> i64 {
    let db = Connection::open(database).expect("a database");
    db.query_row(sql, [], |row| row.get(0)).expect("a count")
}

fn actor() -> Actor {
    Actor { name: "key:alice".to_owned(), address: None, at: Clock::system().now(), salt: [7; 16] }
}

fn assert_not_found<T: std::fmt::Debug>(written: &Result<T>) {
    assert!(matches!(written, Err(Error::UserNotFound)), "{written:?}");
}

/// An administrator finds no meeting of user 1 to stop, so that the response is 404, and one of
/// user 2.
async fn assert_nothing_to_stop(store: &Store, now: Time) {
    for (meeting, is_found) in [(MeetingId(1), false), (MeetingId(2), true)] {
        let stop = Advance {
            meeting_ref: MeetingRef::Meeting(meeting),
            report: StatusReport::new(MeetingStatus::Stopping, TransitionSource::User),
            container_id: None,
            now,
        };
        let stopped = store.write_by(actor(), stop).await.expect("an answer");
        assert_eq!(stopped.is_some(), is_found, "{meeting:?}: {stopped:?}");
    }
}

/// Once it is decided nothing can be done for the user any more, although all they said is there.
#[test]
fn a_user_who_is_being_erased_is_refused_everywhere() {
    let setup = Setup::new().rows(rows);
    let (now, id) = (Clock::system().now(), UserId(1));
    let store = open(&setup.database());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let bot_in_meeting = store.write_by(actor(), BeginErasure { id: UserId(2), now }).await;
        assert!(matches!(bot_in_meeting, Err(Error::BotInMeeting)), "{bot_in_meeting:?}");
        store.write_by(actor(), BeginErasure { id, now }).await.expect("a decision");
        let again = store.write_by(actor(), BeginErasure { id, now }).await;
        assert_not_found(&again);
        assert_not_found(&store.write(a_bot(id, now)).await);
        let (hash, hint) = (TokenHash([9; 32]), Hint("AbCd".to_owned()));
        let token = CreateToken { user_id: id, hash, hint, terms: TokenTerms::default(), now };
        assert_not_found(&store.write(token).await);
        let enable = UpdateUser {
            id,
            email: None,
            name: Patch::Keep,
            image_url: Patch::Keep,
            max_concurrent_bots: Some(9),
            data: None,
            disabled: Some(false),
            now,
        };
        assert_not_found(&store.write(enable).await);
        let hook = SetWebhook { user_id: id, url: Patch::Clear, secret: Patch::Keep };
        assert_not_found(&store.write(hook).await);
        assert_not_found(&store.write(new_webhook(id, now)).await);
        assert_not_found(&store.write(NoteExport { id }).await);
        assert_nothing_to_stop(&store, now).await;
        // The address is free.
        let email = Email::stored("u1@example.com".to_owned());
        let same = CreateUser {
            email,
            name: None,
            image_url: None,
            max_concurrent_bots: 1,
            data: Data::default(),
            now,
        };
        let (user, is_new) = store.write(same).await.expect("a user");
        assert!(is_new && user.id == UserId(3), "{user:?}");
        assert_eq!(store.count().await.expect("counts"), (2, 1));
    });
    store.close();
    drop(store);
    let segments = "SELECT count(*) FROM segments";
    assert_eq!(count(&setup.database(), segments), SEGMENTS);
    let webhooks = "SELECT count(*) FROM webhooks WHERE user_id = 1";
    assert_eq!(count(&setup.database(), webhooks), 0, "its secret is still there");
    let decided = "SELECT count(*) FROM audit WHERE action = 'user.delete' AND user_id = 1";
    assert_eq!(count(&setup.database(), decided), 1, "the decision is not recorded");
    finishes(setup.start());
}

fn a_bot(user_id: UserId, now: Time) -> SendBot {
    SendBot {
        user_id,
        token_id: TokenId(1),
        platform: Platform::Teams,
        native_meeting_id: "1234567890".to_owned(),
        url: "https://example.com".to_owned(),
        uid: "a session".to_owned(),
        token_hash: TokenHash([8; 32]),
        bot_name: "Bot".to_owned(),
        language: None,
        task: None,
        has_voice: false,
        vocabulary: Vec::new(),
        now,
    }
}

fn new_webhook(user_id: UserId, now: Time) -> CreateWebhook {
    let secret = WebhookSecret::stored("a-secret-of-a-webhook".to_owned());
    let (url, events) = ("https://example.com".to_owned(), Vec::new());
    CreateWebhook { user_id, url, events, secret, now }
}

/// A server finds what was decided and not finished, and finishes it.
fn finishes(server: Server) {
    assert_eq!(server.get("/admin/users/1").admin().send().status, 404);
    let list = server.get("/admin/users").admin().send().expect(200);
    let ids: Vec<&serde_json::Value> =
        list.as_array().expect("a list").iter().map(|user| &user["id"]).collect();
    assert_eq!(ids, [&json!(2), &json!(3)]);
    wait_for(|| server.app.store.users_being_erased().expect("a list").is_empty().then_some(()));
    wait_for(|| (erasures_waiting(&server) == 0).then_some(()));
    let setup = server.stop();
    for left in [
        "SELECT count(*) FROM users WHERE id = 1",
        "SELECT count(*) FROM segments",
        "SELECT count(*) FROM meetings WHERE user_id = 1",
        "SELECT count(*) FROM audit_details d JOIN audit a ON a.id = d.audit_id WHERE a.user_id = 1",
    ] {
        assert_eq!(count(&setup.database(), left), 0, "{left}");
    }
}

fn erasures_waiting(client: &Client) -> u64 {
    let metrics = client.get("/metrics").send();
    let line = metrics.text().lines().find(|line| line.starts_with("vomeet_erasures_waiting "));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.expect("a gauge")
}

/// From the decision on nothing of the user is in an administrator's list, although all is there.
#[test]
fn what_is_theirs_is_in_no_list_once_it_is_decided() {
    let setup = Setup::new().rows(|db| {
        rows(db);
        let meetings = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
            INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
            SELECT ?1, 'teams', 1000000000 + i, 'completed', '{}', 0, 0 FROM n";
        db.execute(meetings, [2, 1100]).expect("meetings of user 2");
        db.execute(meetings, [1, 5]).expect("meetings of user 1");
        let usage = "INSERT INTO usage (user_id, day, token_id, requests) VALUES (1, 20000, 1, 7), (2, 20000, 2, 7)";
        db.execute(usage, []).expect("usage");
    });
    let server = setup.start();
    let rename = json!({"name": "Ada Lovelace"});
    server.patch("/admin/users/1").admin().json(&rename).send().expect(200);
    let get = |path: &str| server.get(path).admin().send().expect(200);
    let users_of = |list: &serde_json::Value| {
        let users = list.as_array().expect("a list").iter();
        users.map(|row| row["user_id"].as_i64().expect("a user")).collect::<Vec<_>>()
    };
    let usage = "/admin/usage?from=2024-10-04&to=2024-10-04";
    // The counts of blocks are known by then.
    assert_eq!(get("/admin/stats/meetings-users?skip=1105")["total"], 1107);
    assert_eq!(users_of(&get(usage)["usage"]), [1, 2]);
    let begin = BeginErasure { id: UserId(1), now: Clock::system().now() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(server.app.store.write_by(actor(), begin)).expect("a decision");
    assert_eq!(erasures_waiting(&server), 1);
    for skip in [0, 1100] {
        let page = get(&format!("/admin/stats/meetings-users?limit=10&skip={skip}"));
        assert_eq!(page["total"], 1101, "{skip}");
        let number = if skip == 0 { 10 } else { 1 };
        assert_eq!(users_of(&page["items"]), vec![2; number], "{skip}");
        let list = get(&format!("/admin/analytics/meetings?limit=10&skip={skip}"));
        assert_eq!(users_of(&list), vec![2; number], "{skip}");
    }
    assert_eq!(get("/admin/analytics/meetings?user_id=1"), json!([]));
    let telematics = server.get("/admin/analytics/meetings/1/telematics").admin().send();
    assert_eq!(telematics.status, 404);
    assert_eq!(users_of(&get(usage)["usage"]), [2]);
    let audit = get("/admin/audit?user_id=1");
    assert_eq!(audit["entries"].as_array().map(Vec::len), Some(2), "{audit}");
    assert!(!audit.to_string().contains("Lovelace"), "{audit}");
    assert_eq!(get("/admin/audit/verify")["intact"], true);
}

/// A bot that is sent while words are being removed finds the user gone: no words are removed of a
/// user who stays.
#[test]
fn a_deletion_that_is_refused_has_removed_nothing() {
    let setup = Setup::new().rows(|db| {
        rows(db);
        insert_segments(db, 2, 5, "word");
    });
    let server = setup.start();
    let answer = server.delete("/admin/users/2").admin().send();
    assert_eq!(answer.status, 409);
    let setup = server.stop();
    assert_eq!(count(&setup.database(), "SELECT count(*) FROM segments WHERE meeting_id = 2"), 5);
    let recorded = "SELECT count(*) FROM audit WHERE action = 'user.delete'";
    assert_eq!(count(&setup.database(), recorded), 0);
}

#[test]
fn a_server_that_is_killed_while_it_deletes_leaves_the_rest_to_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("vomeet.db");
    crate::server::open_file(&database, |db| {
        rows(db);
        // So many that they are not gone when the decision is seen.
        insert_session(db, 1, "abc-defg-hik");
        insert_segments(db, 3, 40_000, "word");
        db.execute("UPDATE meetings SET status = 'completed' WHERE id = 3", []).expect("an end");
    });
    let server = Launch::serve(folder.path()).start();
    let mut line = server.line();
    line.send(server.delete("/admin/users/1").admin().bytes()).expect("sent");
    wait_for(|| (server.get("/admin/users/1").admin().send().status == 404).then_some(()));
    server.kill();
    let server = Launch::serve(folder.path()).start();
    assert_eq!(server.get("/admin/users/1").admin().send().status, 404);
    wait_for(|| (erasures_waiting(&server) == 0).then_some(()));
    server.terminate();
    assert_eq!(count(&database, "SELECT count(*) FROM segments"), 0);
}
