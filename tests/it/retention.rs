//! Retention by age: what is old goes by itself at the start, what is younger or goes on stays, and
//! nothing goes unasked.

use crate::bots::setup;
use crate::client::{find, wait_for};
use crate::secrets::everything;
use crate::segments::insert_session;
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use crate::transcripts::insert_segments;
use rusqlite::{Connection, params};
use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime};
use vomeet::clock::{Clock, later};
use vomeet::domain::Time;

const DAY_MS: i64 = 86_400_000;
const DAY: Duration = Duration::from_hours(24);

/// Meetings 1 to 6, each with 250 segments, a log and an event: how each stands, how many days ago
/// it ended (or last changed, where it has no end), and whether that is older than the tests' ten
/// days.
const MEETINGS: [(&str, Option<i64>, i64, bool); 6] = [
    ("completed", Some(11), 11, true),
    ("failed", None, 11, true),
    ("completed", Some(9), 9, false),
    ("active", None, 400, false),
    ("stopping", None, 400, false),
    ("completed", Some(11), 1, true),
];

fn insert_meetings(db: &Connection) {
    let now = jiff::Timestamp::now().as_millisecond();
    insert_token(db, 1, None);
    for ((status, ended, changed, _), n) in MEETINGS.into_iter().zip(1..) {
        insert_session(db, 1, &format!("abc-defg-h{n}j"));
        let end = ended.map(|days| now - days * DAY_MS);
        let sql = "UPDATE meetings SET status = ?2, end_time = ?3, updated_at = ?4, data = '{\"name\": \"zqname\"}' WHERE id = ?1";
        db.execute(sql, params![n, status, end, now - changed * DAY_MS]).expect("a meeting");
        insert_segments(db, n, 450, &format!("zqword{n}"));
        let sql = "INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts) VALUES (1, ?1, '', '{}', 0, 1)";
        db.execute(sql, [n]).expect("an event");
    }
    db.execute_batch("INSERT INTO words (rowid, owner, speaker, text) SELECT id, 'u1', speaker, text FROM segments")
        .expect("an index");
}

/// What a bot printed, as old as its meeting; meeting 7 is not there any more.
fn insert_logs(setup: &Setup) {
    let folder = setup.folder().join("logs");
    fs::create_dir(&folder).expect("a folder");
    for (n, days) in (1..).zip(
        MEETINGS.map(|(_, ended, changed, _)| ended.unwrap_or(changed)).into_iter().chain([400]),
    ) {
        let file = File::create(folder.join(format!("meeting-{n}.log"))).expect("a file");
        let age = Duration::from_secs(u64::try_from(days).expect("days") * 86_400);
        file.set_times(FileTimes::new().set_modified(SystemTime::now() - age)).expect("its age");
    }
    fs::write(folder.join("another.log"), "").expect("written");
}

fn start(variables: &[&str]) -> Server {
    prepare(variables).start()
}

fn prepare(variables: &[&str]) -> Setup {
    let setup = setup().rows(insert_meetings);
    insert_logs(&setup);
    variables.iter().fold(setup, |setup, variable| setup.set(variable, "10"))
}

/// The meetings of which there are rows in a table, and those of which there is a log.
fn left(setup: &Setup, sql: &str) -> Vec<i64> {
    let mut found = Vec::new();
    crate::server::open_file(&setup.database(), |db| {
        let mut list = db.prepare(sql).expect("a query");
        found = list
            .query_map([], |row| row.get(0))
            .expect("rows")
            .map(|id| id.expect("an id"))
            .collect();
    });
    found
}

fn logs(setup: &Setup) -> Vec<i64> {
    (1..=7).filter(|n| setup.folder().join(format!("logs/meeting-{n}.log")).exists()).collect()
}

const MEETING_ROWS: &str = "SELECT id FROM meetings ORDER BY id";
const NAMED: &str = "SELECT id FROM meetings WHERE data = '{\"name\": \"zqname\"}' ORDER BY id";
const SEGMENTS: &str = "SELECT DISTINCT meeting_id FROM segments ORDER BY 1";
const EVENTS: &str = "SELECT DISTINCT meeting_id FROM deliveries ORDER BY 1";

/// Those that are kept.
fn young() -> Vec<i64> {
    (1..).zip(MEETINGS).filter(|(_, (.., is_old))| !is_old).map(|(n, _)| n).collect()
}

/// Waits until the first sweep is over: what it removed last is gone from the files as well.
fn wait_until_swept(server: &Server, done: impl Fn(&Server) -> bool) {
    wait_for(|| done(server).then_some(()));
    wait_for(|| {
        server.get("/metrics").send().text().contains("vomeet_erasures_waiting 0").then_some(())
    });
}

