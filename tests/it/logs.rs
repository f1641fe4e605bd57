//! Log lines: as JSON, for the journal, and with the trace of the caller.

use crate::process::Launch;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn traceparent() -> String {
    format!("00-{TRACE}-{SPAN}-01")
}

#[test]
fn json_lines_have_the_parts_of_a_request_as_members() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Launch::serve(folder.path()).env("VOMEET_LOG_FORMAT", "json").start();
    let call = server.get("/healthz").header("X-Request-Id", "my-id");
    call.header("traceparent", traceparent()).send().expect(200);
    let line = server.stderr.find("my-id").expect("a line");
    let line: Value = serde_json::from_str(&line).expect("JSON");
    for (member, expected) in [
        ("level", json!("info")),
        ("target", json!("access")),
        ("method", json!("GET")),
        ("route", json!("/healthz")),
        ("status", json!(200)),
        ("id", json!("my-id")),
        ("trace_id", json!(TRACE)),
        ("span_id", json!(SPAN)),
    ] {
        assert_eq!(line[member], expected, "{member}: {line}");
    }
    assert!(line["us"].is_u64() && line["from"].is_string() && line["time"].is_string(), "{line}");
    let ended = server.terminate();
    for line in ended.stderr.lines() {
        let line: Value = serde_json::from_str(line).expect(line);
        assert!(line["message"].is_string(), "{line}");
    }
}

#[test]
fn text_lines_name_the_trace_beside_the_request_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Launch::serve(folder.path()).start();
    server
        .get("/healthz")
        .header("X-Request-Id", "traced")
        .header("traceparent", traceparent())
        .send();
    let line = server.stderr.find("id=traced").expect("a line");
    assert!(line.contains(&format!(" trace={TRACE} span={SPAN}")), "{line}");
    server
        .get("/healthz")
        .header("X-Request-Id", "wrong")
        .header("traceparent", "00-nonsense")
        .send();
    let line = server.stderr.find("id=wrong").expect("a line");
    assert!(!line.contains("trace=") && !line.contains("nonsense"), "{line}");
    let twice = server.get("/healthz").header("X-Request-Id", "twice");
    twice.header("traceparent", traceparent()).header("traceparent", traceparent()).send();
    let line = server.stderr.find("id=twice").expect("a line");
    assert!(!line.contains("trace="), "{line}");
    // A key must not come into the log by another header.
    let call =
        server.get("/user").header("X-Request-Id", "key").header("traceparent", traceparent());
    call.user(TRACE).send();
    let line = server.stderr.find("id=key").expect("a line");
    assert!(!line.contains(TRACE), "{line}");
}

#[test]
fn lines_for_the_journal_begin_with_their_priority() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let run = |inode_off_by: u64| {
        fs::write(&log, "").expect("a file");
        let file = fs::metadata(&log).expect("a file");
        let stream = format!("{}:{}", file.dev(), file.ino() + inode_off_by);
        let launch = Launch::serve(folder.path()).errors_to(&log.to_string_lossy());
        let server = launch.env("JOURNAL_STREAM", stream).start();
        server.get("/healthz").send().expect(200);
        assert!(server.terminate().status.success());
        fs::read_to_string(&log).expect("the log")
    };
    let text = run(0);
    assert!(text.contains(" INFO  GET /healthz 200"), "{text}");
    for line in text.lines() {
        let level = if line.contains(" INFO ") { "<6>" } else { "<4>" };
        assert!(line.starts_with(level), "{line}");
    }
    let text = run(1);
    assert!(text.contains("GET /healthz") && !text.contains("<6>"), "another file: {text}");
}
