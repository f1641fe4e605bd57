//! Share links: each opens the words of one meeting and nothing else, and every way in which it ends
//! looks like a link that never was.

use crate::client::{Answer, Client, Token, fields, token_of, wait_for};
use crate::process::Launch;
use crate::restore::{applied, restored, serve};
use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup, open_file, still_clock};
use crate::tokens::insert_token;
use crate::transcripts::insert_segments;
use serde_json::{Value, json};
use std::time::Duration;

const DAY: u64 = 86_400;
const MEETING: &str = "/transcripts/google_meet/abc-defg-hij/share";

/// A server with a meeting of user 1 in which something was said, and one of user 2.
fn start(setup: Setup) -> (Server, Session) {
    let mut sessions = Vec::new();
    let setup = setup.rows(|db| {
        insert_token(db, 1, None);
        insert_token(db, 2, None);
        sessions.push(insert_session(db, 1, "abc-defg-hij"));
        insert_session(db, 1, "abc-defg-hik");
        insert_session(db, 2, "xyz-defg-hij");
    });
    let server = setup.start();
    let session = sessions.remove(0);
    session.say(
        &server,
        &json!([{"start": 1, "end": 2, "text": "Zqword *loud*", "speaker": "Ada"},
            {"start": 3, "end": 4, "text": "Zqdraft", "speaker": "Ben", "completed": false}]),
    );
    (server, session)
}

fn make(client: &Client, token: &Token, body: &Value) -> Answer {
    client.post(MEETING).user(&token.text).json(body).send()
}

/// The id of a new link, and its path without its ending.
fn share(client: &Client, token: &Token) -> (i64, String) {
    let made = make(client, token, &json!({})).expect(201);
    (made["id"].as_i64().expect("an id"), path(&made))
}

fn path(made: &Value) -> String {
    let url = made["url"].as_str().expect("a link");
    let at = url.find("/public/transcripts/").expect("the path of a link");
    url[at..].strip_suffix(".txt").expect("an ending").to_owned()
}

fn open(client: &Client, path: &str, ending: &str) -> Answer {
    client.get(format!("{path}.{ending}")).send()
}

/// What a link that never was responds, without what differs between any two responses.
fn never(client: &Client) -> (u16, String, Vec<(String, String)>) {
    plain(&open(client, &format!("/public/transcripts/{}", "0".repeat(40)), "txt"))
}

fn plain(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers = Vec::new();
    for name in
        ["content-type", "cache-control", "x-robots-tag", "referrer-policy", "content-length"]
    {
        headers.push((name.to_owned(), answer.header(name).unwrap_or("none").to_owned()));
    }
    (answer.status, answer.text().to_owned(), headers)
}

