//! The engine inside, with processes that are scripts of a shell: one that answers, one that dies,
//! one that hangs, one that cannot work.

#![cfg(test)]

use super::{asked, away, sample, still_clock, words};
use crate::transcription::engines::frames::{Answer, Question, encode};
use crate::transcription::engines::process::Launch;
use crate::transcription::engines::{Engine, Engines};
use crate::transcription::heard::{AskedSound, Heard, HeardSegment, Urgency};
use std::fmt::Write;
use std::time::Duration;
use tokio::time::timeout;

/// Bytes as the shell's `printf` has them.
fn printed(answer: &Answer) -> String {
    let mut text = String::from("printf '");
    for byte in encode(answer, &[]).expect("a frame") {
        write!(text, "\\{byte:03o}").expect("a text");
    }
    text.push('\'');
    text
}

/// A process that runs this script, in which `READY` and `HEARD` are frames, and `READ` reads a
/// question.
fn engine(script: &str) -> Engine {
    let segment = HeardSegment { end_ms: 1000, text: "Hello.".to_owned(), ..Default::default() };
    let heard = Heard { segments: vec![segment], ..Heard::default() };
    let question = Question {
        language: Some("en".to_owned()),
        translates: false,
        words: false,
        prompt: Some("Vomeet".to_owned()),
        is_draft: false,
    };
    let length = encode(&question, &vec![0; 16_000]).expect("a frame").len();
    let script = script
        .replace("READY", &printed(&Answer::Ready))
        .replace("HEARD", &printed(&Answer::Heard { heard, cpu_ms: 70 }))
        .replace("READ", &format!("head -c {length} > /dev/null"));
    let arguments = vec!["-c".into(), format!("PATH=/usr/bin:/bin; {script}").into()];
    Engine::inside(Launch { program: "/bin/sh".into(), arguments, questions_max: 3 }, 1)
}

fn of(script: &str) -> std::sync::Arc<Engines> {
    Engines::of(vec![engine(script)], None, still_clock())
}

#[tokio::test]
async fn a_process_answers_one_question_after_the_other() {
    let engines = of("READY; while READ; do HEARD; done");
    for _ in 0..3 {
        let heard = engines.hear(asked(Urgency::Live), None).await;
        assert_eq!(words(heard), ("Hello.".to_owned(), "whisper".to_owned()));
    }
    assert!(sample(&engines, "vomeet_engine_requests_total{engine=\"whisper\"} 3"));
    assert!(sample(&engines, "vomeet_engine_cpu_seconds_total{engine=\"whisper\"} 0.21"));
    assert!(engines.live_streams_max().is_some());
    let mut file = asked(Urgency::Live);
    file.sound = AskedSound::File { name: "a.mp3".to_owned(), bytes: bytes::Bytes::new() };
    engines.hear(file, None).await.expect_err("no file is taken");
}

#[tokio::test]
async fn a_process_that_dies_is_a_sentence_and_is_started_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().join("died");
    let mark = mark.display();
    let script = format!(
        "READY; READ; if test -e {mark}; then HEARD; READ; else touch {mark}; kill -9 $$; fi"
    );
    let clock = still_clock();
    let engines = Engines::of(vec![engine(&script)], None, clock.clone());
    let sentence = away(engines.hear(asked(Urgency::Live), None).await);
    assert!(sentence.contains("The process of engine whisper has ended (signal: 9"), "{sentence}");
    let line = "vomeet_engine_failures_total{engine=\"whisper\",reason=\"died\"} 1";
    assert!(sample(&engines, line));
    clock.set(crate::clock::later(clock.now(), Duration::from_secs(5)));
    engines.hear(asked(Urgency::Live), None).await.expect("words of another process");
}

#[tokio::test]
async fn a_process_that_cannot_work_says_why() {
    let unfit = printed(&Answer::Unfit("this processor lacks avx2".to_owned()));
    let sentence = away(of(&unfit).hear(asked(Urgency::Live), None).await);
    assert_eq!(sentence, "The process of engine whisper cannot work: this processor lacks avx2.");
    for script in ["exit 3", "echo nonsense that is no frame", "READY; READ; echo nonsense"] {
        let sentence = away(of(script).hear(asked(Urgency::Live), None).await);
        assert!(sentence.starts_with("The process of engine whisper has ended ("), "{sentence}");
    }
}

#[tokio::test]
async fn a_process_that_takes_too_long_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let pid = folder.path().join("pid");
    let engine =
        engine(&format!("echo $$ > {}; READY; while :; do read line; done", pid.display()));
    let super::Kind::Inside(inside) = &engine.kind else { panic!("inside") };
    let time_max = Duration::from_millis(300);
    let (heard, _) = inside.hear(&asked(Urgency::Live), &vec![0; 16_000], time_max, ()).await;
    let failure = format!("{:?}", heard.err().expect("slow"));
    assert!(failure.contains("its process was killed"), "{failure}");
    let pid = std::fs::read_to_string(&pid).expect("a number");
    let process = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
    let gone = async {
        // Killed, and waited for by the runtime.
        while process.join("exe").read_link().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_mins(1), gone).await.expect("it is gone");
}

#[tokio::test]
async fn a_process_that_ends_while_it_has_nothing_to_do_fails_no_question() {
    let folder = tempfile::tempdir().expect("a folder");
    let pid = folder.path().join("pid");
    let engines = of(&format!("echo $$ > {}; READY; while READ; do HEARD; done", pid.display()));
    engines.hear(asked(Urgency::Live), None).await.expect("words");
    let number = std::fs::read_to_string(&pid).expect("a number");
    let killed = std::process::Command::new("kill").args(["-9", number.trim()]).status();
    assert!(killed.expect("kill").success());
    let stat = format!("/proc/{}/stat", number.trim());
    let ended = async {
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_mins(1), ended).await.expect("it has ended");
    engines.hear(asked(Urgency::Live), None).await.expect("words of another process");
    assert_ne!(std::fs::read_to_string(&pid).expect("a number"), number);
    assert!(sample(&engines, "vomeet_engine_failures_total{engine=\"whisper\",reason=\"died\"} 0"));
}

#[tokio::test]
async fn a_question_that_is_given_up_leaves_the_process_to_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pids, go) = (folder.path().join("pids"), folder.path().join("go"));
    let script = format!(
        "echo $$ >> {pids}; READY; while READ; do \
         while ! test -e {go}; do sleep 0.05; done; HEARD; done",
        pids = pids.display(),
        go = go.display()
    );
    let engines = of(&script);
    let given_up =
        timeout(Duration::from_millis(500), engines.hear(asked(Urgency::Live), None)).await;
    assert!(given_up.is_err());
    assert!(!engines.desk.is_idle(), "its place is held as long as it is at work");
    std::fs::write(&go, "").expect("written");
    let heard = engines.hear(asked(Urgency::Live), None).await;
    assert_eq!(words(heard).0, "Hello.");
    let pids = std::fs::read_to_string(&pids).expect("numbers");
    assert_eq!(pids.lines().count(), 1, "it is the same process");
}

#[tokio::test]
async fn a_process_that_has_answered_enough_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    let engines = of(&format!("echo $$ >> {}; READY; while READ; do HEARD; done", pids.display()));
    for _ in 0..7 {
        engines.hear(asked(Urgency::Live), None).await.expect("words");
    }
    let pids = std::fs::read_to_string(&pids).expect("numbers");
    assert_eq!(pids.lines().count(), 3, "three questions for each");
    assert!(sample(&engines, "vomeet_engine_failures_total{engine=\"whisper\",reason=\"died\"} 0"));
}
