//! Bots outlive the server: at the next start each is found again, or its meeting is ended with its reason.

use crate::process::Launch;
use crate::runner_bots::{House, Pipe, now, outcome, script};
use std::path::Path;
use std::time::Duration;
use vomeet::config::{Bots, RunnerKind};
use vomeet::domain::{Cause, MeetingStatus};

/// Says that it is ready, and ends with this code once the file `leave` is there.
const UNTIL_TOLD: &str = "exec 9>held; echo ready >&9; until [ -e leave ]; do sleep 0.05; done; exit 7";

async fn with_bot() -> (House, Pipe, vomeet::domain::MeetingId, String) {
    let mut house = House::open(|bots, _| bots.process.command = script(UNTIL_TOLD)).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let (id, handle) = house.send_one().await;
    held.hear("ready").await;
    house.report(id, MeetingStatus::Active, Cause::Bot).await;
    (house, held, id, handle)
}

fn let_go(house: &House) {
    std::fs::write(house.folder.path().join("leave"), "").expect("a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_outlives_the_server_and_its_end_is_seen() {
    let (house, mut held, id, _) = with_bot().await;
    let mut house = house.restart(|_| {}).await;
    assert!(held.is_held().await, "the bot goes on");
    let_go(&house);
    let meeting = house.end_of(id).await;
    let reason = "the bot's process is gone; its exit code is not known".to_owned();
    assert_eq!(outcome(&meeting), ("failed", "active".to_owned(), reason));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_bot_can_be_stopped() {
    let (house, mut held, id, _) = with_bot().await;
    let mut house = house.restart(|_| {}).await;
    house.report(id, MeetingStatus::Stopping, Cause::User).await;
    assert_eq!(house.end_of(id).await.status, MeetingStatus::Completed);
    held.gone().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_was_to_leave_is_told_again() {
    let (mut house, mut held, id, _) = with_bot().await;
    house.next().await;
    let (folder, settings) = house.stop().await;
    // The server was killed between the commit and the signal.
    let path = folder.path().join("vomeet.db");
    rusqlite::Connection::open(path)
        .expect("a file")
        .execute("UPDATE meetings SET status = 'stopping'", [])
        .expect("a row");
    let mut house = House::start(folder, settings);
    assert_eq!(house.end_of(id).await.status, MeetingStatus::Completed);
    held.gone().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_ended_meanwhile_is_not_taken_for_alive() {
    let (house, mut held, id, _) = with_bot().await;
    let (folder, settings) = house.stop().await;
    std::fs::write(folder.path().join("leave"), "").expect("a file");
    held.gone().await;
    let mut house = House::start(folder, settings);
    assert_eq!(outcome(&house.end_of(id).await).0, "failed");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_took_over_the_number_is_let_alone() {
    let (mut house, mut held, first, handle) = with_bot().await;
    let (process, began) = handle.rsplit_once(':').expect("a handle");
    let began: u64 = began.parse().expect("a number");
    let order = house.request().await;
    house.note(order.meeting_id, &format!("{process}:{}", began + 1)).await;
    house.report(order.meeting_id, MeetingStatus::Stopping, Cause::User).await;
    let mut house = house.restart(|_| {}).await;
    assert_eq!(house.end_of(order.meeting_id).await.status, MeetingStatus::Completed);
    assert!(held.is_held().await, "somebody else's process was ended");
    let_go(&house);
    house.end_of(first).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_handle_was_lost_is_found() {
    let mut house = House::open(|bots, _| bots.process.command = script(UNTIL_TOLD)).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let order = house.request().await;
    let handle = house.supervisor.send(order.clone()).await.expect("a bot");
    held.hear("ready").await;
    // The bot names itself, which is no handle.
    house.report(order.meeting_id, MeetingStatus::Joining, Cause::Bot).await;
    let mut house = house.restart(|_| {}).await;
    house.report(order.meeting_id, MeetingStatus::Stopping, Cause::User).await;
    let meeting = house.end_of(order.meeting_id).await;
    assert_eq!(meeting.bot_container_id.as_deref(), Some(&*handle));
    held.gone().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn meetings_without_a_bot_end_with_their_reason() {
    let mut house = House::open(|bots, _| bots.runner = RunnerKind::None).await;
    let requested = house.request().await.meeting_id;
    let stopping = house.request().await.meeting_id;
    house.report(stopping, MeetingStatus::Stopping, Cause::User).await;
    let demo = house.request().await.meeting_id;
    house.note(demo, &format!("demo:{demo}")).await;
    let container = house.request().await.meeting_id;
    house.note(container, &"ab".repeat(32)).await;
    let mut house = house.restart(|_| {}).await;
    for (id, status, reason) in [
        (requested, "failed", "the server stopped before the bot was started"),
        (stopping, "completed", "no bot was left to stop"),
        (demo, "failed", "the demo bot ended with the server"),
        (container, "failed", "the bot was started by a runner that is no longer set"),
    ] {
        let mut ended = None;
        while ended.is_none() {
            let open = house.store.open_meetings(None).await.expect("meetings");
            let name = |bot: &vomeet::store::BotAtWork| bot.meeting.id == id;
            if open.iter().any(name) {
                house.next().await;
            } else {
                ended = house.store.meeting_of_bot(id).expect("a row");
            }
        }
        let (found, _, why) = outcome(&ended.expect("a meeting"));
        assert_eq!((found, why.as_str()), (status, reason));
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_is_being_started_is_let_alone() {
    let mut house = House::open(|bots, _| bots.process.command = script("exit 0")).await;
    let order = house.request().await;
    // Another that nobody starts, requested so long ago that nobody will: the round that ends it has seen both.
    let old = house.request_at(now().plus_seconds(-31)).await.meeting_id;
    house.end_of(old).await;
    let requested = house.store.meeting_of_bot(order.meeting_id).expect("a row").expect("a meeting");
    assert_eq!(requested.status, MeetingStatus::Requested);
    house.send(&order).await;
    assert_eq!(house.end_of(order.meeting_id).await.status, MeetingStatus::Completed);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_overtakes_the_start_is_heard() {
    let mut house = House::open(|bots, _| bots.process.command = script("echo started")).await;
    let order = house.request().await;
    house.report(order.meeting_id, MeetingStatus::Stopping, Cause::User).await;
    let why = house.supervisor.send(order.clone()).await.expect_err("no bot");
    assert!(why.contains("told to leave"), "{why}");
    assert!(!house.output_path(order.meeting_id).exists());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_takes_up_what_runs_again_and_again() {
    let (house, mut held, id, handle) = with_bot().await;
    let (folder, _) = house.stop().await;
    let serve = || Launch::serve(folder.path()).env("VOMEET_BOTS_RUNNER", "process");
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
    let status: String = file.query_row("SELECT status FROM meetings", [], |row| row.get(0)).expect("a row");
    assert_eq!(status, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_meeting_is_over_is_not_left_behind_by_a_stop() {
    let set = |bots: &mut Bots, _: &Path| {
        bots.process.command = script(UNTIL_TOLD);
        bots.grace = Duration::from_secs(2);
    };
    let mut house = House::open(set).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let mut all = Vec::new();
    for _ in 0..20 {
        all.push(house.send_one().await.0);
    }
    held.hear("ready").await;
    futures_util::future::join_all(all.iter().map(|id| house.report(*id, MeetingStatus::Completed, Cause::Bot))).await;
    house.stop().await;
    held.gone().await;
}
