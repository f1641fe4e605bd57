//! `GET /transcripts/search`: what is found in which script, by whom, in what order, and that
//! nothing typed is a fault.

use crate::client::{Client, segment as encoded};
use crate::segments::{Session, insert_session, one_meeting};
use crate::server::{Server, Setup, open_file};
use crate::tokens::insert_token;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::path::Path;

/// What is found: a page as it is.
pub fn page(client: &Client, key: &str, query: &str) -> Value {
    client.get(format!("/transcripts/search?{query}")).user(key).send().expect(200)
}

/// The texts that are found for words, with their marks.
pub fn highlights(client: &Client, key: &str, q: &str) -> Vec<String> {
    let page = page(client, key, &format!("q={}", encoded(q)));
    let results = page["results"].as_array().expect("results").iter();
    results.map(|result| result["highlight"].as_str().expect("a highlight").to_owned()).collect()
}

/// Segments of a second each, one after the other.
fn spoken(texts: &[&str]) -> Value {
    let segment = |(n, text): (usize, &&str)| json!({"start": n, "end": n + 1, "text": text});
    texts.iter().enumerate().map(segment).collect()
}

#[test]
fn every_script_is_found_and_marked() {
    let (server, key, session) = one_meeting();
    let texts = [
        "Déjà vu at the café",
        "Die Straße ist grün, über alle Maßen",
        "Ο Οδυσσέας έφτασε στην Ιθάκη",
        "Встреча начнётся завтра",
        "الاجتماع يبدأ غدا",
        "הפגישה מתחילה מחר",
        "बैठक हिन्दी में है",
        "การประชุมเริ่มพรุ่งนี้",
        "我们明天开会讨论预算",
        "明日の会議はオンラインです",
        "내일 회의를 시작합니다",
        "Ship it 🚀 now 👍🏽 I ❤\u{fe0f} it",
        "cafe\u{301} in two pieces, 20°C",
        "ກອງປະຊຸມມື້ອື່ນ",
        "ការប្រជុំ",
        "Spotkanie: Łódź, βορράς",
    ];
    session.say(&server, &spoken(&texts));
    for (q, expected) in [
        ("deja", vec!["<mark>Déjà</mark> vu at the café"]),
        ("CAFE", vec!["<mark>café</mark> in two pieces, 20°C", "Déjà vu at the <mark>café</mark>"]),
        ("CAFÉ vu", vec!["Déjà <mark>vu</mark> at the <mark>café</mark>"]),
        ("strasse", vec!["Die <mark>Straße</mark> ist grün, über alle Maßen"]),
        ("MASSEN", vec!["Die Straße ist grün, über alle <mark>Maßen</mark>"]),
        ("lodz", vec!["Spotkanie: <mark>Łódź</mark>, βορράς"]),
        ("ŁÓDŹ", vec!["Spotkanie: <mark>Łódź</mark>, βορράς"]),
        ("βορρας", vec!["Spotkanie: Łódź, <mark>βορράς</mark>"]),
        ("ΒΟΡΡΑΣ", vec!["Spotkanie: Łódź, <mark>βορράς</mark>"]),
        ("οδυσσεας", vec!["Ο <mark>Οδυσσέας</mark> έφτασε στην Ιθάκη"]),
        ("STRAßE", vec!["Die <mark>Straße</mark> ist grün, über alle Maßen"]),
        ("grun", vec!["Die Straße ist <mark>grün</mark>, über alle Maßen"]),
        ("ΟΔΥΣΣΈΑΣ", vec!["Ο <mark>Οδυσσέας</mark> έφτασε στην Ιθάκη"]),
        ("встреча", vec!["<mark>Встреча</mark> начнётся завтра"]),
        ("начн*", vec!["Встреча <mark>начнётся</mark> завтра"]),
        ("الاجتماع", vec!["<mark>الاجتماع</mark> يبدأ غدا"]),
        ("מחר", vec!["הפגישה מתחילה <mark>מחר</mark>"]),
        ("हिन्दी", vec!["बैठक <mark>हिन्दी</mark> में है"]),
        ("हिन्द", vec![]),
        ("ประชุม", vec!["การ<mark>ประชุม</mark>เริ่มพรุ่งนี้"]),
        ("开会", vec!["我们明天<mark>开会</mark>讨论预算"]),
        ("会开", vec![]),
        ("会議", vec!["明日の<mark>会議</mark>はオンラインです"]),
        ("オンライン です", vec!["明日の会議は<mark>オンラインです</mark>"]),
        ("회의를", vec!["내일 <mark>회의를</mark> 시작합니다"]),
        ("회의*", vec!["내일 <mark>회의를</mark> 시작합니다"]),
        ("🚀", vec!["Ship it <mark>🚀</mark> now 👍🏽 I ❤\u{fe0f} it"]),
        ("❤", vec!["Ship it 🚀 now 👍🏽 I <mark>❤</mark>\u{fe0f} it"]),
        ("20°C", vec!["café in two pieces, <mark>20°C</mark>"]),
        ("ປະຊຸມ", vec!["ກອງ<mark>ປະຊຸມ</mark>ມື້ອື່ນ"]),
        ("ប្រជុំ", vec!["ការ<mark>ប្រជុំ</mark>"]),
    ] {
        assert_eq!(highlights(&server, &key, q), expected, "{q}");
    }
    // What is shown as found is the text itself.
    for text in texts {
        let word = text.split(' ').next().expect("a word");
        assert!(!highlights(&server, &key, word).is_empty(), "{word}");
    }
}

