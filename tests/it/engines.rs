//! `GET /admin/transcription`: the engines, how they do, how far words are behind their sound, and
//! what is withheld.

use crate::client::{Client, fields, wait_for};
use crate::fake_engine::{FakeEngine, phrase};
use crate::hearing::{said, say, socket};
use crate::saying_engine::{Does, SayingEngine};
use crate::segments::{Session, insert_session};
use crate::server::{Server, Setup, still_clock};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use std::time::Duration;
use vomeet::clock::Clock;

const PATH: &str = "/admin/transcription";

/// A server with these engines, a bot in a meeting, and the key of its user.
fn start(engines: &str, clock: &Clock) -> (Server, Session, String) {
    let mut made = None;
    let setup = Setup::new().clock(clock).rows(|db| {
        let key = insert_token(db, 1, None);
        made = Some((insert_session(db, 1, "abc-defg-hij"), key));
    });
    std::fs::write(setup.folder().join("vomeet.toml"), engines).expect("written");
    let (session, key) = made.expect("rows");
    (setup.start(), session, key)
}

fn get(server: &Client) -> Value {
    server.get(PATH).admin().send().expect(200)
}

fn engine(server: &Client) -> Value {
    get(server)["engines"][0].clone()
}

#[test]
fn without_an_engine_there_is_none() {
    let server = Server::start();
    let shown = get(&server);
    let names =
        ["at", "engines", "live", "since", "user_engines", "waiting", "windows", "withheld"];
    assert_eq!(fields(&shown), names);
    assert_eq!((&shown["engines"], &shown["user_engines"]), (&json!([]), &json!(false)));
    assert_eq!(shown["live"], json!({ "meetings": 0, "meetings_max": null, "sounds": 0 }));
    let none = json!({ "live": 0, "recordings": 0, "oldest_live_at": null });
    assert_eq!(shown["waiting"], none);
    let none = json!({ "repeats": 0, "unsure": 0, "known_of_silence": 0, "no_voice": 0 });
    assert_eq!(shown["withheld"], none);
    let own = Setup::new().set("VOMEET_TRANSCRIPTION_USER_ENGINES", "true").start();
    assert_eq!(get(&own)["user_engines"], true);
}

#[test]
fn an_engine_is_shown_while_it_is_untried_well_busy_and_away() {
    let (fake, clock) = (FakeEngine::start(), still_clock());
    let (server, session, key) = start(&fake.settings(), &clock);
    let untried = engine(&server);
    assert_eq!(
        (&untried["name"], &untried["kind"], &untried["model"], &untried["health"]),
        (&json!("fake"), &json!("server"), &json!("marks"), &json!("untried"))
    );
    for name in ["answered_at", "last_failure", "sound_per_second", "seconds_max"] {
        assert_eq!(untried[name], Value::Null, "{name}");
    }
    let counts = (&untried["requests"], &untried["requests_now"], &untried["requests_max"]);
    assert_eq!(counts, (&json!(0), &json!(0), &json!(2)));

    let mut bot = socket(&server, "first", &session.token);
    say(&mut bot, &phrase(0));
    wait_for(|| (said(&server, &key).len() == 1).then_some(()));
    let well = engine(&server);
    assert_eq!((&well["health"], &well["last_failure"]), (&json!("well"), &Value::Null));
    assert_eq!(well["answered_at"], clock.now().to_string());
    assert!(well["requests"].as_u64() >= Some(1), "{well}");
    assert!(well["sound_seconds"].as_f64() > Some(1.0), "{well}");
    // By a clock that stands still it takes no time.
    assert!(well["sound_per_second"].as_f64() >= Some(1.0), "{well}");
    let live = get(&server)["live"].clone();
    assert_eq!((&live["meetings"], &live["sounds"]), (&json!(1), &json!(1)), "{live}");
    assert!(live["meetings_max"].as_u64() > Some(1), "{live}");

    fake.hold(true);
    say(&mut bot, &phrase(1));
    wait_for(|| (engine(&server)["requests_now"].as_u64() >= Some(1)).then_some(()));
    wait_for(|| (get(&server)["waiting"]["live"] == 1).then_some(()));
    let since = get(&server)["waiting"]["oldest_live_at"].clone();
    assert!(since.as_str() > Some("2020"), "{since}");

    fake.set_away(true);
    fake.hold(false);
    let resting = wait_for(|| Some(engine(&server)).filter(|one| one["health"] == "resting"));
    let failure = &resting["last_failure"];
    assert!(failure["why"].as_str().is_some_and(|why| why.contains("fake")), "{failure}");
    assert_eq!(failure["at"], clock.now().to_string());
    assert!(resting["failures"]["status"].as_u64() >= Some(1), "{resting}");
    assert_eq!(get(&server)["live"]["meetings_max"], Value::Null, "none is refused now");

    fake.set_away(false);
    wait_for(|| {
        clock.advance(Duration::from_secs(5));
        (said(&server, &key).len() == 2).then_some(())
    });
    let again = engine(&server);
    assert_eq!(again["health"], "well");
    assert_eq!(again["last_failure"], *failure, "what it said last stays");
    wait_for(|| (get(&server)["waiting"]["live"] == 0).then_some(()));
    drop(bot);
    wait_for(|| (get(&server)["live"]["meetings"] == 0).then_some(()));
}

#[test]
fn what_is_withheld_is_counted_by_its_reason() {
    let saying = SayingEngine::start(Does::Says("Thank you for watching!"));
    let clock = still_clock();
    let (server, session, _) = start(&saying.settings("one"), &clock);
    let mut bot = socket(&server, "first", &session.token);
    say(&mut bot, &phrase(0));
    let shown = wait_for(|| {
        let shown = get(&server);
        (shown["withheld"]["known_of_silence"] == 1).then_some(shown)
    });
    assert_eq!(shown["windows"]["withheld"], 1, "{shown}");
    assert_eq!(shown["withheld"]["unsure"], 0, "{shown}");
    let metrics = server.get("/metrics").send().text().to_owned();
    let line = "vomeet_transcription_withheld_total{reason=\"known_of_silence\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
    drop(bot);
}
