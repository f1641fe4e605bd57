//! Bots outlive the server: at the next start each is found again, or its meeting is ended with its
//! reason.

use crate::process::Launch;
use crate::runner_bots::{Context, Pipe, outcome, script};
use std::path::Path;
use std::time::Duration;
use vomeet::clock::Clock;
use vomeet::config::{Bots, RunnerKind};
use vomeet::domain::{MeetingStatus, TransitionSource};

/// Says that it is ready, and ends with this code once the file `leave` is there.
const UNTIL_TOLD: &str =
    "exec 9>held; echo ready >&9; until [ -e leave ]; do sleep 0.05; done; exit 7";

async fn with_bot() -> (Context, Pipe, vomeet::domain::MeetingId, String) {
    let mut context = Context::open(|bots, _| bots.process.command = script(UNTIL_TOLD)).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, handle) = context.send_one().await;
    held.receive("ready").await;
    context.report(id, MeetingStatus::Active, TransitionSource::Bot).await;
    (context, held, id, handle)
}

fn let_go(context: &Context) {
    std::fs::write(context.folder.path().join("leave"), "").expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_outlives_the_server_and_its_end_is_seen() {
    let (context, mut held, id, _) = with_bot().await;
    let mut context = context.restart(|_| {}).await;
    assert!(held.is_held().await, "the bot goes on");
    let_go(&context);
    let meeting = context.end_of(id).await;
    let reason = "the bot's process is gone; its exit code is not known".to_owned();
    assert_eq!(outcome(&meeting), ("failed", "active".to_owned(), reason));
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_bot_can_be_stopped() {
    let (context, mut held, id, _) = with_bot().await;
    let mut context = context.restart(|_| {}).await;
    context.report(id, MeetingStatus::Stopping, TransitionSource::User).await;
    assert_eq!(context.end_of(id).await.status, MeetingStatus::Completed);
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_was_to_leave_is_told_again() {
    let (mut context, mut held, id, _) = with_bot().await;
    context.next().await;
    let (folder, settings) = context.stop().await;
    // The server was killed between the commit and the signal.
    let path = folder.path().join("vomeet.db");
    rusqlite::Connection::open(path)
        .expect("a file")
        .execute("UPDATE meetings SET status = 'stopping'", [])
        .expect("a row");
    let mut context = Context::start(folder, settings, Clock::system());
    assert_eq!(context.end_of(id).await.status, MeetingStatus::Completed);
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_ended_meanwhile_is_not_taken_for_alive() {
    let (context, mut held, id, _) = with_bot().await;
    let (folder, settings) = context.stop().await;
    std::fs::write(folder.path().join("leave"), "").expect("a file");
    held.gone().await;
    let mut context = Context::start(folder, settings, Clock::system());
    assert_eq!(outcome(&context.end_of(id).await).0, "failed");
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_took_over_the_number_is_let_alone() {
    let (mut context, mut held, first, handle) = with_bot().await;
    let (process, began) = handle.rsplit_once(':').expect("a handle");
    let began: u64 = began.parse().expect("a number");
    let spec = context.request().await;
    context.note(spec.meeting_id, &format!("{process}:{}", began + 1)).await;
    context.report(spec.meeting_id, MeetingStatus::Stopping, TransitionSource::User).await;
    let mut context = context.restart(|_| {}).await;
    assert_eq!(context.end_of(spec.meeting_id).await.status, MeetingStatus::Completed);
    assert!(held.is_held().await, "somebody else's process was ended");
    let_go(&context);
    context.end_of(first).await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_handle_was_lost_is_found() {
    let mut context = Context::open(|bots, _| bots.process.command = script(UNTIL_TOLD)).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let spec = context.request().await;
    let handle = context.supervisor.send(spec.clone()).await.expect("a bot");
    held.receive("ready").await;
    // The bot names itself, which is no handle.
    context.report(spec.meeting_id, MeetingStatus::Joining, TransitionSource::Bot).await;
    let mut context = context.restart(|_| {}).await;
    context.report(spec.meeting_id, MeetingStatus::Stopping, TransitionSource::User).await;
    let meeting = context.end_of(spec.meeting_id).await;
    assert_eq!(meeting.bot_container_id.as_deref(), Some(&*handle));
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_without_a_bot_end_with_their_reason() {
    let mut context = Context::open(|bots, _| bots.runner = RunnerKind::None).await;
    let requested = context.request().await.meeting_id;
    let stopping = context.request().await.meeting_id;
    context.report(stopping, MeetingStatus::Stopping, TransitionSource::User).await;
    let demo = context.request().await.meeting_id;
    context.note(demo, &format!("demo:{demo}")).await;
    let container = context.request().await.meeting_id;
    context.note(container, &"ab".repeat(32)).await;
    let mut context = context.restart(|_| {}).await;
    for (id, status, reason) in [
        (requested, "failed", "the server stopped before the bot was started"),
        (stopping, "completed", "no bot was left to stop"),
        (demo, "failed", "the demo bot ended with the server"),
        (container, "failed", "the bot was started by a runner that is no longer set"),
    ] {
        let mut ended = None;
        while ended.is_none() {
            let open = context.store.open_meetings().await.expect("meetings");
            let name = |bot: &vomeet::store::BotAtWork| bot.meeting.id == id;
            if open.iter().any(name) {
                context.next().await;
            } else {
                ended = context.store.meeting_of_bot(id).expect("a row");
            }
        }
        let (found, _, why) = outcome(&ended.expect("a meeting"));
        assert_eq!((found, why.as_str()), (status, reason));
    }
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_being_started_is_let_alone() {
    let mut context =
        Context::open_in_still_time(|bots, _| bots.process.command = script(UNTIL_TOLD)).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let old = context.request().await.meeting_id;
    context.clock.advance(Duration::from_secs(25));
    let spec = context.request().await;
    // The round that ends the one that nobody starts has seen both.
    context.clock.advance(Duration::from_secs(25));
    context.end_of(old).await;
    let requested =
        context.store.meeting_of_bot(spec.meeting_id).expect("a row").expect("a meeting");
    assert_eq!(requested.status, MeetingStatus::Requested);
    context.send(&spec).await;
    held.receive("ready").await;
    let_go(&context);
    context.report(spec.meeting_id, MeetingStatus::Completed, TransitionSource::Bot).await;
    assert_eq!(context.end_of(spec.meeting_id).await.status, MeetingStatus::Completed);
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_overtakes_the_start_is_heard() {
    let mut context = Context::open(|bots, _| bots.process.command = script("echo started")).await;
    let spec = context.request().await;
    context.report(spec.meeting_id, MeetingStatus::Stopping, TransitionSource::User).await;
    let why = context.supervisor.send(spec.clone()).await.expect_err("no bot");
    assert!(why.contains("told to leave"), "{why}");
    assert!(!context.output_path(spec.meeting_id).exists());
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_takes_up_what_runs_again_and_again() {
    let (context, mut held, id, handle) = with_bot().await;
    let (folder, _) = context.stop().await;
    let serve = || {
        let serve = Launch::serve(folder.path()).env("VOMEET_BOTS_RUNNER", "process");
        serve.env("VOMEET_BOTS_PROCESS_COMMAND", r#"["true"]"#)
    };
    for killed in [true, false, true] {
        let mut server = serve().start();
        let taken_up = format!("meeting {id}: taken up, with {handle}");
        assert!(server.stderr.find(&taken_up).is_some(), "{}", server.stderr.text);
        let ended = if killed { server.kill() } else { server.terminate() };
        assert_eq!(ended.status.success(), !killed);
        assert!(held.is_held().await, "the bot goes on");
    }
    let mut server = serve().start();
    std::fs::write(folder.path().join("leave"), "").expect("a file");
    assert!(server.stderr.find("the bot's process is gone").is_some(), "{}", server.stderr.text);
    server.terminate();
    let file = rusqlite::Connection::open(folder.path().join("vomeet.db")).expect("a file");
    let status: String =
        file.query_row("SELECT status FROM meetings", [], |row| row.get(0)).expect("a row");
    assert_eq!(status, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_meeting_is_over_is_not_left_behind_by_a_stop() {
    let set = |bots: &mut Bots, _: &Path| {
        bots.process.command = script(UNTIL_TOLD);
        bots.grace = Duration::from_secs(2);
    };
    let mut context = Context::open(set).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(context.send_one().await.0);
    }
    held.receive("ready").await;
    futures_util::future::join_all(
        all.iter().map(|id| context.report(*id, MeetingStatus::Completed, TransitionSource::Bot)),
    )
    .await;
    context.stop().await;
    held.gone().await;
}
