//! The feed without sockets: who gets what, in which order, and who is closed.

#![cfg(test)]

use super::*;
use crate::domain::{Data, MeetingStatus, Offset, Segment, SpeakerSource, Time};
use crate::store::{Moved, Stored};
use futures_util::FutureExt;
use serde_json::{Value, json};

const NOW: i64 = 1_760_097_600_000;

fn meeting(id: i64) -> Meeting {
    let now = Time::from_millis(NOW);
    Meeting {
        id: MeetingId(id),
        user_id: UserId(1),
        platform: Platform::GoogleMeet.into(),
        native_meeting_id: Some("abc-defg-hij".to_owned()),
        constructed_meeting_url: None,
        status: MeetingStatus::Active.into(),
        bot_container_id: None,
        start_time: None,
        end_time: None,
        data: Data::default(),
        created_at: now,
        updated_at: now,
    }
}

fn moved(id: i64) -> Change {
    let at = Time::from_millis(NOW + 1);
    let from = MeetingStatus::Joining;
    Change::MeetingMoved(Arc::new(Moved { meeting: meeting(id), from, settled: Vec::new(), at }))
}

fn segment(start: i64, text: &str) -> Segment {
    Segment {
        segment_id: format!("1:{start}:"),
        start: Offset(start),
        end: Offset(start + 1500),
        text: text.to_owned(),
        language: Some("en".to_owned()),
        speaker: None,
        speaker_source: SpeakerSource::Unknown,
        completed: true,
        created_at: Time::from_millis(NOW),
        absolute_start_time: Time::from_millis(NOW + start),
        absolute_end_time: Time::from_millis(NOW + start + 1500),
        corrected: false,
        original_text: None,
        corrected_at: None,
    }
}

fn stored(id: i64, segments: Vec<Segment>) -> Change {
    Change::SegmentsStored(Arc::new(Stored {
        meeting_id: MeetingId(id),
        platform: Platform::GoogleMeet.into(),
        native_meeting_id: Some("abc-defg-hij".to_owned()),
        session_uid: "uid".to_owned(),
        segments,
        removed: Vec::new(),
        at: Time::from_millis(NOW + 20),
    }))
}

fn feed(queue_max: usize) -> Arc<Feed> {
    let feed = Arc::new(Feed::new(queue_max));
    tokio::spawn(Arc::clone(&feed).deliver());
    feed
}

/// A watcher of these meetings, of user 1 with token 1.
fn watcher(feed: &Arc<Feed>, meetings: &[i64]) -> (Watcher, oneshot::Receiver<CloseReason>) {
    let (mut watcher, closed) = feed.watch(UserId(1), TokenHash([1; 32]));
    assert!(meetings.iter().all(|&id| watcher.subscribe(&meeting(id), "abc-defg-hij")));
    (watcher, closed)
}

async fn next(watcher: &mut Watcher) -> Value {
    serde_json::from_str(watcher.next().await.as_str()).expect("JSON")
}

#[tokio::test]
async fn events_are_written_as_the_contract_says() {
    let feed = feed(8);
    let (mut watcher, _closed) = watcher(&feed, &[7]);
    let named = json!({"id": 7, "platform": "google_meet", "native_id": "abc-defg-hij"});
    feed.on_change(&moved(7));
    let status = json!({
        "type": "meeting.status", "meeting": named, "payload": {"status": "active"}, "ts": "2025-10-10T12:00:00.001Z",
    });
    assert_eq!(next(&mut watcher).await, status);
    feed.on_change(&stored(7, vec![segment(500, "Good morning.")]));
    let segments = json!({
        "type": "transcript.mutable", "meeting": named, "ts": "2025-10-10T12:00:00.020Z",
        "payload": {"segments": [{
            "segment_id": "1:500:", "text": "Good morning.", "speaker": null, "speaker_source": "unknown", "completed": true, "language": "en", "session_uid": "uid", "start": 0.5, "end_time": 2.0,
            "absolute_start_time": "2025-10-10T12:00:00.500Z", "absolute_end_time": "2025-10-10T12:00:02.000Z",
            "updated_at": "2025-10-10T12:00:00.020Z",
        }]},
    });
    assert_eq!(next(&mut watcher).await, segments);
}

#[tokio::test]
async fn subscribers_share_one_text_and_get_it_once() {
    let feed = feed(8);
    let (mut one, _one) = watcher(&feed, &[1, 1, 2]);
    let (mut two, _two) = watcher(&feed, &[1]);
    feed.on_change(&moved(3));
    feed.on_change(&moved(1));
    feed.on_change(&stored(1, vec![segment(0, "a")]));
    let (first, second) = (one.next().await, two.next().await);
    assert_eq!(first, second);
    assert_eq!(first.as_str().as_ptr(), second.as_str().as_ptr(), "it was written twice");
    assert_eq!(next(&mut one).await["type"], "transcript.mutable");
    assert_eq!(next(&mut two).await["type"], "transcript.mutable");
    feed.on_change(&moved(2));
    assert_eq!(next(&mut one).await["meeting"]["id"], 2);
    assert!(two.next().now_or_never().is_none());
}