fn segments_of(server: &Server, n: i64) -> usize {
    let whole = server.get("/admin/users/1/export").admin().send().expect(200);
    let meetings = whole["meetings"].as_array().expect("meetings");
    let meeting = meetings.iter().find(|meeting| meeting["id"] == n);
    meeting.map_or(0, |meeting| meeting["segments"].as_array().expect("segments").len())
}

#[test]
fn old_words_go_and_their_meetings_stay() {
    let server = start(&["VOMEET_RETENTION_TRANSCRIPTS_DAYS"]);
    wait_until_swept(&server, |server| segments_of(server, 6) == 0);
    let setup = server.stop();
    assert_eq!(left(&setup, MEETING_ROWS), [1, 2, 3, 4, 5, 6]);
    assert_eq!((left(&setup, SEGMENTS), left(&setup, EVENTS)), (young(), young()));
    assert!(
        left(&setup, NAMED).iter().all(|id| young().contains(id)),
        "what is personal went as well"
    );
    for (n, (.., is_old)) in (1..).zip(MEETINGS) {
        let word = format!("zqword{n}");
        let is_found = |bytes: &Vec<u8>| find(bytes, word.as_bytes()).is_some();
        let database = &everything_but_logs(&setup);
        assert_eq!(database.iter().any(is_found), !is_old, "{word}");
    }
}

fn everything_but_logs(setup: &Setup) -> Vec<Vec<u8>> {
    fs::remove_dir_all(setup.folder().join("logs")).ok();
    everything(setup.folder()).into_values().collect()
}

#[test]
fn old_meetings_go_whole() {
    let server = start(&["VOMEET_RETENTION_MEETINGS_DAYS"]);
    wait_until_swept(&server, |server| {
        server.get("/admin/users/1/export").admin().send().expect(200)["meetings"]
            .as_array()
            .map(Vec::len)
            == Some(3)
    });
    let setup = server.stop();
    assert_eq!((left(&setup, MEETING_ROWS), left(&setup, SEGMENTS)), (young(), young()));
    assert_eq!((left(&setup, EVENTS), logs(&setup)), (young(), [3, 4, 5, 7].into()));
    assert_eq!(left(&setup, "SELECT meeting_id FROM sessions ORDER BY 1"), young());
}

#[test]
fn what_becomes_old_while_the_server_runs_goes_too() {
    let clock = still_clock();
    let server = prepare(&["VOMEET_RETENTION_MEETINGS_DAYS"]).clock(&clock).start();
    let meetings = |server: &Server| {
        let body = server.get("/admin/users/1/export").admin().send().expect(200);
        body["meetings"].as_array().map(Vec::len)
    };
    wait_until_swept(&server, |server| meetings(server) == Some(3));
    // Of those that are kept, one ended nine days ago; the others go on.
    clock.advance(Duration::from_hours(25));
    wait_until_swept(&server, |server| meetings(server) == Some(2));
    let setup = server.stop();
    assert_eq!(left(&setup, MEETING_ROWS), [4, 5]);
}

#[test]
fn old_output_goes_and_nothing_else() {
    let server = start(&["VOMEET_RETENTION_BOT_LOGS_DAYS"]);
    let gone = |n: i64| !server.folder().join(format!("logs/meeting-{n}.log")).exists();
    wait_for(|| [1, 2, 6, 7].into_iter().all(gone).then_some(()));
    let setup = server.stop();
    assert_eq!(logs(&setup), young());
    assert!(setup.folder().join("logs/another.log").exists(), "it is none of ours");
    assert_eq!(
        (left(&setup, MEETING_ROWS), left(&setup, SEGMENTS)),
        ((1..=6).collect(), (1..=6).collect())
    );
}

#[test]
fn without_a_setting_everything_is_kept() {
    let server = start(&[]);
    assert_eq!(segments_of(&server, 1), 450);
    let setup = server.stop();
    assert_eq!((left(&setup, SEGMENTS), logs(&setup)), ((1..=6).collect(), (1..=7).collect()));
    // Meeting 5 has no bot that could leave, so the server has ended it.
    assert_eq!(left(&setup, NAMED), [1, 2, 3, 4, 6]);
}

/// A clock that is wrong by a year would delete everything: it is not believed at once.
#[test]
fn a_clock_that_leaps_deletes_nothing_for_a_day() {
    let clock = still_clock();
    let setup = prepare(&["VOMEET_RETENTION_TRANSCRIPTS_DAYS"]);
    let server = setup.clock(&clock).start();
    wait_until_swept(&server, |server| segments_of(server, 6) == 0);
    let setup = server.stop();
    let (kept, right) = (left(&setup, SEGMENTS), clock.now());
    assert_eq!(kept, young(), "the test itself");
    // A start with a clock that is ahead, and one with the right one.
    clock.set(later(right, 400 * DAY));
    let server = setup.start();
    assert_eq!(time_of_sweeps(&server), right);
    clock.advance(Duration::from_mins(24 * 60 - 1));
    assert_eq!(time_of_sweeps(&server), right);
    let setup = server.stop();
    assert_eq!(left(&setup, SEGMENTS), kept, "words were deleted");
    clock.set(later(right, Duration::from_hours(2)));
    let server = setup.start();
    assert_eq!(time_of_sweeps(&server), clock.now());
    let known = server.app.store.known_time().expect("a read").expect("a time");
    assert_eq!((known.latest, known.doubted), (clock.now(), None));
    let setup = server.stop();
    assert_eq!(left(&setup, SEGMENTS), kept);
    // A clock that stays so is right: the server had rested.
    clock.set(later(right, 400 * DAY));
    let server = setup.start();
    assert_eq!(time_of_sweeps(&server), later(right, Duration::from_hours(2)));
    clock.advance(DAY);
    assert_eq!(time_of_sweeps(&server), clock.now());
    wait_for(|| (segments_of(&server, 3) == 0).then_some(()));
}