#[test]
fn words_phrases_and_beginnings() {
    let (server, key, session) = one_meeting();
    let texts = [
        "one two three",
        "three two one",
        "twofold <b>one</b> & \"more\"",
        "AND OR NOT NEAR",
        "owner:u2 text:secret u1",
    ];
    session.say(&server, &spoken(&texts));
    for (q, expected) in [
        (
            "one two",
            vec![
                "three <mark>two</mark> <mark>one</mark>",
                "<mark>one</mark> <mark>two</mark> three",
            ],
        ),
        ("\"one two\"", vec!["<mark>one two</mark> three"]),
        ("\"one tw\"*", vec!["<mark>one two</mark> three"]),
        ("\"one tw\"", vec![]),
        ("twofo*", vec!["<mark>twofold</mark> &lt;b&gt;one&lt;/b&gt; &amp; \"more\""]),
        ("b", vec!["twofold &lt;<mark>b</mark>&gt;one&lt;/<mark>b</mark>&gt; &amp; \"more\""]),
        (
            "one !!! \"...\"",
            vec![
                "twofold &lt;b&gt;<mark>one</mark>&lt;/b&gt; &amp; \"more\"",
                "three two <mark>one</mark>",
                "<mark>one</mark> two three",
            ],
        ),
        ("AND", vec!["<mark>AND</mark> OR NOT NEAR"]),
        ("one OR AND", vec![]),
        ("not near", vec!["AND OR <mark>NOT</mark> <mark>NEAR</mark>"]),
        ("speaker:x", vec![]),
        ("owner:u2", vec!["<mark>owner:u2</mark> text:secret u1"]),
        ("u1", vec!["owner:u2 text:secret <mark>u1</mark>"]),
        ("", vec![]),
        ("!!!", vec![]),
        ("*", vec![]),
        ("\"\"", vec![]),
    ] {
        assert_eq!(highlights(&server, &key, q), expected, "{q}");
    }
    assert_eq!(
        page(&server, &key, ""),
        json!({"results": [], "next": null}),
        "nothing asked, nothing found"
    );
}

/// Users 1 and 2, meetings 1 (user 1), 2 (user 1, Teams) and 3 (user 2) with the same words said in
/// each.
pub fn three_meetings() -> (Server, [String; 2], [Session; 3]) {
    let mut made = None;
    let setup = Setup::new().rows(|db| {
        let keys = [1, 2].map(|user| insert_token(db, user, None));
        let sessions = [(1, "abc-defg-hij"), (1, "1234567890"), (2, "abc-defg-hij")];
        made = Some((keys, sessions.map(|(user, id)| insert_session(db, user, id))));
        db.execute("UPDATE meetings SET platform = 'teams' WHERE id = 2", []).expect("teams");
    });
    let (keys, sessions) = made.expect("rows");
    let server = setup.start();
    for session in &sessions {
        let words = ["Ada", "Bob", "ADA", "Ada Lovelace"].iter().enumerate().map(|(n, speaker)| {
            json!({"start": n * 10, "end": n * 10 + 1, "text": format!("budget {n}"), "speaker": speaker})
        });
        session.say(&server, &words.collect());
    }
    (server, keys, sessions)
}