#[tokio::test]
async fn many_segments_are_pushed_in_short_texts() {
    let feed = feed(64);
    let (mut watcher, _closed) = watcher(&feed, &[1]);
    let long = "x".repeat(8192);
    let segments: Vec<Segment> =
        (0..40).map(|n| segment(n, if n == 20 { &long } else { "a few words" })).collect();
    feed.on_change(&stored(1, segments));
    let mut starts = Vec::new();
    while starts.len() < 40 {
        let text = watcher.next().await;
        assert!(text.len() <= 33 * 1024, "{} bytes", text.len());
        let push: Value = serde_json::from_str(text.as_str()).expect("JSON");
        starts.extend(
            push["payload"]["segments"]
                .as_array()
                .expect("segments")
                .iter()
                .map(|s| s["start"].as_f64()),
        );
    }
    let expected: Vec<_> = [0.0, 0.001, 0.002].into_iter().map(Some).collect();
    assert_eq!(starts[..3], expected);
    assert!(starts.is_sorted(), "{starts:?}");
}

#[tokio::test]
async fn a_full_queue_cuts_off_its_watcher_and_nobody_else() {
    let feed = feed(4);
    let (mut slow, slow_closed) = watcher(&feed, &[1]);
    let (mut quick, mut quick_closed) = watcher(&feed, &[1]);
    for n in 0..20 {
        feed.on_change(&stored(1, vec![segment(n, &n.to_string())]));
        assert_eq!(next(&mut quick).await["payload"]["segments"][0]["text"], n.to_string());
    }
    assert_eq!(slow_closed.await, Ok(CloseReason::Slow));
    assert!(slow.next().now_or_never().is_none(), "something after what was missed");
    assert!((&mut quick_closed).now_or_never().is_none());
}

#[tokio::test]
async fn the_writer_does_not_wait_for_a_feed_that_is_stuck() {
    // Nobody hands out.
    let feed = Arc::new(Feed::new(8));
    let (_watcher, closed) = watcher(&feed, &[1]);
    let (_other, mut other_closed) = watcher(&feed, &[2]);
    for _ in 0..=EVENTS_MAX {
        feed.on_change(&moved(1));
    }
    assert_eq!(closed.await, Ok(CloseReason::Slow));
    assert!((&mut other_closed).now_or_never().is_none());
}

#[tokio::test]
async fn a_key_that_is_revoked_gets_nothing_more() {
    let feed = feed(8);
    let other = || feed.watch(UserId(2), TokenHash([2; 32]));
    for (change, both) in [
        (Change::TokensRevoked(vec![TokenHash([1; 32])]), true),
        (Change::UserRemoved(UserId(1)), true),
        (Change::UserChanged(UserId(1)), false),
    ] {
        let (mut one, one_closed) = watcher(&feed, &[1]);
        let (two, two_closed) = watcher(&feed, &[1]);
        let (_third, third_closed) = other();
        feed.on_change(&moved(1));
        tokio::task::yield_now().await;
        feed.on_change(&change);
        for closed in [one_closed, two_closed] {
            assert_eq!(
                closed.now_or_never(),
                both.then_some(Ok(CloseReason::KeyRefused)),
                "{change:?}"
            );
        }
        assert_eq!(one.next().now_or_never().is_none(), both, "{change:?}");
        assert!(third_closed.now_or_never().is_none(), "{change:?}");
        drop(two);
    }
}

#[tokio::test]
async fn who_leaves_leaves_nothing_behind() {
    let feed = feed(8);
    let (mut one, _closed) = watcher(&feed, &[1, 2, 3]);
    let (two, _closed) = watcher(&feed, &[1]);
    one.unsubscribe(Platform::Teams, "abc-defg-hij");
    assert_eq!(feed.lock().meetings.len(), 3, "another platform");
    feed.on_change(&Change::MeetingRedacted(MeetingId(2)));
    assert_eq!(feed.lock().meetings.len(), 2, "a meeting whose words are gone");
    feed.on_change(&moved(1));
    tokio::task::yield_now().await;
    one.unsubscribe(Platform::GoogleMeet, "abc-defg-hij");
    assert!(one.next().now_or_never().is_none(), "news of a meeting that was left");
    assert_eq!(feed.lock().meetings.len(), 1);
    drop((one, two));
    let hub = feed.lock();
    assert!(hub.meetings.is_empty() && hub.subscribers.is_empty());
}

#[tokio::test]
async fn subscriptions_are_limited() {
    let feed = feed(8);
    let (mut watcher, _closed) = watcher(&feed, &[]);
    let max = i64::try_from(SUBSCRIPTIONS_MAX).expect("small");
    assert!((0..max).all(|id| watcher.subscribe(&meeting(id), "abc-defg-hij")));
    assert!(!watcher.subscribe(&meeting(max), "abc-defg-hij"));
    assert!(watcher.subscribe(&meeting(0), "abc-defg-hij"), "one that it has");
}
