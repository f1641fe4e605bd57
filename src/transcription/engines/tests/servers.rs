//! Servers that answer in every way.

#![cfg(test)]

use super::{
    HELLO, KEY, Server, asked, away, nobody, response, sample, server, still_clock, words,
};
use crate::clock::later;
use crate::domain::EngineKey;
use crate::tls::Tls;
use crate::transcription::engines::http::HttpEngine;
use crate::transcription::engines::users::UserEngines;
use crate::transcription::engines::{Engines, NotHeard, UserEngine};
use crate::transcription::heard::{Asked, AskedSound, Urgency};
use bytes::Bytes;
use ipnet::IpNet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test]
async fn a_request_is_as_the_api_has_it() {
    let one = Server::start(|_| response(200, HELLO)).await;
    let engines = Engines::of(vec![server("one", &one.url)], None, still_clock());
    let mut with_words = asked(Urgency::Live);
    with_words.words = true;
    let heard = engines.hear(with_words, None).await;
    assert_eq!(words(heard), ("Hello.".to_owned(), "one".to_owned()));
    let mut translated = asked(Urgency::Live);
    translated.translates = true;
    translated.sound =
        AskedSound::File { name: "a.mp3".to_owned(), bytes: Bytes::from_static(b"ID3") };
    engines.hear(translated, None).await.expect("words");
    let received = one.received();
    let [request, translation] = &received[..] else { panic!("{received:?}") };
    assert!(request.starts_with("POST /v1/audio/transcriptions HTTP/1.1\r\n"), "{request}");
    for wanted in [
        &format!("authorization: Bearer {KEY}\r\n"),
        "name=\"model\"\r\n\r\ntiny\r\n",
        "name=\"language\"\r\n\r\nen\r\n",
        "name=\"prompt\"\r\n\r\nVomeet\r\n",
        "name=\"response_format\"\r\n\r\nverbose_json\r\n",
        "name=\"timestamp_granularities[]\"\r\n\r\nword\r\n",
        "name=\"file\"; filename=\"sound.wav\"\r\nContent-Type: application/octet-stream\r\n\r\nRIFF",
    ] {
        assert!(request.contains(wanted), "{wanted}: {request}");
    }
    assert!(translation.starts_with("POST /v1/audio/translations HTTP/1.1\r\n"));
    assert!(translation.contains("filename=\"a.mp3\"") && translation.contains("\r\n\r\nID3\r\n"));
    assert!(!translation.contains("language") && !translation.contains("granularities"));
    assert!(!format!("{:?}", EngineKey::new(KEY.to_owned())).contains(KEY));
}

#[tokio::test]
async fn each_wrong_answer_is_a_sentence_and_the_next_engine_hears() {
    for (answer, reason, wanted) in [
        (response(200, "<html>Log in</html>"), "html", "answered with a page"),
        (response(401, "no"), "unauthorized", "does not accept its key"),
        (response(500, HELLO), "status", "answered 500"),
        (response(404, HELLO), "status", "answered 404"),
        (response(302, HELLO), "redirect", "redirects are not followed"),
        (response(200, " "), "empty", "is empty"),
        (response(200, "{\"text\":"), "unreadable", "cannot be read"),
        (response(200, "[1]"), "unreadable", "cannot be read"),
        (response(200, &"x".repeat(4_200_000)), "too_long", "is too long"),
        (String::new(), "unreachable", "broke the connection"),
    ] {
        let (wrong, right) = (
            Server::start(move |_| answer.clone()).await,
            Server::start(|_| response(200, HELLO)).await,
        );
        let both = vec![server("wrong", &wrong.url), server("right", &right.url)];
        let engines = Engines::of(both, None, still_clock());
        let heard = engines.hear(asked(Urgency::Live), None).await;
        assert_eq!(words(heard), ("Hello.".to_owned(), "right".to_owned()), "{reason}");
        let line =
            format!("vomeet_engine_failures_total{{engine=\"wrong\",reason=\"{reason}\"}} 1");
        assert!(sample(&engines, &line), "{line}");
        assert!(sample(&engines, "vomeet_engine_resting{engine=\"wrong\"} 1"));
        // It rests: the other one is asked alone.
        engines.hear(asked(Urgency::Live), None).await.expect("words");
        assert_eq!((wrong.received().len(), right.received().len()), (1, 2), "{reason}");
        let alone = Engines::of(vec![server("wrong", &wrong.url)], None, still_clock());
        let sentence = away(alone.hear(asked(Urgency::Live), None).await);
        assert!(sentence.contains("ngine wrong") && sentence.contains(wanted), "{sentence}");
        assert!(!alone.takes_now() && engines.takes_now());
        let again = away(alone.hear(asked(Urgency::Live), None).await);
        assert_eq!(again, sentence, "it says why it rests");
    }
    let engines = Engines::of(vec![server("gone", &nobody().await)], None, still_clock());
    let sentence = away(engines.hear(asked(Urgency::Live), None).await);
    assert_eq!(sentence, "Engine gone cannot be reached.");
}

