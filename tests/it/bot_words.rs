//! What bots are told of those who write down what they hear, and what is said where nobody would.

use crate::bots::{bot_environment, meet_code, setup, user};
use crate::client::fields;
use crate::config::load;
use crate::durability::assert_one_line;
use crate::process::{Ended, Launch};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const WARNING: &str = "either bots.whisper_live_url nor bots.transcription_url is set";
const PROCESS: &str = "[bots]\nrunner = \"process\"\nprocess_command = [\"bot\"]\n";
const DOCKER: &str =
    "[bots]\nrunner = \"docker\"\ndocker_image = \"bot\"\ndocker_network = \"host\"\n";

/// What a command says of these settings.
fn run(folder: &Path, arguments: &[&str], toml: &str) -> Ended {
    fs::write(folder.join("vomeet.toml"), toml).expect("written");
    Launch::new(folder, arguments).run()
}

#[test]
fn both_forms_of_the_configuration_are_what_bots_read() {
    let server = setup()
        .set("VOMEET_BOTS_TRANSCRIPTION_URL", "http://whisper:8083/v1/audio/transcriptions")
        .set("VOMEET_BOTS_TRANSCRIPTION_TOKEN", "a-token")
        .set("VOMEET_BOTS_TRANSCRIPTION_MODEL", "large-v3")
        .start();
    let token = user(&server, "one@example.com", 2);
    let wish = json!({ "platform": "teams", "native_meeting_id": "1234567890",
        "passcode": "abcd1234", "language": "en", "task": "transcribe" });
    server.post("/bots").user(&token.text).json(&wish).send().expect(201);
    let environment = bot_environment(&server, 1);
    assert!(!environment.contains_key("WHISPER_LIVE_URL"));
    let config: Value = serde_json::from_str(&environment["BOT_CONFIG"]).expect("JSON");
    let strict: Value = serde_json::from_str(&environment["VEXA_BOT_CONFIG"]).expect("JSON");
    let common = [
        "automaticLeave",
        "botName",
        "connectionId",
        "container_name",
        "language",
        "meetingApiCallbackUrl",
        "meetingUrl",
        "meeting_id",
        "nativeMeetingId",
        "platform",
        "recordingEnabled",
        "redisUrl",
        "task",
        "token",
        "transcribeEnabled",
        "transcriptionServiceToken",
        "transcriptionServiceUrl",
    ];
    for (config, more, callback) in [
        (&config, &["botManagerCallbackUrl"][..], "exited"),
        (&strict, &["passcode", "transcriptionModel"], "status_change"),
    ] {
        let mut members: Vec<&str> = common.iter().chain(more).copied().collect();
        members.sort_unstable();
        assert_eq!(fields(config), members);
        let url = format!("http://{}/bots/internal/callback/{callback}", server.address);
        assert_eq!(config["meetingApiCallbackUrl"], url);
        assert_eq!(config["transcribeEnabled"], true);
        assert_eq!(config["recordingEnabled"], false);
        assert_eq!(
            config["transcriptionServiceUrl"],
            "http://whisper:8083/v1/audio/transcriptions"
        );
        assert_eq!(config["transcriptionServiceToken"], "a-token");
    }
    assert_eq!(config["botManagerCallbackUrl"], config["meetingApiCallbackUrl"]);
    assert_eq!(
        (&strict["passcode"], &strict["transcriptionModel"]),
        (&json!("abcd1234"), &json!("large-v3"))
    );
    let shown = server.get("/admin/settings").admin().send();
    assert!(!String::from_utf8_lossy(&shown.body).contains("a-token"), "a secret is shown");
}

#[test]
fn a_link_brings_its_passcode() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 2);
    let wish = json!({ "meeting_url": "https://teams.live.com/meet/1234567890?p=abcd1234" });
    server.post("/bots").user(&token.text).json(&wish).send().expect(201);
    let environment = bot_environment(&server, 1);
    let strict: Value = serde_json::from_str(&environment["VEXA_BOT_CONFIG"]).expect("JSON");
    assert_eq!(strict["passcode"], "abcd1234");
    for absent in ["transcriptionServiceUrl", "transcriptionServiceToken", "transcriptionModel"] {
        assert!(strict.get(absent).is_none(), "{absent}: {strict}");
    }
}

#[test]
fn who_asks_for_a_bot_that_speaks_has_it_told_so() {
    let server = setup().start();
    let token = user(&server, "one@example.com", 9);
    for (n, (sent, told)) in
        [(json!(true), json!(true)), (json!(false), json!(null)), (json!(null), json!(null))]
            .into_iter()
            .enumerate()
    {
        let wish = json!({ "platform": "google_meet", "native_meeting_id": meet_code(n),
            "voice_agent_enabled": sent });
        server.post("/bots").user(&token.text).json(&wish).send().expect(201);
        let environment = bot_environment(&server, 1 + i64::try_from(n).expect("a number"));
        for form in ["BOT_CONFIG", "VEXA_BOT_CONFIG"] {
            let config: Value = serde_json::from_str(&environment[form]).expect("JSON");
            assert_eq!(config["voiceAgentEnabled"], told, "{form}: {sent}");
            assert_eq!(config.get("voiceAgentEnabled").is_some(), sent == json!(true), "{form}");
        }
    }
    let wish = json!({ "platform": "google_meet", "native_meeting_id": meet_code(9),
        "voice_agent_enabled": "loud" });
    let faults = server.post("/bots").user(&token.text).json(&wish).send().faults();
    assert_eq!(faults[0].1, "body.voice_agent_enabled");
}

