//! Places, health, and whose turn it is.

#![cfg(test)]

use super::{HELLO, Server, asked, away, response, server, still_clock};
use crate::clock::{Clock, later};
use crate::domain::engine_state::EngineHealth;
use crate::transcription::engines::desk::{Desk, NoSeat, Seat};
use crate::transcription::engines::{Engines, NotHeard};
use crate::transcription::heard::Urgency;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn pass(clock: &Clock, seconds: u64) {
    clock.set(later(clock.now(), Duration::from_secs(seconds)));
}

#[tokio::test]
async fn an_engine_that_fails_rests_longer_each_time_and_one_request_tries_it() {
    let status = Arc::new(AtomicU16::new(500));
    let answered = Arc::clone(&status);
    let one = Server::start(move |_| response(answered.load(Ordering::Relaxed), HELLO)).await;
    let clock = still_clock();
    let engines = Engines::of(vec![server("one", &one.url)], None, clock.clone());
    let mut requests = 0;
    for rest in [5, 10, 20, 40, 60, 60] {
        assert!(engines.takes_now());
        away(engines.hear(asked(Urgency::Live), None).await);
        requests += 1;
        assert_eq!(one.received().len(), requests);
        pass(&clock, rest - 1);
        assert!(!engines.takes_now(), "{rest}");
        away(engines.hear(asked(Urgency::Live), None).await);
        assert_eq!(one.received().len(), requests, "it rests for {rest} s");
        pass(&clock, 1);
    }
    status.store(200, Ordering::Relaxed);
    engines.hear(asked(Urgency::Live), None).await.expect("words");
    engines.hear(asked(Urgency::Live), None).await.expect("words");
    assert_eq!(one.received().len(), requests + 2);
    status.store(500, Ordering::Relaxed);
    away(engines.hear(asked(Urgency::Live), None).await);
    pass(&clock, 5);
    assert!(engines.takes_now(), "it begins with the shortest rest again");
}

#[tokio::test]
async fn an_engine_that_does_not_take_a_sound_or_has_rested_is_due() {
    let status = Arc::new(AtomicU16::new(422));
    let answered = Arc::clone(&status);
    let one = Server::start(move |_| response(answered.load(Ordering::Relaxed), HELLO)).await;
    let clock = still_clock();
    let engines = Engines::of(vec![server("one", &one.url)], None, clock.clone());
    let state = || engines.states().remove(0);
    assert_eq!((state().health, state().last_failure), (EngineHealth::Untried, None));
    let refused = engines.hear(asked(Urgency::Live), None).await;
    assert!(matches!(refused, Err(NotHeard::NotTaken(_))), "{refused:?}");
    assert_eq!(state().health, EngineHealth::Due);
    let why = state().last_failure.expect("a reason").why;
    assert!(why.contains("422"), "{why}");
    status.store(200, Ordering::Relaxed);
    engines.hear(asked(Urgency::Live), None).await.expect("words");
    assert_eq!(state().health, EngineHealth::Well);
    status.store(500, Ordering::Relaxed);
    away(engines.hear(asked(Urgency::Live), None).await);
    assert_eq!(state().health, EngineHealth::Resting);
    pass(&clock, 5);
    assert_eq!(state().health, EngineHealth::Due, "the next sound tries it");
}

#[tokio::test]
async fn while_one_request_tries_an_engine_others_do_not() {
    let clock = still_clock();
    let desk = Desk::new(&[4], clock.clone());
    let (first, second) = (live(&desk).await, live(&desk).await);
    assert!(first.failed("It is away."));
    assert!(!second.failed("It is away."), "failures side by side are one");
    let refused = desk.seat(&[0], Urgency::Live).await.map(|_| ());
    assert_eq!(refused, Err(NoSeat::Away("It is away.".to_owned())));
    pass(&clock, 5);
    let trial = live(&desk).await;
    assert!(!desk.takes_now());
    let refused = desk.seat(&[0], Urgency::Live).await.map(|_| ());
    assert_eq!(refused, Err(NoSeat::Away("It is away.".to_owned())));
    // A request that is given up says nothing.
    drop(trial);
    let slow = live(&desk).await;
    pass(&clock, 29);
    assert!(!desk.takes_now());
    pass(&clock, 1);
    assert!(desk.takes_now(), "a trial that takes long is not waited for");
    live(&desk).await.worked();
    drop(slow);
    let (_one, _two) = (live(&desk).await, live(&desk).await);
}

