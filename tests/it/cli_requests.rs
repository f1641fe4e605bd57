//! What each command asks of the server, and what it makes of the answer: against a socket that
//! answers as it is told.

use crate::client::PATIENCE;
use crate::local::socket_of;
use crate::process::{Ended, Launch};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;

const SECRET: &str = "AbCdEf1234567890AbCdEf1234567890AbCdEf12";
const ADA: &str = r#"{"id":7,"email":"ada@example.com","name":"Ada"}"#;

/// A status, and a body.
type Reply = (u16, &'static str);

/// Answers the requests of one connection in turn, and tells what they were: method, target and
/// body.
fn stub(folder: &Path, replies: Vec<Reply>) -> JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(socket_of(folder)).expect("a socket");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a command");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut reader = BufReader::new(stream.try_clone().expect("the same stream"));
        replies.into_iter().map_while(|reply| answer(&mut reader, &stream, reply)).collect()
    })
}

fn answer(
    reader: &mut impl BufRead,
    mut stream: &UnixStream,
    (status, body): Reply,
) -> Option<String> {
    let (mut asked, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).expect("a request") == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line if asked.is_empty() => line.trim_end_matches(" HTTP/1.1").clone_into(&mut asked),
            line => {
                length = line
                    .strip_prefix("content-length: ")
                    .map_or(length, |value| value.parse().expect("a length"));
            }
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent).expect("a body");
    let length =
        if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    stream
        .write_all(format!("HTTP/1.1 {status} X\r\n{length}\r\n{body}").as_bytes())
        .expect("sent");
    Some(format!("{asked} {}", String::from_utf8(sent).expect("text")).trim_end().to_owned())
}

/// Runs a command against such a socket; all that it asks for must be answered.
fn ask(arguments: &[&str], input: &str, replies: &[Reply]) -> (Vec<String>, Ended) {
    let folder = tempfile::tempdir().expect("a folder");
    let asked = stub(folder.path(), replies.to_vec());
    let ended = Launch::new(folder.path(), arguments).input(input).run();
    (asked.join().expect("no panic"), ended)
}

