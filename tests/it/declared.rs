//! `[[users]]` in `vomeet.toml` and `vomeet token hash`: what is declared is so after a start, and
//! what is wrong is refused.

use crate::client::{Client, Token, token_of};
use crate::durability::assert_one_line;
use crate::process::{Launch, Process};
use crate::server::open_file;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use vomeet::domain::PlainToken;
use vomeet::domain::configured::ConfiguredToken;

/// A token, and what the file keeps of it.
pub fn token() -> (String, String) {
    let token = PlainToken::generate().expect("randomness").reveal().to_owned();
    let declared = ConfiguredToken::of(token.as_bytes()).expect("a token").to_string();
    (token, declared)
}

fn serve(folder: &Path, toml: &str) -> Process {
    fs::write(folder.join("vomeet.toml"), toml).expect("written");
    Launch::serve(folder).start()
}

fn user(client: &Client, id: i64) -> Value {
    let mut user = client.get(format!("/admin/users/{id}")).admin().send().expect(200);
    let count = user["api_tokens"].as_array().map(Vec::len);
    user["api_tokens"] = json!(count);
    user
}

fn shown(client: &Client, id: i64) -> Value {
    let user = user(client, id);
    json!([user["email"], user["name"], user["max_concurrent_bots"], user["api_tokens"]])
}

fn is_let_in(client: &Client, token: &str) -> bool {
    client.whoami(token).status == 200
}

#[test]
fn a_configured_token_is_not_its_holders_to_delete() {
    let folder = tempfile::tempdir().expect("a folder");
    let (token, hash) = token();
    let toml = format!("[[users]]\nemail = \"ada@example.com\"\ntokens = [\"{hash}\"]\n");
    let server = serve(folder.path(), &toml);
    let rotated = server.post("/user/tokens/rotate").user(&token).send().expect(201);
    let rotated = token_of(&rotated);
    let path = format!("/user/tokens/{}", rotated.id);
    let refused = server.delete(path).user(&rotated.text).send();
    let reason = "vomeet.toml configures this token. Ask an administrator to remove it there.";
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains(reason), "{}", refused.text());
    assert!(is_let_in(&server, &rotated.text));
}