#[tokio::test]
async fn a_server_that_knows_json_alone_is_asked_for_nothing_else() {
    let one = Server::start(|request| match request.contains("verbose_json") {
        true => response(400, "unknown response_format"),
        false => response(200, HELLO),
    });
    let one = one.await;
    let clock = still_clock();
    let mut json = server("one", &one.url);
    let tls = Arc::new(Tls::default());
    let asking = HttpEngine::new("one", one.url.clone(), "tiny", None, tls, clock.clone());
    json.kind = super::Kind::Http(asking);
    let engines = Engines::of(vec![json], None, clock.clone());
    for (seconds, expected) in [(0, 2), (0, 3), (3_599, 4), (1, 6), (0, 7)] {
        clock.set(later(clock.now(), Duration::from_secs(seconds)));
        engines.hear(asked(Urgency::Live), None).await.expect("words");
        assert_eq!(one.received().len(), expected, "the other format is tried after an hour");
    }
}

#[tokio::test]
async fn a_sound_that_every_engine_refuses_is_not_asked_again_and_nobody_rests() {
    let (one, two) = (Server::start(|_| response(413, "")), Server::start(|_| response(415, "")));
    let (one, two) = (one.await, two.await);
    let both = vec![server("one", &one.url), server("two", &two.url)];
    let engines = Engines::of(both, None, still_clock());
    let refused = engines.hear(asked(Urgency::Live), None).await.expect_err("refused");
    let wanted = "Engine two does not take this sound: it answered 415.".to_owned();
    assert_eq!(refused, NotHeard::Refused(wanted));
    assert!(engines.takes_now());
    assert!(sample(&engines, "vomeet_engine_sounds_refused_total{engine=\"one\"} 1"));
    // With one that is away it may be taken later.
    let both = vec![server("one", &one.url), server("gone", &nobody().await)];
    let engines = Engines::of(both, None, still_clock());
    away(engines.hear(asked(Urgency::Live), None).await);
    let mut short = server("short", &one.url);
    short.seconds_max = Some(1);
    let engines = Engines::of(vec![short], None, still_clock());
    let mut long = asked(Urgency::Live);
    long.sound = AskedSound::Samples(vec![0; 16_001 * 2]);
    let before = one.received().len();
    let refused = engines.hear(long, None).await.expect_err("too long");
    assert!(matches!(refused, NotHeard::Refused(_)) && one.received().len() == before);
}

/// A second of a sound that is another one for each number.
fn sound(number: i16) -> Asked {
    Asked { sound: AskedSound::Samples(vec![number; 16_000]), ..asked(Urgency::Live) }
}

#[tokio::test]
async fn three_sounds_in_a_row_that_a_server_does_not_take_are_its_failure() {
    for status in [400, 422] {
        let one = Server::start(move |_| response(status, "")).await;
        let engines = Engines::of(vec![server("one", &one.url)], None, still_clock());
        let wanted = format!("Engine one does not take this sound: it answered {status}.");
        // The same one again and again says nothing of the engine.
        for number in [1, 1, 1, 1, 2] {
            let heard = engines.hear(sound(number), None).await.expect_err("not taken");
            assert_eq!(heard, NotHeard::NotTaken(wanted.clone()), "it may be taken later");
            assert!(engines.takes_now());
        }
        assert_eq!(
            engines.hear(sound(3), None).await.expect_err("not taken"),
            NotHeard::NotTaken(wanted.clone())
        );
        assert!(!engines.takes_now(), "it rests");
        assert_eq!(away(engines.hear(sound(4), None).await), wanted);
    }
}

