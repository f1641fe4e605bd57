//! Bots as processes: what surrounds them, how they end and are ended.

use crate::runner_bots::{Context, Pipe, last_step, outcome, script};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use vomeet::domain::{MeetingStatus, TransitionSource};

/// Holds the pipe `held`, and says there that it is ready.
const READY: &str = "exec 9>held; echo ready >&9;";

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_code_ends_the_meeting() {
    for (text, expected, exit_code) in [
        ("exit 0", ("completed", "stopped", "the bot ended with exit code 0"), Some(0)),
        ("exit 3", ("failed", "requested", "the bot ended with exit code 3"), Some(3)),
        ("kill -9 $$", ("failed", "requested", "the bot was ended by signal 9"), None),
    ] {
        let mut context = Context::open(|bots, _| bots.process.command = script(text)).await;
        let (id, _) = context.send_one().await;
        let meeting = context.end_of(id).await;
        let (status, why, reason) = outcome(&meeting);
        assert_eq!((status, why.as_str(), reason.as_str()), expected, "{text}");
        let step = last_step(&meeting);
        assert_eq!(
            (step["exit_code"].as_i64(), step["source"].as_str()),
            (exit_code, Some("server")),
            "{text}"
        );
        context.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_what_is_promised() {
    let set = |bots: &mut vomeet::config::Bots, _: &std::path::Path| {
        bots.process.command = vec!["env".to_owned()];
        bots.process.environment = vec!["LANG=de".to_owned(), "MORE=a=b".to_owned()];
    };
    let mut context = Context::open(set).await;
    let spec = context.request().await;
    context.send(&spec).await;
    context.end_of(spec.meeting_id).await;
    let output = context.output(spec.meeting_id);
    let told = spec.environment.iter().map(|(name, value)| format!("{name}={value}"));
    let rest = ["PATH=/usr/bin:/bin", "HOME=/nowhere", "LANG=de", "MORE=a=b"].map(str::to_owned);
    let expected: BTreeSet<String> = told.chain(rest).collect();
    assert_eq!(output.lines().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_in_its_folder_and_only_the_user_reads_its_output() {
    let text = "pwd; echo to stderr >&2; cat; ps -o pgid= -p $$; echo $$";
    let mut context = Context::open(|bots, _| bots.process.command = script(text)).await;
    let (id, _) = context.send_one().await;
    context.end_of(id).await;
    let output = context.output(id);
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let folder = context.folder.path().canonicalize().expect("a folder");
    assert_eq!(
        lines[..2],
        [&*folder.to_string_lossy(), "to stderr"],
        "nothing came from stdin: {output}"
    );
    assert_eq!(lines[2], lines[3], "it leads a group of its own");
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
    };
    assert_eq!(
        (mode(&context.folder.path().join("logs")), mode(&context.output_path(id))),
        (0o700, 0o600)
    );
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_is_a_request() {
    let text = format!("trap 'echo bye; exit 5' TERM; {READY} while :; do sleep 0.05; done");
    let set = |bots: &mut vomeet::config::Bots, _: &std::path::Path| {
        bots.process.command = script(&text);
        bots.grace = Duration::from_mins(10);
    };
    let mut context = Context::open(set).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    context.report(id, MeetingStatus::Stopping, TransitionSource::User).await;
    let meeting = context.end_of(id).await;
    assert_eq!(
        outcome(&meeting),
        ("completed", "stopped".to_owned(), "the bot ended with exit code 5".to_owned())
    );
    assert!(context.output(id).contains("bye\n"), "{}", context.output(id));
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_grace_the_whole_group_is_killed() {
    let text = format!("trap '' TERM; {READY} sh -c 'sleep 1000' & sleep 1000; wait");
    let set = |bots: &mut vomeet::config::Bots, _: &std::path::Path| {
        bots.process.command = script(&text);
        bots.grace = Duration::from_secs(1);
    };
    let mut context = Context::open(set).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    let asked = Instant::now();
    context.report(id, MeetingStatus::Stopping, TransitionSource::User).await;
    let meeting = context.end_of(id).await;
    assert_eq!(
        outcome(&meeting),
        ("completed", "stopped".to_owned(), "the bot was ended by signal 9".to_owned())
    );
    assert!(asked.elapsed() >= Duration::from_secs(1), "{:?}", asked.elapsed());
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bot_leaves_behind_ends_with_it() {
    let text = format!("{READY} sleep 1000 & exit 0");
    let mut context = Context::open(|bots, _| bots.process.command = script(&text)).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    context.end_of(id).await;
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_kept_short() {
    let text = format!("seq 1 100000; {READY} while :; do sleep 0.05; done");
    let set = |bots: &mut vomeet::config::Bots, _: &std::path::Path| {
        bots.process.command = script(&text);
        bots.process.log_bytes_max = 4096;
    };
    let mut context = Context::open(set).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    context.report(id, MeetingStatus::Stopping, TransitionSource::User).await;
    context.end_of(id).await;
    let output = context.output(id);
    assert!(output.len() <= 4096, "{} bytes", output.len());
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "... (older output was dropped)");
    assert!(lines.contains(&"100000") && lines.len() > 200, "{} lines", lines.len());
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_cannot_start_says_what_to_do() {
    type Set = fn(&mut vomeet::config::Bots, &std::path::Path);
    let rows: [(Set, &str); 4] = [
        (|bots, _| bots.process.command.clear(), "set bots.process_command"),
        (
            |bots, _| bots.process.command = vec!["no-such-program".to_owned()],
            "check bots.process_command",
        ),
        (|bots, folder| bots.process.folder = folder.join("missing"), "bots.process_folder"),
        (
            |bots, folder| bots.process.log_folder = folder.join("vomeet.db"),
            "check bots.log_folder",
        ),
    ];
    for (set, expected) in rows {
        let all = |bots: &mut vomeet::config::Bots, folder: &std::path::Path| {
            bots.process.command = script("exit 0");
            set(bots, folder);
        };
        let mut context = Context::open(all).await;
        let spec = context.request().await;
        let why = context.supervisor.send(spec).await.expect_err(expected);
        assert!(why.contains(expected), "{why}");
        context.stop().await;
    }
}
