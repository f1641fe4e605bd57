//! Bots that are sent by a link, or to the platforms that the settings name.

use crate::bots::{newest, setup, user};
use crate::client::{Answer, Client, Token};
use serde_json::{Value, json};

fn send(client: &Client, token: &Token, body: &Value) -> Answer {
    client.post("/bots").user(&token.text).json(body).send()
}

/// Where the faults of an answer are, each with its sentence.
fn faults(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, 422, "{}", answer.text());
    let fault = |fault: &Value| {
        let field = fault["loc"].as_array().and_then(|loc| loc.last()).and_then(Value::as_str);
        (field.expect("a field").to_owned(), fault["msg"].as_str().expect("a sentence").to_owned())
    };
    answer.json()["detail"].as_array().expect("a list").iter().map(fault).collect()
}

/// What is sent, and the platform, the id and the address of the meeting.
fn leads() -> Vec<(Value, &'static str, &'static str, &'static str)> {
    let classic =
        "https://teams.microsoft.com/l/meetup-join/19%3ameeting_x%40thread.v2/0?context=%7b%7d";
    vec![
        (
            json!({"meeting_url": "<https://meet.google.com/ABC-defg-hij?authuser=1>"}),
            "google_meet",
            "abc-defg-hij",
            "https://meet.google.com/abc-defg-hij",
        ),
        (
            json!({"platform": "google_meet", "native_meeting_id": "XYZ-defg-hij"}),
            "google_meet",
            "xyz-defg-hij",
            "https://meet.google.com/xyz-defg-hij",
        ),
        (
            json!({"platform": "google_meet", "native_meeting_id": "ABC-defg-hik", "meeting_url": "meet.google.com/abc-defg-hik"}),
            "google_meet",
            "abc-defg-hik",
            "https://meet.google.com/abc-defg-hik",
        ),
        (
            json!({"meeting_url": "https://teams.microsoft.com/meet/2345678901234?p=Ab1"}),
            "teams",
            "2345678901234",
            "https://teams.microsoft.com/meet/2345678901234?p=Ab1",
        ),
        (
            json!({"meeting_url": "https://teams.live.com/meet/9361234567890", "passcode": "Ab1"}),
            "teams",
            "9361234567890",
            "https://teams.live.com/meet/9361234567890?p=Ab1",
        ),
        (json!({"meeting_url": classic}), "teams", "19:meeting_x@thread.v2", classic),
        (
            json!({"platform": "teams", "native_meeting_id": "1234567890", "passcode": "a"}),
            "teams",
            "1234567890",
            "https://teams.live.com/meet/1234567890?p=a",
        ),
    ]
}

/// The same of other platforms, and of pages of one's own.
fn leads_elsewhere() -> Vec<(Value, &'static str, &'static str, &'static str)> {
    vec![
        (
            json!({"platform": "zoom", "native_meeting_id": "123456789", "passcode": "a+b.1"}),
            "zoom",
            "123456789",
            "https://zoom.us/j/123456789?pwd=a%2Bb.1",
        ),
        (
            json!({"meeting_url": "https://us02web.zoom.us/j/12345678901?pwd=x"}),
            "zoom",
            "12345678901",
            "https://us02web.zoom.us/j/12345678901?pwd=x",
        ),
        (
            json!({"meeting_url": "https://meet.example.org/weekly"}),
            "jitsi",
            "weekly@meet.example.org",
            "https://meet.example.org/weekly",
        ),
        (
            json!({"platform": "jitsi", "native_meeting_id": "daily@a.pages.example.com"}),
            "jitsi",
            "daily@a.pages.example.com",
            "https://a.pages.example.com/daily",
        ),
        (
            json!({"platform": "generic", "meeting_url": "https://meet.example.org/room"}),
            "generic",
            "u-",
            "https://meet.example.org/room",
        ),
        (
            json!({"meeting_url": "https://b.pages.example.com/a/b?c=d"}),
            "generic",
            "u-",
            "https://b.pages.example.com/a/b?c=d",
        ),
    ]
}