/// Arguments; the requests and how they are answered; the exit code; what stands on the two
/// outputs.
type Row =
    (&'static [&'static str], &'static [(&'static str, Reply)], i32, &'static str, &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (&["user", "disable", "7"], &[("GET /admin/users/7", (200, ADA)), (r#"PATCH /admin/users/7 {"disabled":true}"#, (200, r#"{"id":7,"disabled_at":"2025-10-10T12:00:00Z"}"#))], 0, "Disabled  2025-10-10T12:00:00Z\n", ""),
    (&["user", "enable", "ada@example.com"], &[("GET /admin/users/email/ada%40example%2Ecom", (200, ADA)), (r#"PATCH /admin/users/7 {"disabled":false}"#, (200, ADA))], 0, "E-mail  ada@example.com\n", ""),
    (&["user", "set", "7", "--name", "", "--max-bots", "3", "--data", "{\"a\":1}"], &[("GET /admin/users/7", (200, ADA)), (r#"PATCH /admin/users/7 {"data":{"a":1},"max_concurrent_bots":3,"name":null}"#, (200, ADA))], 0, "Ada", ""),

    (&["token", "create", "7", "--disuse", "30d", "--read-only", "--platform", "teams", "--platform", "zoom"], &[("GET /admin/users/7", (200, ADA)), (r#"POST /admin/users/7/tokens {"disuse_seconds":2592000,"platforms":["teams","zoom"],"read_only":true}"#, (201, r#"{"id":3,"token":"AbCdEf1234567890AbCdEf1234567890AbCdEf12"}"#))], 0, SECRET, "This is token 3 of ada@example.com. It is shown this once.\n"),
    (&["token", "create", "7", "--meeting", "google_meet/abc-defg-hij"], &[("GET /admin/users/7", (200, ADA)), (r#"POST /admin/users/7/tokens {"meeting":{"native_meeting_id":"abc-defg-hij","platform":"google_meet"}}"#, (201, r#"{"id":3,"token":"x"}"#))], 0, "x\n", ""),
    (&["token", "list"], &[("GET /admin/tokens?limit=100", (200, r#"[{"id":3,"hint":"AbCd","created_at":"2025-10-10T12:00:00.123Z","user_id":7},{"id":4,"user_id":7},{"id":5,"user_id":8}]"#)), ("GET /admin/users?limit=1&after=6", (200, r#"[{"id":7,"email":"ada@example.com"}]"#)), ("GET /admin/users?limit=1&after=7", (200, r#"[{"id":9,"email":"bob@example.com"}]"#))], 0, "3      7     ada@example.com  AbCd  -     2025-10-10T12:00:00Z  -        -          -\n4      7     ada@example.com  -     -     -                     -        -          -\n5      8     -", ""),
    (&["meetings", "list"], &[("GET /admin/analytics/meetings?limit=100&skip=0", (200, r#"[{"id":3,"user_id":7}]"#)), ("GET /admin/users?limit=1&after=6", (200, r#"[{"id":7,"email":"ada@example.com"}]"#))], 0, "3        7     ada@example.com", ""),
    (&["token", "list", "--user", "ada@example.com", "--limit", "1", "--after", "2"], &[("GET /admin/users/email/ada%40example%2Ecom", (200, ADA)), ("GET /admin/tokens?user_id=7&after=2&limit=1", (200, r#"[{"id":3}]"#))], 0, "3", "There may be more: --after 3\n"),
    (&["token", "show", "3"], &[("GET /admin/tokens/3", (200, r#"{"id":3,"hint":"AbCd","scope":{"read_only":true,"platforms":["teams"],"meeting":null}}"#))], 0, "Token      3\nHint       AbCd\nRead-only  yes\nPlatforms  teams\nMeeting    -\n", ""),
    (&["token", "rotate", "3", "--grace", "15m", "--expires-in", "90d"], &[(r#"POST /admin/tokens/3/rotate {"expires_in":7776000,"grace_seconds":900}"#, (201, r#"{"id":4,"token":"AbCdEf1234567890AbCdEf1234567890AbCdEf12","replaces":{"id":3,"expires_at":"2025-10-10T12:15:00Z"}}"#))], 0, SECRET, "This is token 4; token 3 works until 2025-10-10T12:15:00Z. It is shown this once.\n"),
    (&["token", "rotate", "laptop"], &[("GET /admin/tokens?limit=1000", (200, r#"[{"id":3,"name":"Laptop","hint":"AbCd","user_id":7,"replaced_by":4},{"id":4,"name":"laptop","hint":"EfGh","user_id":7,"replaced_by":null}]"#)), (r#"POST /admin/tokens/4/rotate {"grace_seconds":0}"#, (201, r#"{"id":5,"token":"x","replaces":{"id":4,"expires_at":"2025-10-10T12:15:00Z"}}"#))], 0, "x\n", "This is token 5; token 4 (EfGh of user 7) is refused from now on."),
    (&["token", "rotate", "laptop"], &[("GET /admin/tokens?limit=1000", (200, r#"[{"id":3,"name":"laptop","hint":"AbCd","user_id":7},{"id":4,"name":"laptop","hint":"EfGh","user_id":8}]"#))], 5, "", "3 (AbCd of user 7), 4 (EfGh of user 8)"),
    (&["token", "disable", "3"], &[(r#"PATCH /admin/tokens/3 {"disabled":true}"#, (200, r#"{"id":3,"disabled_at":"2025-10-10T12:00:00Z"}"#))], 0, "Disabled  2025-10-10T12:00:00Z\n", ""),
    (&["token", "enable", "3"], &[(r#"PATCH /admin/tokens/3 {"disabled":false}"#, (200, r#"{"id":3,"disabled_at":null}"#))], 0, "Disabled  -\n", ""),
    (&["token", "explain"], &[(r#"POST /admin/tokens/explain {"token":"the token"}"#, (200, r#"{"code":"accepted","reason":"The token is accepted.","token":{"id":3},"user":{"id":7}}"#))], 0, "Code    accepted\nReason  The token is accepted.\nToken   3\nUser    7\n", ""),
    (&["token", "explain"], &[(r#"POST /admin/tokens/explain {"token":"the token"}"#, (200, r#"{"code":"expired","reason":"The key expired.","token":null,"user":null}"#))], 30, "Code    expired\n", "vomeet: The key expired.\n"),

    (&["meetings", "stop", "google_meet/abc-defg-hij"], &[("GET /admin/analytics/meetings?limit=1&platform=google%5Fmeet&native_meeting_id=abc%2Ddefg%2Dhij", (200, r#"[{"id":9}]"#)), ("POST /admin/meetings/9/stop", (202, "{}"))], 0, "", "The bot of meeting 9 is stopping.\n"),
    (&["meetings", "stop", "9", "--output", "json"], &[("POST /admin/meetings/9/stop", (202, r#"{"message":"x"}"#))], 0, "{\"message\":\"x\"}\n", ""),

    (&["admin-key", "create", "ada", "--expires-in", "1w"], &[(r#"POST /admin/keys {"expires_in":604800,"name":"ada"}"#, (201, r#"{"id":2,"key":"AbCdEf1234567890AbCdEf1234567890AbCdEf12"}"#))], 0, SECRET, "This is the admin key ada. It is shown this once.\n"),
    (&["admin-key", "create", "ada"], &[(r#"POST /admin/keys {"name":"ada"}"#, (409, r#"{"detail":"An admin key has this name."}"#))], 6, "", "vomeet: An admin key has this name.\n"),
    (&["admin-key", "list"], &[("GET /admin/keys", (200, r#"[{"id":2,"name":"ada","hint":"AbCd"}]"#))], 0, "2    ada   AbCd", ""),
    (&["admin-key", "rotate", "ADA"], &[("GET /admin/keys", (200, r#"[{"id":2,"name":"ada"},{"id":3,"name":"2"}]"#)), (r#"POST /admin/keys/2/rotate {"grace_seconds":0}"#, (201, r#"{"key":"x"}"#))], 0, "x\n", "This is the new key of admin key 2 (ada); the old one is refused from now on."),
    (&["admin-key", "rotate", "ADA", "--grace", "10m"], &[("GET /admin/keys", (200, r#"[{"id":2,"name":"ada"}]"#)), (r#"POST /admin/keys/2/rotate {"grace_seconds":600}"#, (201, r#"{"key":"x","old_until":"2025-10-10T12:10:00.000Z"}"#))], 0, "x\n", "the last one works until 2025-10-10T12:10:00.000Z, and older ones are refused from now on. It is shown this once.\n"),
    (&["admin-key", "revoke", "2", "--yes"], &[("GET /admin/keys", (200, r#"[{"id":2,"name":"ada"},{"id":3,"name":"2"}]"#)), ("DELETE /admin/keys/2", (204, ""))], 0, "", "Revoked admin key 2 (ada); it is refused from now on.\n"),
    (&["admin-key", "revoke", "ada"], &[("GET /admin/keys", (200, r#"[{"id":2,"name":"ada"}]"#))], 9, "", "--yes"),

    (&["audit", "list", "--user", "7", "--action", "token.create", "--actor", "local:ada", "--from", "2025-10-10T12:00:00Z", "--limit", "2", "--before", "9"], &[("GET /admin/audit?limit=2&before=9&user_id=7&action=token%2Ecreate&actor=local%3Aada&from=2025%2D10%2D10T12%3A00%3A00Z", (200, r#"{"entries":[{"id":8,"at":"2025-10-10T12:00:00Z","actor":"local:ada","action":"token.create","before":null,"after":{"name":"x"}}],"next":8}"#))], 0, r#"8      2025-10-10T12:00:00Z  local:ada  -     token.create  -        -   -     -       {"name":"x"}"#, "There may be more: --before 8\n"),
    (&["audit", "verify"], &[("GET /admin/audit/verify", (200, r#"{"intact":true,"entries":2,"first_id":1,"last_id":2,"head":"00","faults":[]}"#))], 0, "Intact   yes\nEntries  2\n", ""),
    (&["audit", "verify"], &[("GET /admin/audit/verify", (200, r#"{"intact":false,"entries":2,"first_id":1,"last_id":2,"head":"00","faults":[{"id":2,"what":"changed"}]}"#))], 31, "2      changed\n", "vomeet: The audit log was changed"),
    (&["audit", "verify", "--output", "json"], &[("GET /admin/audit/verify", (200, r#"{"intact":false}"#))], 31, "{\"intact\":false}\n", ""),
    (&["audit", "export"], &[("GET /admin/audit/export", (200, "{\"id\":1}\n{\"id\":2,\"x\":\"\u{9b}31m\"}\n"))], 0, "{\"id\":1}\n{\"id\":2,\"x\":\"\\u009b31m\"}\n", ""),
    (&["audit", "export"], &[("GET /admin/audit/export", (507, r#"{"detail":"The disk is full."}"#))], 21, "", "vomeet: The disk is full.\n"),

    (&["usage", "--by", "user", "--from", "2025-10-01", "--to", "2025-10-31", "--user", "7", "--token", "3"], &[("GET /admin/usage?user_id=7&by=user&token_id=3&from=2025%2D10%2D01&to=2025%2D10%2D31", (200, r#"{"usage":[{"day":null,"user_id":7,"token_id":null,"requests":12,"bots":1,"bot_minutes":1.5,"transcript_minutes":0.4,"sound_minutes":0.5}],"next":null}"#)), ("GET /admin/users?limit=1&after=6", (200, r#"[{"id":7,"email":"ada@example.com"}]"#))], 0, "-    7     ada@example.com  -      12        1     1.5          0.4                 0.5\n", ""),
    (&["usage", "--csv"], &[("GET /admin/usage?format=csv", (200, "day,user_id\r\n2025-10-10,7\r\n"))], 0, "day,user_id\n2025-10-10,7\n", ""),

    (&["user", "list"], &[("GET /admin/users?limit=100", (200, "no json"))], 21, "", "cannot be read"),
    (&["user", "list"], &[("GET /admin/users?limit=100", (403, r#"{"detail":"Invalid or missing admin token."}"#))], 8, "", "Invalid or missing admin token."),
    (&["user", "list"], &[], 21, "", "broke off"),
];

#[test]
fn each_command_asks_what_it_should() {
    for (arguments, dialogue, code, stdout, stderr) in ROWS {
        let (requests, replies): (Vec<_>, Vec<_>) = dialogue.iter().copied().unzip();
        let (asked, ended) = ask(arguments, "the token\nmore", &replies);
        assert_eq!(asked, requests, "{arguments:?}: {ended:?}");
        assert_eq!(ended.status.code(), Some(*code), "{arguments:?}: {ended:?}");
        assert!(
            ended.stdout.contains(stdout) && ended.stderr.contains(stderr),
            "{arguments:?}: {ended:?}"
        );
        let has_secret = replies.iter().any(|(_, body)| body.contains(SECRET));
        assert!(!has_secret || ended.stdout == format!("{SECRET}\n"), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.contains(SECRET), "{arguments:?}: {ended:?}");
    }
}
