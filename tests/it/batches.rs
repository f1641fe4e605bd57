//! Batches of segments: tidied, taken row by row, stored, replaced and announced.

use crate::segments::{BEGAN, Session, insert_session, one_meeting, said};
use crate::tokens::insert_token;
use serde_json::{Value, json};
use vomeet::domain::bot::session_alias;
use vomeet::domain::{PlainToken, SegmentInput, SentTime, Time, TokenHash};
use vomeet::store::{Change, Options, Store, StoreSegmentBatch};

/// Start, end, speaker and text of a segment.
type Line = (f64, f64, Value, &'static str);

/// What is sent, how much of it is accepted, and what the transcript is then.
fn batches() -> Vec<(&'static str, Value, usize, Vec<Line>)> {
    let ada = json!("Ada");
    vec![
        (
            "as it comes",
            json!([{"start": 1.5, "end": 2.25, "text": " Hello\n", "speaker": "Ada", "language": "en"}]),
            1,
            vec![(1.5, 2.25, ada.clone(), "Hello")],
        ),
        (
            "the same start to 1 ms is replaced",
            json!([{"start": 1.500_4, "end": 3, "text": "Hello there", "speaker": "Ada"}]),
            1,
            vec![(1.5, 3.0, ada.clone(), "Hello there")],
        ),
        (
            "another millisecond is another segment, and swapped times are swapped back",
            json!([{"start": 4, "end": 1.501, "text": "later"}]),
            1,
            vec![(1.5, 3.0, ada.clone(), "Hello there"), (1.501, 4.0, Value::Null, "later")],
        ),
        (
            "no words are nothing, no length is a millisecond",
            json!([
                {"start": 7, "end": 8, "text": " \n "},
                {"start": 7, "end": 8, "text": "[BLANK_AUDIO]"},
                {"start": 7, "end": 7.0004, "text": "short"},
            ]),
            1,
            vec![
                (1.5, 3.0, ada.clone(), "Hello there"),
                (1.501, 4.0, Value::Null, "later"),
                (7.0, 7.001, Value::Null, "short"),
            ],
        ),
        (
            "of two in a batch the later one counts; what was before the start is shown from there",
            json!([
                {"start": -2, "end": 1, "text": "first", "speaker": " "},
                {"start": -2, "end": 1, "text": "sec\u{0}ond\u{7}"},
                {"start": -1, "end": -0.5, "text": "third", "speaker": "A\tB"},
            ]),
            2,
            vec![
                (0.0, 1.0, Value::Null, "sec ond"),
                (0.0, 0.001, json!("A B"), "third"),
                (1.5, 3.0, ada.clone(), "Hello there"),
                (1.501, 4.0, Value::Null, "later"),
                (7.0, 7.001, Value::Null, "short"),
            ],
        ),
        (
            "no segments at all",
            json!([]),
            0,
            vec![
                (0.0, 1.0, Value::Null, "sec ond"),
                (0.0, 0.001, json!("A B"), "third"),
                (1.5, 3.0, ada.clone(), "Hello there"),
                (1.501, 4.0, Value::Null, "later"),
                (7.0, 7.001, Value::Null, "short"),
            ],
        ),
    ]
}

#[test]
fn batches_are_tidied_stored_and_replaced() {
    let (server, key, session) = one_meeting();
    for (about, batch, accepted, expected) in batches() {
        let answer = session.send(&server, &batch).expect(200);
        assert_eq!(
            answer,
            json!({"accepted": accepted, "refused": [], "language": "de", "task": "translate"}),
            "{about}"
        );
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(start, end, speaker, text)| (start, end, speaker, text.to_owned()))
            .collect();
        assert_eq!(said(&server, &key), expected, "{about}");
    }
}