#[test]
fn a_link_opens_the_words_of_one_meeting_and_nothing_else() {
    let (server, _) = start(Setup::new());
    let token = server.new_token(1);
    let made = make(&server, &token, &json!({})).expect(201);
    assert_eq!(fields(&made), ["expires_at", "id", "url"]);
    let url = made["url"].as_str().expect("a link");
    assert!(url.starts_with("http://127.0.0.1:"), "as the caller called the server: {url}");
    let path = path(&made);
    let secret = path.rsplit('/').next().expect("a share");
    assert_eq!(secret.len(), 40, "160 bits");

    let text = open(&server, &path, "txt");
    assert_eq!((text.status, text.text()), (200, "[00:00:01] Ada: Zqword *loud*\n"));
    let markdown = open(&server, &path, "md");
    assert_eq!(markdown.text(), "**Ada** (00:00:01): Zqword \\*loud\\*\n\n");
    let words = open(&server, &path, "json").expect(200);
    assert_eq!(fields(&words), ["segments"], "nothing of the meeting but its words");
    assert_eq!(words["segments"].as_array().map(Vec::len), Some(1), "no drafts");
    assert_eq!(words["segments"][0]["text"], "Zqword *loud*");
    for (answer, kind) in [
        (&text, "text/plain; charset=utf-8"),
        (&markdown, "text/markdown; charset=utf-8"),
        (&open(&server, &path, "json"), "application/json"),
    ] {
        assert_eq!(answer.header("content-type"), Some(kind));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{kind}");
        assert_eq!(answer.header("x-robots-tag"), Some("noindex"), "{kind}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{kind}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{kind}");
    }
    // It is no key, wherever it is put.
    for call in [
        server.get("/user").user(secret),
        server.get("/meetings").user(secret),
        server.get("/transcripts/google_meet/abc-defg-hij").user(secret),
        server.get(format!("/meetings?share={secret}")),
    ] {
        assert_eq!(call.send().status, 403);
    }
    assert_eq!(server.get("/admin/users").header("X-Admin-API-Key", secret).send().status, 403);
    assert_eq!(server.post(format!("{path}.txt")).send().status, 405);
    let upper = path.replace(secret, &secret.to_uppercase());
    for other in [format!("{path}.srt"), path.clone(), format!("{path}.txt.txt"), upper + ".txt"] {
        let answer = server.get(&other).send();
        assert_eq!(answer.status, 404, "{other}");
    }
    let by_proxy = server.post(MEETING).user(&token.text).header("X-Forwarded-Proto", "https");
    let url = by_proxy.send().expect(201)["url"].as_str().expect("a link").to_owned();
    assert!(url.starts_with("https://"), "{url}");
}