async fn live(desk: &Arc<Desk>) -> Seat {
    desk.seat(&[0], Urgency::Live).await.map_err(|why| format!("{why:?}")).expect("a place")
}

/// Whether somebody still waits.
fn waits<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn drafts_go_away_and_the_more_urgent_goes_first() {
    let desk = Desk::new(&[1], still_clock());
    let taken = live(&desk).await;
    let busy = desk.seat(&[0], Urgency::Draft).await.map(|_| ());
    assert_eq!(busy, Err(NoSeat::Busy));
    let mut recording = pin!(desk.seat(&[0], Urgency::Recording));
    let mut first = pin!(desk.seat(&[0], Urgency::Live));
    let mut second = pin!(desk.seat(&[0], Urgency::Live));
    assert!(waits(recording.as_mut()).is_none());
    assert!(waits(first.as_mut()).is_none() && waits(second.as_mut()).is_none());
    taken.worked();
    // Whoever looks first: the place is the most urgent one's, of those the first one's.
    let busy = desk.seat(&[0], Urgency::Draft).await.map(|_| ());
    assert_eq!(busy, Err(NoSeat::Busy), "a draft yields to those who wait");
    assert!(waits(recording.as_mut()).is_none() && waits(second.as_mut()).is_none());
    let seat = waits(first.as_mut()).expect("its turn").map_err(|_| "away").expect("a place");
    drop(seat);
    assert!(waits(recording.as_mut()).is_none());
    let seat = second.await.map_err(|_| "away").expect("a place");
    drop(seat);
    recording.await.map_err(|_| "away").expect("a place").worked();
    desk.seat(&[0], Urgency::Draft).await.map_err(|_| "busy").expect("a place");
}

#[tokio::test]
async fn who_is_not_to_wait_goes_away_as_a_draft_does() {
    let desk = Desk::new(&[1], still_clock());
    let taken = desk.seat_now(&[0], Urgency::Live).map_err(|_| "busy").expect("a place");
    let busy = desk.seat_now(&[0], Urgency::Live).map(|_| ());
    assert_eq!(busy, Err(NoSeat::Busy));
    drop(taken);
    desk.seat_now(&[0], Urgency::Live).map_err(|_| "busy").expect("a place");
}

#[tokio::test]
async fn who_gives_up_waiting_is_in_nobodys_way() {
    let desk = Desk::new(&[1], still_clock());
    let taken = live(&desk).await;
    {
        let mut gone = pin!(desk.seat(&[0], Urgency::Live));
        assert!(waits(gone.as_mut()).is_none());
    }
    drop(taken);
    desk.seat(&[0], Urgency::Draft).await.map_err(|_| "busy").expect("a place");
}

#[tokio::test]
async fn an_engine_whose_places_are_taken_leaves_the_sound_to_the_next() {
    let desk = Desk::new(&[1, 1], still_clock());
    let first = desk.seat(&[0, 1], Urgency::Draft).await.map_err(|_| "busy").expect("a place");
    let second = desk.seat(&[0, 1], Urgency::Draft).await.map_err(|_| "busy").expect("a place");
    assert_eq!((first.number, second.number), (0, 1));
}

#[tokio::test]
async fn the_measured_speed_says_how_many_streams_there_may_be() {
    let one = Server::start(|_| response(200, HELLO)).await;
    let engines = Engines::of(vec![server("one", &one.url)], None, still_clock());
    assert_eq!(engines.live_streams_max(), None, "nothing is measured yet");
    let second = Duration::from_secs(1);
    engines.engines[0].counters.hear(second * 10, second);
    // Two places, a tenth of a second for each second, and a fifth of the time is kept free.
    assert_eq!(engines.live_streams_max(), Some(16));
    let mut crowd = server("one", &one.url);
    crowd.places = 100;
    let crowd = Engines::of(vec![crowd], None, still_clock());
    crowd.engines[0].counters.hear(second * 10, second);
    assert_eq!(crowd.live_streams_max(), Some(128), "no more than 16 windows are heard at once");
    let seat = live(&engines.desk).await;
    seat.failed("It is away.");
    assert_eq!(engines.live_streams_max(), None, "an engine that rests counts for nothing");
}

#[tokio::test]
async fn without_an_engine_nothing_is_heard() {
    let engines = Engines::of(Vec::new(), None, still_clock());
    assert!(!engines.is_any() && !engines.takes_now());
    let heard = engines.hear(asked(Urgency::Live), None).await;
    assert!(matches!(heard, Err(NotHeard::Away(_))));
}
