//! `vomeet demo --speech`: recorded speech goes through an engine, live; without one it is refused.

use crate::demo::{demo_with, is_empty, printed, started};
use crate::saying_engine::{Does, SayingEngine};
use crate::watcher::Watcher;

const WORDS: &str = "Ask what you can do for your country.";
const SPEAKER: &str = "John F. Kennedy";

#[test]
fn an_engine_hears_the_speech_while_it_is_spoken() {
    let engine = SayingEngine::start(Does::Says(WORDS));
    let (home, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let url = format!("http://{}/v1", engine.address);
    let arguments = ["--speech", "--engine", &url, "--engine-model", "large-v9"];
    let process = started(demo_with(home.path(), temporary.path(), &arguments));
    let (token, paths) = printed(&process);
    let mut watcher = Watcher::open(&process, &token);
    watcher.subscribe(&[("google_meet", "abc-defg-hij")]);
    let (mut has_draft, mut is_final) = (false, false);
    while !(has_draft && is_final) {
        let event = watcher.json();
        for segment in event["payload"]["segments"].as_array().into_iter().flatten() {
            assert_eq!(segment["text"], WORDS);
            assert_eq!(segment["speaker"], SPEAKER);
            match segment["completed"].as_bool() {
                Some(true) => is_final = true,
                _ => has_draft = true,
            }
        }
    }
    let asked = engine.bodies.lock().expect("a lock").concat();
    assert!(asked.contains("large-v9") && asked.contains("RIFF"), "no sound was sent");
    let get = |path: &str| process.get(path).header("X-API-Key", &token).send();
    let meetings = get("/meetings").expect(200);
    assert_eq!(meetings["meetings"][0]["status"], "active", "{meetings}");
    let transcript = get(&paths[1]).text().to_owned();
    assert!(transcript.contains(&format!("{SPEAKER}: {WORDS}")), "{transcript}");
    assert!(paths[2].ends_with("q=country"), "{paths:?}");
    let found = get(&paths[2]).expect(200);
    assert_eq!(found["results"][0]["text"], WORDS, "{found}");
    drop(watcher);
    let stopped = process.delete("/bots/google_meet/abc-defg-hij").header("X-API-Key", &token);
    stopped.send().expect(202);
    assert_eq!(process.terminate().status.code(), Some(0));
    assert!(is_empty(temporary.path()), "the folder stays");
}

#[test]
fn without_an_engine_that_can_be_one_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let engine = "http://127.0.0.1:9/v1";
    let inside = match cfg!(feature = "whisper") {
        true => "cannot read",
        false => "needs the feature whisper",
    };
    for (arguments, code, wanted) in [
        (&["--speech"][..], 36, "--engine URL"),
        (&["--speech"], 36, "--whisper-model FILE"),
        (&["--speech", "--engine", "ftp://nowhere"], 10, "url should be an address such as"),
        (&["--speech", "--engine", engine, "--engine-model", ""], 10, "model should be"),
        (&["--speech", "--engine", engine, "--engine-key-file", "none"], 10, "key_file"),
        (&["--speech", "--whisper-model", "none.bin"], 10, inside),
    ] {
        let temporary = tempfile::tempdir().unwrap();
        let ended = demo_with(path, temporary.path(), arguments).run();
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(wanted), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(is_empty(temporary.path()), "{arguments:?}: the folder stays");
    }
    for arguments in [["--engine", engine], ["--whisper-model", "m.bin"]] {
        let temporary = tempfile::tempdir().unwrap();
        let ended = demo_with(path, temporary.path(), &arguments).run();
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("--speech"), "{arguments:?}: {ended:?}");
    }
}