#[test]
fn every_end_of_a_link_looks_like_a_link_that_never_was() {
    let clock = still_clock();
    let (server, _) = start(Setup::new().clock(&clock));
    let never = never(&server);
    assert_eq!(never.0, 404);
    let ended = |path: &str, about: &str| {
        for ending in ["txt", "md", "json"] {
            assert_eq!(plain(&open(&server, path, ending)), never, "{about}, {ending}");
        }
    };
    let token = server.new_token(1);
    let (id, revoked) = share(&server, &token);
    open(&server, &revoked, "json").expect(200);
    let gone = server.delete(format!("/user/shares/{id}")).user(&token.text).send();
    assert_eq!(gone.status, 204);
    ended(&revoked, "revoked");
    let (id, by_admin) = share(&server, &token);
    assert_eq!(server.delete(format!("/admin/shares/{id}")).admin().send().status, 204);
    ended(&by_admin, "revoked by an administrator");

    let (_, of_token) = share(&server, &token);
    assert_eq!(server.revoke(&token).status, 204);
    ended(&of_token, "its token was revoked");
    let rotated = server.new_token(1);
    let (_, path) = share(&server, &rotated);
    let successor = server.post("/user/tokens/rotate").user(&rotated.text).send().expect(201);
    open(&server, &path, "json").expect(200);
    assert_eq!(server.revoke(&token_of(&successor)).status, 204);
    ended(&path, "the chain of its token was revoked");

    let disabled = server.new_token(1);
    let (_, path) = share(&server, &disabled);
    let change = |path: &str, on: bool| {
        server.patch(path).admin().json(&json!({ "disabled": on })).send().expect(200);
    };
    change(&format!("/admin/tokens/{}", disabled.id), true);
    ended(&path, "its token is disabled");
    change(&format!("/admin/tokens/{}", disabled.id), false);
    change("/admin/users/1", true);
    ended(&path, "its user is disabled");
    change("/admin/users/1", false);
    open(&server, &path, "json").expect(200);
    let narrow = json!({ "platforms": ["teams"] });
    server.patch(format!("/admin/tokens/{}", disabled.id)).admin().json(&narrow).send().expect(200);
    ended(&path, "its token does not reach the meeting any more");

    let whole = server.new_token(1);
    let (_, short) = share(&server, &whole);
    let hour = json!({ "expires_in": 3600 });
    let hour = path_of(&make(&server, &whole, &hour));
    clock.advance(Duration::from_hours(1));
    ended(&hour, "its time is over");
    open(&server, &short, "json").expect(200);
    clock.advance(Duration::from_secs(7 * DAY - 3601));
    open(&server, &short, "json").expect(200);
    clock.advance(Duration::from_secs(1));
    ended(&short, "seven days are over");
    let (_, last) = share(&server, &whole);
    let over = json!({"connection_id": "session-1", "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&over).send().expect(200);
    open(&server, &last, "json").expect(200);
    server.delete("/meetings/1").user(&whole.text).send().expect(200);
    ended(&last, "the transcript was deleted");
    assert_eq!(make(&server, &whole, &json!({})).status, 404, "nothing is left to share");
}

fn path_of(answer: &Answer) -> String {
    path(&answer.expect(201))
}

#[test]
fn links_are_listed_by_their_user_and_within_the_token() {
    let (server, _) = start(Setup::new());
    let (token, other) = (server.new_token(1), server.new_token(2));
    let (id, path) = share(&server, &token);
    let list = |token: &Token| -> Vec<Value> {
        let list = server.get("/user/shares").user(&token.text).send().expect(200);
        list["shares"].as_array().expect("a list").clone()
    };
    let shown = list(&token);
    let expected = ["created_at", "expires_at", "id", "made_by", "meeting_id", "user_id"];
    assert_eq!(fields(&shown[0]), expected);
    assert_eq!((&shown[0]["id"], &shown[0]["made_by"]), (&json!(id), &json!(token.id)));
    assert!(list(&other).is_empty());
    let all = server.get("/admin/users/1/shares").admin().send().expect(200);
    assert_eq!(all["shares"], json!(shown));
    let narrow = |scope: &Value| {
        token_of(&server.post("/admin/users/1/tokens").admin().json(scope).send().expect(201))
    };
    let elsewhere = narrow(&json!({"platforms": ["teams"]}));
    let reader = narrow(&json!({"read_only": true}));
    assert!(list(&elsewhere).is_empty());
    assert_eq!(list(&reader).len(), 1);
    let revoke =
        |token: &Token| server.delete(format!("/user/shares/{id}")).user(&token.text).send();
    let none = (404, "No such share link: it has ended, or never was.".to_owned());
    assert_eq!(revoke(&other).refusal(), none, "of another user");
    assert_eq!(revoke(&elsewhere).refusal(), none, "beyond the token");
    assert_eq!(revoke(&reader).status, 403);
    assert_eq!(make(&server, &reader, &json!({})).status, 403);
    assert_eq!(make(&server, &elsewhere, &json!({})).status, 403);
    assert_eq!(make(&server, &other, &json!({})).status, 404);
    open(&server, &path, "json").expect(200);
    let log = server.get("/admin/audit").admin().send().expect(200);
    let entry = log["entries"].as_array().expect("entries").iter();
    let made = entry.clone().find(|entry| entry["action"] == "share.create").expect("an entry");
    assert_eq!(
        (&made["subject"], &made["subject_id"], &made["user_id"]),
        (&json!("share"), &json!(id), &json!(1))
    );
    assert_eq!(made["actor"], format!("token:{}", token.id));
    for (body, kind) in [
        (json!({"expires_in": 59}), "greater_than_equal"),
        (json!({"expires_in": 90 * DAY + 1}), "less_than_equal"),
    ] {
        let faults = make(&server, &token, &body).faults();
        assert_eq!(faults, [(kind.to_owned(), "body.expires_in".to_owned())], "{body}");
    }
    for n in 1..100 {
        assert_eq!(make(&server, &token, &json!({"expires_in": 90 * DAY})).status, 201, "link {n}");
    }
    let full = "You have 100 share links. Delete one with DELETE /user/shares/{id}.";
    assert_eq!(make(&server, &token, &json!({})).refusal(), (409, full.to_owned()));
    assert_eq!(revoke(&token).status, 204);
    make(&server, &token, &json!({})).expect(201);
}

#[test]
fn whoever_reads_by_a_link_that_is_revoked_is_cut_off() {
    let setup = Setup::new().rows(|db| {
        insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
        insert_segments(db, 1, 60_000, &"long ".repeat(100));
    });
    let server = setup.start();
    let token = server.new_token(1);
    let (id, path) = share(&server, &token);
    let mut line = server.line();
    line.send(server.get(format!("{path}.txt")).bytes()).expect("sent");
    line.wait_for("HTTP/1.1 200 OK").expect("it begins");
    assert_eq!(server.delete(format!("/user/shares/{id}")).user(&token.text).send().status, 204);
    // Sixty thousand lines of five hundred letters would be thirty million.
    let rest = line.ended().expect("an end");
    assert!(rest.len() < 25_000_000, "{} bytes came", rest.len());
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it must not look complete");
}

#[test]
fn what_has_ended_and_who_is_erased_leave_no_link() {
    let clock = still_clock();
    let (server, _) = start(Setup::new().clock(&clock));
    let (token, other) = (server.new_token(1), server.new_token(2));
    let hour = json!({ "expires_in": 3600 });
    make(&server, &token, &hour).expect(201);
    let of_other = "/transcripts/google_meet/xyz-defg-hij/share";
    let made = server.post(of_other).user(&other.text).send().expect(201);
    let exited = json!({"connection_id": "session-3", "exit_code": 0});
    server.post("/bots/internal/callback/exited").json(&exited).send().expect(200);
    assert_eq!(server.delete("/admin/users/2").admin().send().status, 204);
    assert_eq!(open(&server, &path(&made), "txt").status, 404);
    clock.advance(Duration::from_secs(3601));
    let list = || server.get("/admin/users/1/export").admin().send().expect(200)["shares"].clone();
    wait_for(|| {
        clock.advance(Duration::from_mins(1));
        (list() == json!([])).then_some(())
    });
    open_file(&server.stop().database(), |db| {
        let left: i64 =
            db.query_row("SELECT count(*) FROM shares", [], |row| row.get(0)).expect("a count");
        assert_eq!(left, 0);
    });
}

#[test]
fn the_log_hides_the_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Launch::serve(folder.path()).env("VOMEET_LOG", "trace").start();
    let secret = "0123456789abcdef0123456789abcdef01234567";
    for path in [
        format!("/public/transcripts/{secret}.txt"),
        format!("/public/transcripts/{secret}.json?x={secret}"),
        format!("/public/transcripts/{secret}"),
        format!("/public/transcripts/{secret}.txt/"),
        format!("/public/{secret}/x"),
    ] {
        server.get(path).send();
    }
    let ended = server.terminate();
    assert!(ended.stderr.contains("GET /public/transcripts/{file} 404"), "{}", ended.stderr);
    assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
}

#[test]
fn a_restore_does_not_bring_a_revoked_link_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let server = serve(path);
    let user = server.new_user("one@example.com");
    let token = server.new_token(user);
    server.terminate();
    crate::restore::sql(
        path,
        "INSERT INTO meetings (user_id, platform, native_meeting_id, status, data, created_at, updated_at)
         VALUES (1, 'google_meet', 'abc-defg-hij', 'completed', '{}', 0, 0)",
    );
    let server = serve(path);
    let (kept, revoked) = (share(&server, &token), share(&server, &token));
    crate::cli::done(path, &["backup", "b.db"]);
    let gone = server.delete(format!("/user/shares/{}", revoked.0)).user(&token.text).send();
    assert_eq!(gone.status, 204);
    server.terminate();
    let plan = restored(path, &["b.db"]);
    assert_eq!(applied(&plan), json!({ "shares_revoked": [revoked.0] }));
    let server = serve(path);
    open(&server, &kept.1, "json").expect(200);
    assert_eq!(open(&server, &revoked.1, "txt").status, 404);
    server.terminate();
}