#[test]
fn a_result_says_where_and_when_and_filters_are_kept() {
    let (server, [key, other], _) = three_meetings();
    let newest = &page(&server, &key, "q=budget&limit=1");
    assert_eq!(newest["next"], 8);
    let mut result = newest["results"][0].clone();
    crate::client::assert_time(&result["created_at"].take());
    let expected = json!({
        "id": 8, "meeting": {"id": 2, "platform": "teams", "native_id": "1234567890"}, "start": 30.0, "end": 31.0,
        "text": "budget 3", "language": null, "speaker": "Ada Lovelace", "speaker_source": "stream", "created_at": null,
        "segment_id": format!("{}:30000:Ada Lovelace", newest["results"][0]["segment_id"].as_str().and_then(|id| id.split(':').next()).expect("a stream")), "completed": true,
        "absolute_start_time": "2025-10-10T12:00:30.000Z", "absolute_end_time": "2025-10-10T12:00:31.000Z",
        "highlight": "<mark>budget</mark> 3",
    });
    assert_eq!(result, expected);
    for (query, ids) in [
        ("q=budget", vec![8, 7, 6, 5, 4, 3, 2, 1]),
        ("q=budget&platform=teams", vec![8, 7, 6, 5]),
        ("q=budget&meeting_id=1", vec![4, 3, 2, 1]),
        ("q=budget&meeting_id=3", vec![]),
        ("q=budget&speaker=ada", vec![7, 5, 3, 1]),
        ("q=budget&speaker=Ada%20lovelace", vec![8, 4]),
        ("q=budget&speaker=lovelace", vec![]),
        ("q=budget&speaker=%22", vec![]),
        ("q=budget&from=2025-10-10T12:00:20Z", vec![8, 7, 4, 3]),
        ("q=budget&to=2025-10-10T12:00:20Z", vec![6, 5, 2, 1]),
        ("q=budget&from=2025-10-10T14:00:10%2B02:00&to=2025-10-10T12:00:10.001Z", vec![6, 2]),
        ("q=budget&before=6", vec![5, 4, 3, 2, 1]),
        ("q=budget+2&limit=100", vec![7, 3]),
        ("speaker=ada", vec![]),
    ] {
        let found = page(&server, &key, query);
        let found: Vec<_> =
            found["results"].as_array().expect("results").iter().map(|r| r["id"].clone()).collect();
        assert_eq!(found, ids, "{query}");
    }
    let found = page(&server, &other, "q=budget");
    assert_eq!(found["results"].as_array().map(Vec::len), Some(4));
    assert_eq!(found["results"][0]["meeting"]["id"], 3);
}

#[test]
fn pages_follow_each_other_without_a_gap() {
    let (server, key, session) = one_meeting();
    let texts: Vec<String> =
        (0..57).map(|n| format!("word {}", if n % 2 == 0 { "even" } else { "odd" })).collect();
    session.say(&server, &spoken(&texts.iter().map(String::as_str).collect::<Vec<_>>()));
    for (q, count) in [("word", 57), ("even", 29), ("odd", 28)] {
        for limit in [1, 7, 28, 29, 57, 100] {
            let (mut ids, mut before) = (Vec::new(), String::new());
            loop {
                let page = page(&server, &key, &format!("q={q}&limit={limit}{before}"));
                let results = page["results"].as_array().expect("results");
                assert!(results.len() == limit || page["next"].is_null(), "{q} by {limit}");
                ids.extend(results.iter().map(|result| result["id"].as_i64().expect("an id")));
                let Some(next) = page["next"].as_i64() else { break };
                before = format!("&before={next}");
            }
            assert!(
                ids.is_sorted_by(|one, next| one > next) && ids.len() == count,
                "{q} by {limit}: {ids:?}"
            );
        }
    }
}