/// How long a server has run with a clock that is ahead is known to the next one.
#[test]
fn a_restart_neither_begins_the_day_of_doubt_anew_nor_ends_it() {
    let clock = still_clock();
    let (mut setup, mut believed) = noted(&clock);
    clock.advance(400 * DAY);
    // Three runs of nine hours, and a rest between two of them: a day is over in the third.
    for run in 1..=3 {
        let server = setup.start();
        assert_eq!(time_of_sweeps(&server), believed, "run {run}");
        clock.advance(Duration::from_hours(5));
        assert_eq!(time_of_sweeps(&server), believed, "run {run}");
        clock.advance(Duration::from_hours(4));
        if run == 3 {
            believed = clock.now();
        }
        assert_eq!(time_of_sweeps(&server), believed, "run {run}");
        setup = server.stop();
        clock.advance(Duration::from_hours(if run == 1 { 60 } else { 0 }));
    }
    // Twenty hours with a clock that is ahead, and then one that is ahead of it: the first is right
    // when a day is over in which no clock was behind it, and the other has a day of its own.
    clock.advance(400 * DAY);
    let server = setup.start();
    assert_eq!(time_of_sweeps(&server), believed);
    clock.advance(Duration::from_hours(20));
    assert_eq!(time_of_sweeps(&server), believed);
    let first = clock.now();
    setup = server.stop();
    clock.advance(400 * DAY);
    let server = setup.start();
    assert_eq!(time_of_sweeps(&server), believed);
    clock.advance(Duration::from_hours(4));
    assert_eq!(time_of_sweeps(&server), first);
    clock.advance(Duration::from_hours(23));
    assert_eq!(time_of_sweeps(&server), first, "it is believed too early");
    clock.advance(Duration::from_hours(1));
    assert_eq!(time_of_sweeps(&server), clock.now());
}

/// Each Monday for eight hours: each start seems to be a leap, and what is old goes all the same.
#[test]
fn a_server_that_runs_once_a_week_deletes_by_age_some_weeks_later() {
    let clock = still_clock();
    let (mut setup, mut believed) = noted(&clock);
    let mut mondays = Vec::new();
    for week in 1..=9_usize {
        clock.advance(6 * DAY + Duration::from_hours(16));
        let server = setup.start();
        assert_eq!(time_of_sweeps(&server), believed, "week {week}");
        clock.advance(Duration::from_hours(8));
        mondays.push(clock.now());
        // A Monday is believed when the servers have run for a day with clocks that showed it or
        // later.
        if week % 3 == 0 {
            believed = mondays[week.saturating_sub(4)];
        }
        assert_eq!(time_of_sweeps(&server), believed, "week {week}");
        setup = server.stop();
    }
    // A clock that is wrong on the last of three Mondays is not believed for what the others ran.
    for week in 10..=11 {
        clock.advance(6 * DAY + Duration::from_hours(16));
        let server = setup.start();
        assert_eq!(time_of_sweeps(&server), believed, "week {week}");
        clock.advance(Duration::from_hours(8));
        assert_eq!(time_of_sweeps(&server), believed, "week {week}");
        mondays.push(clock.now());
        setup = server.stop();
    }
    clock.advance(4000 * DAY);
    let server = setup.start();
    assert_eq!(time_of_sweeps(&server), believed);
    clock.advance(Duration::from_hours(8));
    assert_eq!(time_of_sweeps(&server), mondays[8]);
    clock.advance(Duration::from_hours(23));
    assert_eq!(time_of_sweeps(&server), mondays[8], "a wrong clock is believed");
}

/// A file in which a server has noted the time, and that time.
fn noted(clock: &Clock) -> (Setup, Time) {
    let server = Setup::new().clock(clock).start();
    wait_for(|| server.app.store.known_time().expect("a read").filter(|known| known.is_noted));
    (server.stop(), clock.now())
}

/// The time by which the server deletes what is old.
fn time_of_sweeps(server: &Server) -> Time {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(server.app.erasure.sweep_time()).expect("a time")
}