#[test]
fn a_bot_goes_where_the_link_leads() {
    let server = setup()
        .set("VOMEET_BOTS_PLATFORMS", r#"["google_meet", "teams", "zoom", "jitsi", "generic"]"#)
        .set("VOMEET_BOTS_HOSTS", r#"["meet.example.org", "*.pages.example.com"]"#)
        .start();
    let token = user(&server, "one@example.com", 50);
    for (body, platform, id, url) in leads().into_iter().chain(leads_elsewhere()) {
        let sent = send(&server, &token, &body);
        assert_eq!(sent.status, 201, "{body}: {}", sent.text());
        let meeting = newest(&server, &token);
        assert_eq!(
            (&meeting["platform"], &meeting["constructed_meeting_url"]),
            (&json!(platform), &json!(url)),
            "{body}"
        );
        let native_id = meeting["native_meeting_id"].as_str().expect("an id");
        if platform == "generic" {
            assert!(native_id.starts_with(id) && native_id.len() == 18, "{native_id}");
        } else {
            assert_eq!(native_id, id, "{body}");
        }
        let by_name = format!("/transcripts/{platform}/{}", crate::client::segment(native_id));
        assert_eq!(server.get(&by_name).user(&token.text).send().expect(200)["id"], meeting["id"]);
    }
    let upper = server.get("/transcripts/google_meet/ABC-DEFG-HIJ").user(&token.text).send();
    assert_eq!(upper.expect(200)["native_meeting_id"], "abc-defg-hij");
}

#[test]
fn a_link_that_leads_nowhere_is_refused_with_a_sentence() {
    let server = setup().set("VOMEET_BOTS_HOSTS", r#"["meet.example.org"]"#).start();
    let token = user(&server, "one@example.com", 5);
    let meet = "https://meet.google.com/abc-defg-hij";
    for (body, field, part) in [
        (
            json!({"meeting_url": "https://meet.google.com.evil.example/abc-defg-hij"}),
            "meeting_url",
            "bots.hosts does not name meet.google.com.evil.example",
        ),
        (json!({"meeting_url": "https://acme.zoom.com/j/123456789"}), "meeting_url", "zoom.us"),
        (json!({"meeting_url": "https://zoom.us/j/123456789"}), "meeting_url", "bots.platforms"),
        (
            json!({"platform": "zoom", "native_meeting_id": "123456789"}),
            "platform",
            "bots.platforms",
        ),
        (
            json!({"meeting_url": "https://meet.example.org/weekly"}),
            "meeting_url",
            "not sent to jitsi",
        ),
        (
            json!({"platform": "jitsi", "native_meeting_id": "x@example.net"}),
            "native_meeting_id",
            "bots.hosts",
        ),
        (
            json!({"platform": "generic", "native_meeting_id": "u-0123456789abcdef"}),
            "meeting_url",
            "meeting_url alone",
        ),
        (
            json!({"platform": "teams", "native_meeting_id": "19:meeting_x@thread.v2"}),
            "meeting_url",
            "send meeting_url",
        ),
        (json!({"meeting_url": meet, "platform": "teams"}), "platform", "leads to google_meet"),
        (
            json!({"meeting_url": meet, "platform": "google_meet", "native_meeting_id": "abc-defg-hik"}),
            "native_meeting_id",
            "another meeting",
        ),
        (json!({"meeting_url": meet, "passcode": "abc"}), "passcode", "only Teams and Zoom"),
        (
            json!({"meeting_url": "https://teams.live.com/meet/1234567890?p=abc", "passcode": "abd"}),
            "passcode",
            "another passcode",
        ),
        (
            json!({"platform": "teams", "native_meeting_id": "1234567890", "passcode": "a.b"}),
            "passcode",
            "1 to 64",
        ),
    ] {
        let refused = faults(&send(&server, &token, &body));
        assert_eq!(refused.len(), 1, "{body}: {refused:?}");
        assert!(refused[0].0 == field && refused[0].1.contains(part), "{body}: {refused:?}");
    }
    let none = faults(&send(&server, &token, &json!({"meeting_url": " "})));
    let fields: Vec<_> = none.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["platform", "native_meeting_id"], "an empty link is no link");
}

#[test]
fn a_passcode_is_in_no_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = crate::process::Launch::serve(folder.path())
        .env("VOMEET_LOG", "trace")
        .env("VOMEET_BOTS_RUNNER", "process")
        .env("VOMEET_BOTS_PROCESS_COMMAND", r#"["sleep", "300"]"#)
        .start();
    let token = user(&server, "one@example.com", 5);
    for body in [
        json!({"meeting_url": "https://teams.live.com/meet/1234567890?p=Zqpasscode"}),
        json!({"platform": "teams", "native_meeting_id": "1234567891", "passcode": "Zqpasscode"}),
        json!({"meeting_url": "https://teams.live.com/meet/1234567890?p=Zqpasscode", "passcode": "Zqother"}),
    ] {
        send(&server, &token, &body);
    }
    let log = server.terminate().stderr;
    assert!(log.contains("POST") && !log.contains("Zq"), "{log}");
}