#[tokio::test]
async fn a_sound_that_is_taken_ends_the_row() {
    let taken = Arc::new(AtomicBool::new(false));
    let of_server = Arc::clone(&taken);
    let one = Server::start(move |_| match of_server.load(Ordering::Relaxed) {
        true => response(200, HELLO),
        false => response(422, ""),
    });
    let one = one.await;
    let engines = Engines::of(vec![server("one", &one.url)], None, still_clock());
    for number in 1..=4 {
        taken.store(number == 3, Ordering::Relaxed);
        let heard = engines.hear(sound(number), None).await;
        assert_eq!(heard.is_ok(), number == 3);
        assert!(engines.takes_now(), "{number}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_slow() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let url = url::Url::parse(&format!("http://{address}/")).expect("an address");
    let super::Kind::Http(slow) = server("slow", &url).kind else { panic!("a server") };
    let heard = slow.hear(&asked(Urgency::Live), None, Duration::from_millis(50)).await;
    let failure = format!("{:?}", heard.expect_err("slow"));
    assert!(failure.contains("Slow, \"Engine slow did not answer within"), "{failure}");
}

fn own(url: &url::Url) -> UserEngine {
    UserEngine { url: url.clone(), model: "own".to_owned(), key: None }
}

#[tokio::test]
async fn an_engine_of_a_users_own_obeys_the_rules_of_webhooks_and_is_asked_first() {
    let (theirs, ours) = (
        Server::start(|_| response(200, r#"{"text":"Own."}"#)),
        Server::start(|_| response(200, HELLO)),
    );
    let (theirs, ours) = (theirs.await, ours.await);
    let loopback: IpNet = "127.0.0.0/8".parse().expect("a network");
    for (allowed, expected, calls) in
        [(vec![loopback], ("Own.", "user"), 1), (vec![], ("Hello.", "one"), 1)]
    {
        let users = UserEngines::new(allowed, Arc::new(Tls::default()), still_clock());
        let engines = Engines::of(vec![server("one", &ours.url)], Some(users), still_clock());
        let heard = engines.hear(asked(Urgency::Live), Some(own(&theirs.url))).await;
        assert_eq!(words(heard), (expected.0.to_owned(), expected.1.to_owned()));
        assert_eq!(theirs.received().len(), calls, "a private address is not even connected to");
    }
    // Where the settings do not allow it, it is not asked.
    let engines = Engines::of(vec![server("one", &ours.url)], None, still_clock());
    let heard = engines.hear(asked(Urgency::Live), Some(own(&theirs.url))).await;
    assert_eq!(words(heard).1, "one");
}

#[tokio::test]
async fn what_a_users_own_engine_refuses_goes_to_no_other() {
    let (theirs, ours) =
        (Server::start(|_| response(415, "")), Server::start(|_| response(200, HELLO)));
    let (theirs, ours) = (theirs.await, ours.await);
    let unsure = Server::start(|_| response(422, "")).await;
    let allowed = vec!["127.0.0.0/8".parse().expect("a network")];
    let users = UserEngines::new(allowed, Arc::new(Tls::default()), still_clock());
    let engines = Engines::of(vec![server("one", &ours.url)], Some(users), still_clock());
    let refused = engines.hear(asked(Urgency::Live), Some(own(&theirs.url))).await;
    assert!(matches!(refused, Err(NotHeard::Refused(_))), "{refused:?}");
    for number in [1, 2, 3] {
        let heard = engines.hear(sound(number), Some(own(&unsure.url))).await;
        assert!(matches!(heard, Err(NotHeard::NotTaken(_))), "{heard:?}");
        assert_eq!(ours.received().len(), 0);
    }
    let heard = engines.hear(sound(4), Some(own(&unsure.url))).await;
    assert_eq!(words(heard).1, "one", "it rests after three");
    // One that is away is replaced, and is not asked again while it rests.
    let gone = nobody().await;
    for _ in 0..2 {
        let heard = engines.hear(asked(Urgency::Live), Some(own(&gone))).await;
        assert_eq!(words(heard).1, "one");
    }
    let line = "vomeet_engine_failures_total{engine=\"user\",reason=\"unreachable\"} 1";
    assert!(sample(&engines, line));
}