#[test]
fn bots_without_words_are_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let with_url = |name: &str| format!("{PROCESS}{name} = \"http://whisper:9090\"\n");
    for (toml, is_warned) in [
        (PROCESS.to_owned(), true),
        (with_url("whisper_live_url"), false),
        (with_url("transcription_url"), false),
        (format!("{PROCESS}process_environment = [\"TRANSCRIPTION_SERVICE_URL=http://w\"]"), false),
        (format!("{PROCESS}process_environment = [\"WHISPER_LIVE_URL=ws://w\"]"), false),
        (format!("{PROCESS}process_environment = [\"WHISPER_LIVE_URL=\", \"LANG=C\"]"), true),
        (format!("{PROCESS}docker_environment = [\"WHISPER_LIVE_URL=ws://w\"]"), true),
        (format!("{DOCKER}docker_environment = [\"WHISPER_LIVE_URL=ws://w\"]"), false),
        (DOCKER.to_owned(), true),
        ("[bots]\nrunner = \"demo\"\n".to_owned(), false),
        ("[bots]\nrunner = \"none\"\n".to_owned(), false),
    ] {
        let checked = run(folder, &["config", "check"], &toml);
        assert_eq!(checked.status.code(), Some(0), "{toml}: {checked:?}");
        assert_eq!(checked.stdout.contains(WARNING), is_warned, "{toml}: {checked:?}");
        let looked = run(folder, &["doctor", "--json"], &toml);
        assert_eq!(looked.stdout.contains("bots_without_words"), is_warned, "{toml}: {looked:?}");
    }
    fs::write(folder.join("vomeet.toml"), PROCESS).expect("written");
    let ended = Launch::serve(folder).start().terminate();
    assert!(ended.stderr.contains(WARNING), "{ended:?}");
}

#[test]
fn settings_of_words_and_of_leaving_that_contradict_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let file = folder.join("token");
    fs::write(&file, "s3cret\n").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("a mode");
    fs::write(folder.join("open"), "s3cret\n").expect("written");
    fs::set_permissions(folder.join("open"), fs::Permissions::from_mode(0o644)).expect("a mode");
    fs::write(folder.join("empty"), "\n").expect("written");
    fs::set_permissions(folder.join("empty"), fs::Permissions::from_mode(0o600)).expect("a mode");
    let url = format!("{PROCESS}transcription_url = \"http://whisper:8083\"\n");
    for (toml, wanted) in [
        (
            format!("{PROCESS}leave_seconds = 50"),
            "bots.leave_seconds is 50 and bots.grace_seconds is 10, and a bot that stops counts as \
             gone after 60 s",
        ),
        (
            format!("{PROCESS}grace_seconds = 55\nstopping_seconds_max = 85"),
            "bots.leave_seconds is 30 and bots.grace_seconds is 55, and a bot that stops counts as \
             gone after 85 s",
        ),
        (format!("{PROCESS}transcription_token = \"t\""), "bots.transcription_url is not"),
        (
            format!("{url}transcription_token = \"t\"\ntranscription_token_file = \"token\""),
            "bots.transcription_token and bots.transcription_token_file are both set",
        ),
        (format!("{url}transcription_token_file = \"none\""), "cannot read none"),
        (format!("{url}transcription_token_file = \"open\""), "`chmod 600` it"),
        (format!("{url}transcription_token_file = \"empty\""), "is empty; put the token there"),
        (format!("{PROCESS}transcription_url = \"whisper\""), "bots.transcription_url"),
    ] {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["config", "check"]] {
            let ended = run(folder, command, &toml);
            let said = assert_one_line(&ended, 10);
            assert!(said.contains(wanted), "{toml}: {said}");
        }
    }
    for sound in [
        format!("{PROCESS}leave_seconds = 49"),
        format!("{PROCESS}grace_seconds = 55\nstopping_seconds_max = 86"),
        // No bot is told to leave.
        format!("{PROCESS}redis_listen = \"off\"\nstopping_seconds_max = 30"),
        format!("{PROCESS}redis_url = \"redis://r:6379\"\nstopping_seconds_max = 30"),
        "[bots]\nleave_seconds = 60".to_owned(),
        format!("{url}transcription_token_file = \"token\""),
    ] {
        let checked = run(folder, &["config", "check"], &sound);
        assert_eq!(checked.status.code(), Some(0), "{sound}: {checked:?}");
    }
    let config = load(folder, &[("VOMEET_BOTS_TRANSCRIPTION_TOKEN", "shown-to-nobody")]);
    assert_eq!(config.config.bots.transcription.token, "shown-to-nobody");
    let shown = Launch::new(folder, &["config", "show"])
        .env("VOMEET_BOTS_TRANSCRIPTION_TOKEN", "shown-to-nobody")
        .run();
    assert!(!shown.stdout.contains("shown-to-nobody"), "{shown:?}");
}
