//! `vomeet mcp`: what a client that starts programs sends and gets, and what is said where a server or
//! a token is missing.

use crate::mcp::{meta, request};
use crate::process::{BINARY, Launch};
use crate::server::{Server, Setup};
use crate::tokens::insert_token;
use crate::wire::Pair;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs `vomeet mcp` with these arguments and variables on these lines.
fn run(arguments: &[&str], variables: &[(&str, &str)], lines: &[String]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("mcp").args(arguments).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut input = child.stdin.take().expect("input");
    for line in lines {
        // A command that has ended reads no more.
        let _ = writeln!(input, "{line}");
    }
    drop(input);
    child.wait_with_output().expect("an end")
}

/// The responses on standard output: a line of JSON each.
fn responses(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    let parsed = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    parsed.collect()
}

fn server() -> (Server, String, String) {
    let mut token = String::new();
    let server = Setup::new().rows(|db| token = insert_token(db, 1, None)).start();
    let url = format!("http://{}", server.address);
    (server, url, token)
}

#[test]
fn messages_are_passed_on_in_their_order() {
    let (_server, url, token) = server();
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
    let lines = [
        request("initialize", &params).to_string(),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string(),
        String::new(),
        request("tools/list", &json!({})).to_string(),
        "{".to_owned(),
        request("no/such/method", &json!({})).to_string(),
        request("tools/call", &json!({"name": "list_meetings"})).to_string(),
    ];
    let output = run(&["--url", &url], &[("VOMEET_API_KEY", &token)], &lines);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = responses(&output);
    assert_eq!(said.len(), 5, "{said:?}");
    assert_eq!(said[0]["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(said[1]["result"]["tools"][0]["name"], "parse_meeting_link");
    assert_eq!((&said[2]["error"]["code"], &said[2]["id"]), (&json!(-32700), &Value::Null));
    assert_eq!((&said[3]["error"]["code"], &said[3]["id"]), (&json!(-32601), &json!(7)));
    let text = said[4]["result"]["content"][0]["text"].as_str().expect("a text");
    assert!(text.contains("{\"meetings\":[],\"has_more\":false}"), "{text}");
}

#[test]
fn requests_of_the_newest_version_get_the_headers_that_http_wants() {
    let (_server, url, token) = server();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{token}\nmore\n")).expect("written");
    let file = file.to_str().expect("a path");
    let call = json!({"name": "get_bot_status", "arguments": {}, "_meta": meta()});
    let unknown = json!({"name": "тест", "arguments": {}, "_meta": meta()});
    let lines = [
        request("server/discover", &json!({"_meta": meta()})).to_string(),
        request("tools/call", &call).to_string(),
        request("tools/call", &unknown).to_string(),
    ];
    let output = run(&["--token-file", file], &[("VOMEET_URL", &url)], &lines);
    let said = responses(&output);
    assert_eq!(said[0]["result"]["supportedVersions"][0], "2026-07-28", "{output:?}");
    let text = said[1]["result"]["content"][0]["text"].as_str().expect("a text");
    assert_eq!(text, "{\"running_bots\":[]}");
    assert_eq!(said[2]["error"]["message"], "Unknown tool: тест");
}

#[test]
fn what_goes_wrong_on_the_way_is_an_error_of_that_message() {
    let (_server, url, token) = server();
    let ping = || [request("ping", &json!({})).to_string()];
    let refused = run(&["--url", &url], &[("VOMEET_API_KEY", "wrong")], &ping());
    let said = responses(&refused);
    let message = said[0]["error"]["message"].as_str().expect("a message");
    assert!(message.contains("401") && message.contains("Invalid API token"), "{message}");
    assert_eq!((&said[0]["id"], refused.status.code()), (&json!(7), Some(0)));
    let gone = run(&["--url", "http://127.0.0.1:1"], &[("VOMEET_API_KEY", &token)], &ping());
    let message = responses(&gone)[0]["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.contains("the server at 127.0.0.1:1 does not respond"), "{message}");
    let told = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(told.contains("does not respond") && !told.contains(&token), "{told}");
}

#[test]
fn a_missing_token_or_a_wrong_address_ends_it_with_a_sentence() {
    let key = [("VOMEET_API_KEY", "abc")];
    for (arguments, variables, says) in [
        (&[][..], &[][..], "There is no API token: put one into VOMEET_API_KEY"),
        (&[], &[("VOMEET_API_KEY", "")], "There is no API token"),
        (&["--token-file", "/no/such/file"], &key, "Cannot read the API token in /no/such/file"),
        (&["--token-file", "/dev/null"], &key, "The first line of /dev/null is empty"),
        (&["--url", "localhost:18056"], &key, "such as http://localhost:18056, not"),
        (&["--url", "ftp://localhost"], &key, "such as http://localhost:18056, not"),
    ] {
        let output = run(arguments, variables, &[]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(10), "{arguments:?}: {told}");
        assert!(told.contains(says) && told.lines().count() == 1, "{arguments:?}: {told}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_server_that_speaks_tls_is_reached_by_the_roots_of_the_system() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let launch = Launch::serve(folder.path());
    let launch = launch.env("VOMEET_TLS_CERT", &pair.cert).env("VOMEET_TLS_KEY", &pair.key);
    let server = launch.start();
    let url = format!("https://localhost:{}", server.address.port());
    let ping = || [request("ping", &json!({})).to_string()];
    let key = ("VOMEET_API_KEY", "abc");
    let roots = folder.path().join("root.pem");
    let roots = roots.to_str().expect("a path");
    let known = run(&["--url", &url], &[key, ("SSL_CERT_FILE", roots)], &ping());
    let message = responses(&known)[0]["error"]["message"].to_string();
    assert!(message.contains("401"), "{message}");
    let unknown = run(&["--url", &url], &[key], &ping());
    let message = responses(&unknown)[0]["error"]["message"].to_string();
    assert!(message.contains("does not respond") && message.contains("certificate"), "{message}");
    server.terminate();
}