#[test]
fn what_is_declared_is_so_after_every_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let ((first, first_hash), (second, second_hash)) = (token(), token());
    let both = format!(
        "[[users]]\nemail = \"Ada@example.com\"\nname = \"Ada\"\nmax_concurrent_bots = 3\ntokens = [\"{first_hash}\", \"{second_hash}\"]\n
         [[users]]\nemail = \"bob@example.com\"\n"
    );
    let server = serve(folder, &both);
    assert_eq!(shown(&server, 1), json!(["Ada@example.com", "Ada", 3, 2]));
    assert_eq!(shown(&server, 2), json!(["bob@example.com", null, 0, 0]));
    assert!(is_let_in(&server, &first) && is_let_in(&server, &second));
    // What the file does not name is the administrator's, and what it names is the file's.
    let by_hand = server.new_token(1);
    let patch = json!({ "name": "Augusta", "data": { "team": 1 }, "max_concurrent_bots": 9 });
    server.patch("/admin/users/1").admin().json(&patch).send().expect(200);
    server
        .patch("/admin/users/2")
        .admin()
        .json(&json!({ "name": "Bob", "max_concurrent_bots": 5 }))
        .send()
        .expect(200);
    server.terminate();
    let without_second =
        both.replace(&format!(", \"{second_hash}\""), "").replace("Ada@example", "ada@EXAMPLE");
    let server = serve(folder, &without_second);
    assert_eq!(shown(&server, 1), json!(["Ada@example.com", "Ada", 3, 2]));
    assert_eq!(
        (shown(&server, 2), &user(&server, 1)["data"]),
        (json!(["bob@example.com", "Bob", 5, 0]), &json!({ "team": 1 }))
    );
    assert!(is_let_in(&server, &first) && is_let_in(&server, &by_hand.text));
    assert!(!is_let_in(&server, &second), "a token that is declared no more is revoked");
    server.terminate();
    // Nobody is declared any more: the users stay, what they were given by hand as well.
    let server = serve(folder, "");
    assert_eq!(server.counts(), (2, 1));
    assert!(is_let_in(&server, &by_hand.text) && !is_let_in(&server, &first));
    server.terminate();
    open_file(&folder.join("vomeet.db"), |db| {
        let ended: i64 = db
            .query_row("SELECT count(*) FROM ended_keys WHERE user_id = 1", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(ended, 2, "whoever holds one can be told why");
    });
    // What was revoked stays so, although the file has it again, and says so.
    let ended = {
        let server = serve(folder, &both);
        assert!(!is_let_in(&server, &second) && !is_let_in(&server, &first));
        server.terminate()
    };
    assert!(
        ended.stderr.contains(&format!("token {} was revoked and stays so", &second[..4])),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_a_holder_rotates_a_declared_token_to_is_declared_as_long_as_that_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let ((first, hash), user) = (token(), "[[users]]\nemail = \"ada@example.com\"\n");
    let declared = format!("{user}tokens = [\"{hash}\"]\n");
    let server = serve(folder, &declared);
    let rotated = server.post("/user/tokens/rotate").user(&first).send().expect(201);
    let second = token_of(&rotated).text;
    assert!(is_let_in(&server, &second) && !is_let_in(&server, &first));
    server.terminate();
    let server = serve(folder, &declared);
    assert!(is_let_in(&server, &second), "the file still names the token that it was");
    server.terminate();
    let server = serve(folder, user);
    assert!(!is_let_in(&server, &second), "the file names none of the chain any more");
}

#[test]
fn disabled_is_declared_as_well_and_a_token_made_by_hand_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let disabled_at = |expected: Option<i64>| {
        let mut found = None;
        open_file(&folder.join("vomeet.db"), |db| {
            found = db
                .query_row("SELECT disabled_at FROM users", [], |row| row.get::<_, Option<i64>>(0))
                .expect("a user");
        });
        assert!(expected.is_none_or(|expected| found == Some(expected)), "{found:?}");
        found
    };
    let toml = "[[users]]\nemail = \"ada@example.com\"\ndisabled = true\n";
    serve(folder, toml).terminate();
    let since = disabled_at(None);
    assert!(since.is_some());
    serve(folder, toml).terminate();
    assert_eq!(disabled_at(since), since, "it is not disabled anew");
    let server = serve(folder, &toml.replace("true", "false"));
    let Token { text, .. } = server.new_token(1);
    server.terminate();
    assert_eq!(disabled_at(None), None);
    let declared = ConfiguredToken::of(text.as_bytes()).expect("a token");
    let server = serve(
        folder,
        &format!("[[users]]\nemail = \"ada@example.com\"\ntokens = [\"{declared}\"]\n"),
    );
    assert!(is_let_in(&server, &text));
    server.terminate();
    assert!(!is_let_in(&serve(folder, ""), &text));
}

#[test]
fn what_is_wrong_is_refused_with_the_entry_named() {
    let (_, hash) = token();
    let ada = "[[users]]\nemail = \"ada@example.com\"\n";
    for (toml, wanted) in [
        (
            "[[users]]\nemail = \"nobody\"".to_owned(),
            "[[users]] number 1 (nobody): \"nobody\" is no e-mail address",
        ),
        (format!("{ada}[[users]]\nname = \"x\""), "[[users]] number 2: email is missing"),
        (
            format!("{ada}[[users]]\nemail = \"ADA@example.com\""),
            "[[users]] number 2 (ADA@example.com): this address is configured twice",
        ),
        (format!("{ada}tokens = [\"{hash}\", \"{hash}\"]"), "is configured twice"),
        (
            format!(
                "{ada}tokens = [\"{hash}\"]\n[[users]]\nemail = \"bob@example.com\"\ntokens = [\"{hash}\"]"
            ),
            "number 2 (bob@example.com): token",
        ),
        (format!("{ada}tokens = [\"{hash}0\"]"), "token number 1 is not HINT:HASH"),
        (format!("{ada}tokens = \"{hash}\""), "tokens should be a list"),
        (
            format!("{ada}max_concurrent_bots = -1"),
            "max_concurrent_bots should be a whole number from 0",
        ),
        (format!("{ada}disabled = 1"), "disabled should be true or false"),
        (format!("{ada}nme = \"x\""), "there is no setting nme"),
        ("[users]\nemail = \"ada@example.com\"".to_owned(), "each under [[users]]"),
        ("users = [1]".to_owned(), "each under [[users]]"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("vomeet.toml"), &toml).expect("written");
        for command in [&["serve"][..], &["config", "check"]] {
            let ended = Launch::new(folder.path(), command).run();
            let line = assert_one_line(&ended, 10);
            assert!(line.contains(wanted) || toml.starts_with("[users]"), "{toml}: {line}");
        }
        assert!(!folder.path().join("vomeet.db").exists(), "{toml}: a database was made");
    }
}