#[test]
fn a_batch_is_taken_row_by_row() {
    let (server, key, session) = one_meeting();
    let long = |count: usize| "é".repeat(count);
    let many = |count: u32| {
        (0..count).map(|n| json!({"start": n, "end": n + 1, "text": "x"})).collect::<Vec<_>>()
    };
    let batch = json!([
        {"start": 1, "end": 2, "text": long(8192), "speaker": long(255)},
        {"end": "2", "text": long(8193), "speaker": long(256)},
        7,
        {"start": 3, "end": 4, "text": "x", "language": 5},
        {"start": "5.5", "end": " 6 ", "text": "digits", "completed": "true"},
        {"start": "soon", "end": 8, "text": "x"},
        {"start": 1e300, "end": 8, "text": "x"},
        {"start": 9, "end": null, "text": "x"},
        {"start": 9, "end": 10, "text": "last", "language": "", "speaker": null},
    ]);
    let answer = session.send(&server, &batch).expect(200);
    assert_eq!(answer["accepted"], 3);
    let refused = answer["refused"].as_array().expect("a list");
    let refused: Vec<_> = refused
        .iter()
        .map(|row| (row["index"].as_u64().expect("a place"), row["reason"].as_str().expect("why")))
        .collect();
    let far = "start: Input should be at most 30 days from the start of the stream, or seconds since 1970";
    assert_eq!(
        refused,
        [
            (
                1,
                "text: String should have at most 8192 characters; speaker: String should have at most 255 characters; start: Field required"
            ),
            (2, "Input should be a valid dictionary or object to extract fields from"),
            (3, "language: Input should be a valid string"),
            (5, "start: Input should be a valid number"),
            (6, far),
            (7, "end: Field required"),
        ]
    );
    let texts: Vec<_> =
        said(&server, &key).into_iter().map(|(start, .., text)| (start, text)).collect();
    assert_eq!(texts, [(1.0, long(8192)), (5.5, "digits".to_owned()), (9.0, "last".to_owned())]);
    assert_eq!(
        session.send(&server, &json!(many(1001))).faults(),
        [("too_long".to_owned(), "body.segments".to_owned())]
    );
    assert_eq!(said(&server, &key).len(), 3, "too long a batch stores nothing");
    let post = |body: Value| {
        server.post("/bots/internal/segments").bearer(&session.token).json(&body).send().faults()
    };
    let fault = |kind: &str, loc: &str| vec![(kind.to_owned(), loc.to_owned())];
    assert_eq!(post(json!({"uid": session.uid})), fault("missing", "body.segments"));
    assert_eq!(post(json!({"segments": []})), fault("missing", "body.uid"));
    assert_eq!(
        post(json!({"uid": session.uid, "segments": {}})),
        fault("list_type", "body.segments")
    );
    session.say(&server, &json!(many(1000)));
    assert_eq!(said(&server, &key).len(), 1002, "the segment at 9 s has the same identity");
}

/// Segments of half a second, as the store takes them.
fn batch(session: &Session, said: &[(i64, &str)], token: &str) -> StoreSegmentBatch {
    let segments = said.iter().map(|(start, text)| SegmentInput {
        segment_id: None,
        start: SentTime::Offset(*start),
        end: SentTime::Offset(*start + 500),
        absolute: None,
        text: (*text).to_owned(),
        speaker: None,
        by_platform: false,
        language: None,
        completed: true,
    });
    StoreSegmentBatch {
        token_hash: TokenHash::of(token.as_bytes()),
        uid: session.uid.clone(),
        started_at: None,
        segments: segments.collect(),
        events: Vec::new(),
        now: Time::from_millis(BEGAN + 60_000),
    }
}

#[test]
fn what_is_really_stored_is_announced_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (database, mut made) = (folder.path().join("vomeet.db"), None);
    crate::server::open_file(&database, |db| {
        insert_token(db, 1, None);
        made = Some(insert_session(db, 1, "abc-defg-hij"));
    });
    let session = made.expect("rows");
    let (announced, news) = std::sync::mpsc::channel();
    let options = Options { path: database, small_readers: 1, long_readers: 1, queue_max: 8 };
    let store =
        Store::open(&options, move |change| announced.send(change.clone()).expect("a test"))
            .expect("a store");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let say = |said: &[(i64, &str)], token: &str| {
        let sent = runtime.block_on(store.write(batch(&session, said, token)));
        sent.map(|stored| stored.accepted)
    };
    let own = session.token.as_str();
    let foreign = PlainToken::generate().expect("randomness").reveal().to_owned();
    for (about, said, token, accepted, expected) in [
        (
            "two of three begin at once",
            vec![(1000, "a"), (0, "b"), (1000, "c")],
            own,
            Some(2),
            "b c",
        ),
        ("the same again", vec![(0, "b"), (1000, "c")], own, Some(2), ""),
        ("one of two is new", vec![(0, "b"), (1000, "d")], own, Some(2), "d"),
        ("nothing", vec![], own, Some(0), ""),
        ("somebody else's secret", vec![(7, "x")], foreign.as_str(), None, ""),
    ] {
        assert_eq!(say(&said, token).ok(), accepted, "{about}");
        let texts = news.try_iter().map(|change| match change {
            Change::SegmentsStored(stored) => {
                assert_eq!(
                    (stored.meeting_id.0, stored.session_uid.as_str()),
                    (1, session_alias(&session.uid).as_str()),
                    "{about}"
                );
                assert_eq!(stored.native_meeting_id.as_deref(), Some("abc-defg-hij"), "{about}");
                stored
                    .segments
                    .iter()
                    .map(|segment| segment.text.clone())
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            other => panic!("{about}: {other:?}"),
        });
        assert_eq!(texts.collect::<Vec<_>>().join("|"), expected, "{about}");
    }
    store.close();
}