#[test]
fn a_filter_that_fits_little_costs_a_page_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = many_segments(&folder.path().join("vomeet.db"), 25_000);
    let server = crate::process::Launch::serve(folder.path()).start();
    let (mut pages, mut found, mut before) = (0, Vec::new(), String::new());
    loop {
        let page = page(&server, &key, &format!("q=common&to=2025-10-10T12:00:05Z{before}"));
        found.extend(
            page["results"].as_array().expect("results").iter().map(|result| result["id"].clone()),
        );
        pages += 1;
        let Some(next) = page["next"].as_i64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!((pages, found), (3, (1..=5).rev().map(Value::from).collect()));
}

/// A file with so many segments of user 1, each with `common` and a number in it; the user's token.
pub fn many_segments(database: &Path, count: i64) -> String {
    let mut key = String::new();
    open_file(database, |db| {
        key = insert_token(db, 1, None);
        insert_session(db, 1, "abc-defg-hij");
        crate::transcripts::insert_segments(db, 1, count, "common words");
        let index = "INSERT INTO words (rowid, owner, speaker, text) SELECT id, 'u1', speaker, text FROM segments";
        db.execute(index, []).expect("the index");
    });
    key
}

#[test]
fn what_is_not_a_filter_is_said() {
    let (server, key, _) = one_meeting();
    let long = "x".repeat(256);
    for (query, kind, loc) in [
        (format!("q={long}"), "string_too_long", "query.q"),
        ("q=%00".to_owned(), "string_pattern_mismatch", "query.q"),
        ("from=yesterday".to_owned(), "datetime_parsing", "query.from"),
        ("to=2025-10-10T12:00:00".to_owned(), "datetime_parsing", "query.to"),
        ("limit=0".to_owned(), "greater_than_equal", "query.limit"),
        ("limit=101".to_owned(), "less_than_equal", "query.limit"),
        ("platform=webex".to_owned(), "enum", "query.platform"),
        ("before=0".to_owned(), "greater_than_equal", "query.before"),
    ] {
        let answer = server.get(format!("/transcripts/search?{query}")).user(&key).send();
        assert_eq!(answer.faults(), [(kind.to_owned(), loc.to_owned())], "{query}");
    }
}

#[test]
fn whatever_is_typed_nothing_breaks() {
    let (server, [key, _], _) = three_meetings();
    let piece = prop_oneof![
        3 => ".{0,4}",
        2 => "[ \"*():^+{}'~\\\\-]{1,6}",
        1 => prop::sample::select(vec![
            "AND", "OR", "NOT", "NEAR(", "owner:", "text :", "{owner text}:", "u2", "budget", "* ", "\u{2060}", "\u{301}",
            "\u{fe0f}", "\u{fffd}", "\u{1f468}\u{200d}\u{1f469}", "\u{e000}", "\u{10ffff}", "%", "_", "'; DROP TABLE words; --",
        ])
        .prop_map(str::to_owned),
    ];
    let typed = proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
    let ask = |name: &str, text: &str| {
        let other = if name == "speaker" { "&q=budget" } else { "" };
        let answer = server
            .get(format!("/transcripts/search?{name}={}{other}", encoded(text)))
            .user(&key)
            .send();
        assert!([200, 422].contains(&answer.status), "{text:?}: {answer:?}");
        if answer.status == 200 {
            let body = answer.json();
            let results = body["results"].as_array().expect("results").iter();
            assert!(
                results.clone().all(|result| result["meeting"]["id"] != 3),
                "{text:?} found another user's words"
            );
        }
    };
    let mut runner =
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let outcome =
        runner.run(&(typed, prop::sample::select(vec!["q", "speaker"])), |(text, name)| {
            ask(name, &text);
            Ok(())
        });
    outcome.expect("every query is answered");
    for hard in [
        "\"".repeat(255),
        "a ".repeat(127),
        "a* ".repeat(85),
        "\"a\"*".repeat(60),
        "会".repeat(255),
        "👍".repeat(255),
    ] {
        ask("q", &hard);
        ask("speaker", &hard);
    }
    for raw in ["q=%ff%fe", "q=%", "q=%22%ff%22*", "q=a&q=b", "q&speaker", "speaker=%ff&q=budget"] {
        let status = server.get(format!("/transcripts/search?{raw}")).user(&key).send().status;
        assert!([200, 422].contains(&status), "{raw}: {status}");
    }
}