#[test]
fn a_token_of_another_user_is_refused_and_nothing_is_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path(), "");
    server.new_user("ada@example.com");
    let Token { text, .. } = server.new_token(1);
    server.terminate();
    let declared = ConfiguredToken::of(text.as_bytes()).expect("a token");
    let toml = format!(
        "[[users]]\nemail = \"new@example.com\"\n[[users]]\nemail = \"bob@example.com\"\ntokens = [\"{declared}\"]\n"
    );
    fs::write(folder.path().join("vomeet.toml"), toml).expect("written");
    let ended = Launch::serve(folder.path()).run();
    let line = assert_one_line(&ended, 10);
    assert!(line.contains("[[users]] bob@example.com: token") && !line.contains(&text), "{line}");
    let server = serve(folder.path(), "");
    assert_eq!(server.counts(), (1, 1));
    assert!(is_let_in(&server, &text));
}

#[test]
fn show_lists_who_is_declared_so_that_it_can_be_declared_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, hash) = token();
    let entry = format!(
        "email = \"ada@example.com\"\nname = \"A \\\"quoted\\\" name\"\nmax_concurrent_bots = 2\ndisabled = false\ntokens = [\"{hash}\"]\n"
    );
    fs::write(folder.path().join("vomeet.toml"), format!("[[users]]\n{entry}")).expect("written");
    let shown = Launch::new(folder.path(), &["config", "show"]).run().stdout;
    let table: toml::Table = toml::from_str(&shown).expect("TOML");
    let expected: toml::Table = toml::from_str(&entry).expect("TOML");
    assert_eq!(table["users"].as_array().expect("users")[0].as_table(), Some(&expected));
}

/// Runs `vomeet token hash` on this input.
fn hash(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(crate::process::BINARY);
    command.args(["token", "hash"]).args(arguments).env_clear();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    std::io::Write::write_all(&mut child.stdin.take().expect("input"), input.as_bytes())
        .expect("written");
    let ended = child.wait_with_output().expect("an end");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn token_hash_knows_a_token_from_a_mistake() {
    let (plain, declared) = token();
    for input in [plain.clone(), format!("{plain}\n"), format!("  {plain}\r\n")] {
        assert_eq!(hash(&[], &input), (Some(0), format!("{declared}\n"), String::new()));
    }
    for wrong in [
        String::new(),
        plain[1..].to_owned(),
        plain.to_lowercase().to_uppercase(),
        format!("{plain} {plain}"),
    ] {
        let (code, stdout, stderr) = hash(&[], &wrong);
        assert_eq!((code, stdout.as_str()), (Some(10), ""), "{wrong}");
        assert!(
            stderr.contains("checksum") && (wrong.is_empty() || !stderr.contains(&wrong)),
            "{stderr}"
        );
    }
    assert_eq!(hash(&[&plain], "").0, Some(2), "a token is no argument");
}

#[test]
fn a_new_token_goes_to_the_person_and_its_hash_to_the_file() {
    let (code, stdout, stderr) = hash(&["--new"], "");
    assert_eq!(code, Some(0));
    let made = ConfiguredToken::of(stderr.trim_end().as_bytes()).expect("a token");
    assert_eq!(stdout, format!("{made}\n"));
    assert_ne!(hash(&["--new"], "").1, stdout);
}
