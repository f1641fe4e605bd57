//! A bot that does not get on is ended after the time of each state, and its meeting says why.

use crate::runner_bots::{House, Pipe, now, outcome, script};
use std::path::Path;
use std::time::{Duration, Instant};
use vomeet::config::{Bots, Patience};
use vomeet::domain::{Cause, MeetingStatus};

const HANGS: &str = "exec 9>held; echo ready >&9; exec sleep 1000";
const SECOND: Duration = Duration::from_secs(1);

fn set(bots: &mut Bots, _: &Path) {
    bots.process.command = script(HANGS);
    bots.grace = SECOND;
    let long = Duration::from_hours(1);
    bots.patience = Patience { requested: long, joining: long, awaiting_admission: long, active: long, stopping: long };
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_has_its_time() {
    type Limit = fn(&mut Patience) -> &mut Duration;
    let rows: [(MeetingStatus, Limit, (&str, &str, &str)); 4] = [
        (
            MeetingStatus::Requested,
            |all| &mut all.requested,
            ("failed", "requested", "the bot did not report within 1 s"),
        ),
        (
            MeetingStatus::Joining,
            |all| &mut all.joining,
            ("failed", "joining", "the bot was on its way for more than 1 s"),
        ),
        (
            MeetingStatus::AwaitingAdmission,
            |all| &mut all.awaiting_admission,
            ("completed", "awaiting_admission_timeout", "nobody let the bot in within 1 s"),
        ),
        (MeetingStatus::Active, |all| &mut all.active, ("completed", "stopped", "the bot was ended by signal 15")),
    ];
    for (state, limit, expected) in rows {
        let all = |bots: &mut Bots, folder: &Path| {
            set(bots, folder);
            *limit(&mut bots.patience) = SECOND;
        };
        let mut house = House::open(all).await;
        let mut held = Pipe::new(house.folder.path(), "held");
        let began = Instant::now();
        let (id, _) = house.send_one().await;
        held.hear("ready").await;
        if state != MeetingStatus::Requested {
            house.report(id, state, Cause::Bot).await;
        }
        let (status, why, reason) = outcome(&house.end_of(id).await);
        assert_eq!((status, why.as_str(), reason.as_str()), expected, "{state:?}");
        assert!(began.elapsed() >= SECOND, "{state:?}");
        held.gone().await;
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_does_not_leave_is_taken_for_gone() {
    let all = |bots: &mut Bots, folder: &Path| {
        set(bots, folder);
        bots.process.command = script("trap '' TERM; exec 9>held; echo ready >&9; while :; do sleep 0.05; done");
        bots.grace = Duration::from_secs(3);
        bots.patience.stopping = SECOND;
    };
    let mut house = House::open(all).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let (id, _) = house.send_one().await;
    held.hear("ready").await;
    house.report(id, MeetingStatus::Stopping, Cause::User).await;
    let meeting = house.end_of(id).await;
    assert_eq!(outcome(&meeting), ("completed", "stopped".to_owned(), "the bot did not leave within 1 s".to_owned()));
    held.gone().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_counts_through_a_restart() {
    let mut house = House::open(set).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let order = house.request_at(now().plus_seconds(-100)).await;
    house.send(&order).await;
    held.hear("ready").await;
    let mut house = house.restart(|bots| bots.patience.requested = Duration::from_secs(90)).await;
    let meeting = house.end_of(order.meeting_id).await;
    assert_eq!(outcome(&meeting).2, "the bot did not report within 90 s");
    held.gone().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_does_not_lengthen_the_time() {
    let mut house = House::open(set).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let (id, handle) = house.send_one().await;
    held.hear("ready").await;
    house.report_at(id, MeetingStatus::Joining, Cause::Bot, now().plus_seconds(-100)).await;
    house.note(id, &handle).await;
    let mut house = house.restart(|bots| bots.patience.joining = Duration::from_secs(90)).await;
    let meeting = house.end_of(id).await;
    assert_eq!(outcome(&meeting).2, "the bot was on its way for more than 90 s");
    held.gone().await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_has_the_grace_after_its_last_word() {
    let mut house = House::open(set).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let (id, _) = house.send_one().await;
    held.hear("ready").await;
    let said = Instant::now();
    house.report(id, MeetingStatus::Completed, Cause::Bot).await;
    held.gone().await;
    assert!(said.elapsed() >= SECOND, "{:?}", said.elapsed());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bots_own_word_wins() {
    let all = |bots: &mut Bots, folder: &Path| {
        set(bots, folder);
        bots.process.command = script("exec 9>held; echo ready >&9; until [ -e leave ]; do sleep 0.05; done; exit 1");
    };
    let mut house = House::open(all).await;
    let mut held = Pipe::new(house.folder.path(), "held");
    let (id, _) = house.send_one().await;
    held.hear("ready").await;
    std::fs::write(house.folder.path().join("leave"), "").expect("a file");
    held.gone().await;
    // Its last callback is handled after its process is gone.
    assert!(house.is_quiet_for(Duration::from_millis(200)).await);
    house.report(id, MeetingStatus::Completed, Cause::Bot).await;
    let meeting = house.end_of(id).await;
    assert_eq!(outcome(&meeting), ("completed", "stopped".to_owned(), String::new()));
    house.stop().await;
}
