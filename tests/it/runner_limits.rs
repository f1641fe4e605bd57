//! A bot that does not get on is ended after the time of each state, and its meeting says why.

use crate::runner_bots::{Context, Pipe, outcome, script};
use futures_util::future::join_all;
use std::path::Path;
use std::time::{Duration, Instant};
use vomeet::clock::later;
use vomeet::config::{Bots, StateTimeouts};
use vomeet::domain::{MeetingStatus, TransitionSource};

const HANGS: &str = "exec 9>held; echo ready >&9; exec sleep 1000";
const SECOND: Duration = Duration::from_secs(1);
/// What a state may last in these tests; only the clock that they move tells when it is over.
const LIMIT: Duration = Duration::from_secs(90);

fn set(bots: &mut Bots, _: &Path) {
    bots.process.command = script(HANGS);
    bots.grace = SECOND;
    let long = Duration::from_hours(1);
    bots.state_timeouts = StateTimeouts {
        requested: long,
        joining: long,
        awaiting_admission: long,
        active: long,
        stopping: long,
    };
}

/// Which time a state has.
type Limit = fn(&mut StateTimeouts) -> &mut Duration;

#[tokio::test(flavor = "multi_thread")]
async fn each_state_has_its_time() {
    let rows: [(MeetingStatus, Limit, (&str, &str, &str)); 4] = [
        (
            MeetingStatus::Requested,
            |all| &mut all.requested,
            ("failed", "requested", "the bot did not report within 90 s"),
        ),
        (
            MeetingStatus::Joining,
            |all| &mut all.joining,
            ("failed", "joining", "the bot was on its way for more than 90 s"),
        ),
        (
            MeetingStatus::AwaitingAdmission,
            |all| &mut all.awaiting_admission,
            ("completed", "awaiting_admission_timeout", "nobody let the bot in within 90 s"),
        ),
        (
            MeetingStatus::Active,
            |all| &mut all.active,
            ("stopping", "", "the meeting was longer than 90 s"),
        ),
    ];
    // Each bot has its grace: at the same time.
    join_all(rows.map(|(state, limit, expected)| its_time_is_up(state, limit, expected))).await;
}

async fn its_time_is_up(state: MeetingStatus, limit: Limit, expected: (&str, &str, &str)) {
    let all = |bots: &mut Bots, folder: &Path| {
        set(bots, folder);
        *limit(&mut bots.state_timeouts) = LIMIT;
    };
    let mut context = Context::open_in_still_time(all).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    if state != MeetingStatus::Requested {
        context.report(id, state, TransitionSource::Bot).await;
        assert_eq!(context.next().await.status, state);
    }
    let time_up = later(context.clock.now(), LIMIT);
    context.clock.set(time_up.plus_seconds(-1));
    assert_eq!(context.store.meeting_of_bot(id).expect("a row").expect("a meeting").status, state);
    context.clock.set(time_up);
    let (status, why, reason) = outcome(&context.next().await);
    assert_eq!((status, why.as_str(), reason.as_str()), expected, "{state:?}");
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_does_not_leave_is_taken_for_gone() {
    let all = |bots: &mut Bots, folder: &Path| {
        set(bots, folder);
        bots.process.command =
            script("trap '' TERM; exec 9>held; echo ready >&9; while :; do sleep 0.05; done");
        bots.state_timeouts.stopping = LIMIT;
    };
    let mut context = Context::open_in_still_time(all).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    // So long ago that its time is up before its process can be killed.
    let began = context.clock.now();
    context.clock.advance(LIMIT);
    context.report_at(id, MeetingStatus::Stopping, TransitionSource::User, began).await;
    let meeting = context.end_of(id).await;
    assert_eq!(
        outcome(&meeting),
        ("completed", "stopped".to_owned(), "the bot did not leave within 90 s".to_owned())
    );
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_counts_through_a_restart() {
    let mut context = Context::open_in_still_time(set).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    context.clock.advance(LIMIT);
    let mut context = context.restart(|bots| bots.state_timeouts.requested = LIMIT).await;
    let meeting = context.end_of(id).await;
    assert_eq!(outcome(&meeting).2, "the bot did not report within 90 s");
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_does_not_lengthen_the_time() {
    let mut context = Context::open_in_still_time(set).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, handle) = context.send_one().await;
    held.receive("ready").await;
    context.report(id, MeetingStatus::Joining, TransitionSource::Bot).await;
    context.clock.advance(LIMIT);
    context.note(id, &handle).await;
    let mut context = context.restart(|bots| bots.state_timeouts.joining = LIMIT).await;
    let meeting = context.end_of(id).await;
    assert_eq!(outcome(&meeting).2, "the bot was on its way for more than 90 s");
    held.gone().await;
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_has_the_grace_after_its_last_word() {
    let mut context = Context::open(set).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    let said = Instant::now();
    context.report(id, MeetingStatus::Completed, TransitionSource::Bot).await;
    held.gone().await;
    assert!(said.elapsed() >= SECOND, "{:?}", said.elapsed());
    context.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bots_own_word_wins() {
    let all = |bots: &mut Bots, folder: &Path| {
        set(bots, folder);
        bots.process.command =
            script("exec 9>held; echo ready >&9; until [ -e leave ]; do sleep 0.05; done; exit 1");
    };
    let mut context = Context::open_in_still_time(all).await;
    let mut held = Pipe::new(context.folder.path(), "held");
    let (id, _) = context.send_one().await;
    held.receive("ready").await;
    std::fs::write(context.folder.path().join("leave"), "").expect("a file");
    held.gone().await;
    // Its last callback is handled after its process is gone, and the clock says that there is time
    // for it.
    assert!(context.is_quiet_for(Duration::from_millis(200)).await);
    context.report(id, MeetingStatus::Completed, TransitionSource::Bot).await;
    let meeting = context.end_of(id).await;
    assert_eq!(outcome(&meeting), ("completed", "stopped".to_owned(), String::new()));
    context.stop().await;
}
