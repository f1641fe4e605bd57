//! Connections on a clock that only the test moves: which are late, and which make room.

#![cfg(test)]

use super::*;
use crate::config::Cors;
use crate::http::connection_activity::TICK;

/// Limits of one second, but ten for an idle connection, and four for a body.
fn limits(connections_max: usize) -> Limits {
    Limits {
        workers: 1,
        connections_max,
        body_bytes_max: 0,
        header_time_max: TICK,
        idle_time_max: 10 * TICK,
        body_time_max: 4 * TICK,
        response_time_max: TICK,
        drain_time: TICK,
        stop_time_max: TICK,
        allowed_hosts: Vec::new(),
        cors: Cors::default(),
        trusted_proxies: vec!["192.0.2.0/24".parse().expect("a network")],
    }
}

type Place = (ConnectionGuard, oneshot::Receiver<End>);

fn all(connections_max: usize) -> Arc<Connections> {
    Connections::new(limits(connections_max))
}

fn admit(all: &Arc<Connections>, from: &str) -> Result<Place, NoPlace> {
    all.admit(Some(from.parse().expect("an address")))
}

fn here(all: &Arc<Connections>) -> Place {
    admit(all, "127.0.0.1").expect("a place")
}

fn pass(all: &Connections, ticks: u32) {
    (0..ticks).for_each(|_| all.tick());
}

/// Moves the clock, and ends nothing that is late.
fn age(all: &Connections, ticks: u32) {
    all.ticks.fetch_add(ticks, Ordering::Relaxed);
}

fn end(place: &mut Place) -> Option<End> {
    place.1.try_recv().ok()
}

/// How a connection ends after some steps, if it does within `ticks`.
fn end_after(steps: &[fn(&ConnectionGuard)], ticks: u32) -> Option<End> {
    let all = all(1);
    let mut place = here(&all);
    for step in steps {
        step(&place.0);
    }
    pass(&all, ticks);
    end(&mut place)
}

const CAME: fn(&ConnectionGuard) = |guard| guard.activity.request_came(false);
const BODY: fn(&ConnectionGuard) = |guard| guard.activity.request_came(true);
const STALLS: fn(&ConnectionGuard) = |guard| guard.activity.reader_stalls(0);
const TAKES: fn(&ConnectionGuard) = |guard| guard.activity.reader_stalls(16 * 1024);
const TOOK: fn(&ConnectionGuard) = |guard| guard.activity.reader_took_all();
const BYTES: fn(&ConnectionGuard) = |guard| guard.activity.bytes_came();
const FINISHED: fn(&ConnectionGuard) = ConnectionGuard::finished;

#[test]
fn what_is_waited_for_decides_what_is_late() {
    let late = Some(End::Late);
    for (about, steps, end) in [
        ("no request comes", vec![], late),
        ("the first head does not end", vec![BYTES], late),
        ("the handler works", vec![CAME], None),
        ("the next request does not come", vec![CAME, FINISHED, TOOK], None),
        ("the next head does not end", vec![CAME, FINISHED, TOOK, BYTES], late),
        ("the response is not read", vec![CAME, STALLS, FINISHED], late),
        ("a part of the response is not read", vec![CAME, TOOK, STALLS], late),
        ("more of the response is to come", vec![CAME, STALLS, TOOK], None),
        ("all of a long response was read", vec![CAME, STALLS, TOOK, FINISHED], None),
        ("a second request works", vec![CAME, FINISHED, BYTES, CAME], None),
    ] {
        assert_eq!(end_after(&steps, 5), end, "{about}");
    }
}

#[test]
fn an_idle_connection_has_longer_than_a_head() {
    let steps = [CAME, FINISHED, TOOK];
    assert_eq!(end_after(&steps, 10), None);
    assert_eq!(end_after(&steps, 12), Some(End::Late));
}

#[test]
fn who_takes_a_long_response_steadily_is_not_late() {
    let all = all(1);
    let mut place = here(&all);
    CAME(&place.0);
    for _ in 0..20 {
        TAKES(&place.0);
        all.tick();
        assert_eq!(end(&mut place), None);
    }
    pass(&all, 4);
    assert_eq!(end(&mut place), Some(End::Late), "it takes nothing any more");
}

#[test]
fn what_finished_nothing_makes_room_first_and_then_what_is_idle() {
    let all = all(4);
    let mut upload = here(&all);
    BODY(&upload.0);
    let mut idle = here(&all);
    FINISHED(&idle.0);
    let mut used = here(&all);
    FINISHED(&used.0);
    let mut newest = here(&all);
    let mut more = Vec::new();
    age(&all, 2);
    for evicted in [&mut newest, &mut idle, &mut used] {
        let place = here(&all);
        assert_eq!(end(evicted), Some(End::Evicted));
        CAME(&place.0);
        more.push(place);
    }
    // All that are left are in the middle of a request.
    assert_eq!(admit(&all, "127.0.0.1").err(), Some(NoPlace::Full));
    assert_eq!(end(&mut upload), None);
    assert!(more.iter_mut().all(|place| end(place).is_none()));
    assert_eq!(all.count(), 4);
    // By the admin socket there is always a place.
    let local = all.admit(None).expect("a place");
    assert_eq!(all.count(), 5);
    drop(local);
    // The body had half of its time.
    pass(&all, 3);
    more.push(here(&all));
    assert_eq!(end(&mut upload), Some(End::Evicted));
}

#[test]
fn what_is_not_read_makes_room_before_what_is_still_coming() {
    let all = all(2);
    let (mut unread, mut upload) = (here(&all), here(&all));
    CAME(&unread.0);
    STALLS(&unread.0);
    BODY(&upload.0);
    assert_eq!(admit(&all, "127.0.0.1").err(), Some(NoPlace::Full), "it may only be slow");
    age(&all, 3);
    let mut place = here(&all);
    assert_eq!((end(&mut unread), end(&mut upload)), (Some(End::Evicted), None));
    assert_eq!(end(&mut place), None);
}

#[test]
fn whose_request_may_be_on_its_way_makes_room_last() {
    let all = all(16);
    let busy: Vec<_> = (0..13).map(|_| here(&all)).collect();
    for place in &busy {
        CAME(&place.0);
    }
    let mut unread = here(&all);
    CAME(&unread.0);
    STALLS(&unread.0);
    let mut idle = here(&all);
    FINISHED(&idle.0);
    age(&all, 3);
    let (mut used, mut newcomers) = (here(&all), Vec::new());
    FINISHED(&used.0);
    for evicted in [&mut idle, &mut unread, &mut used] {
        newcomers.push(here(&all));
        assert_eq!(end(evicted), Some(End::Evicted));
    }
    assert!(newcomers.iter_mut().all(|place| end(place).is_none()));
    // All of them are fresh: the oldest makes room.
    newcomers.push(here(&all));
    assert_eq!(end(&mut newcomers[0]), Some(End::Evicted));
    assert!(newcomers[1..].iter_mut().all(|place| end(place).is_none()));
}

#[test]
fn a_flood_of_newcomers_evicts_itself() {
    let all = all(16);
    let mut kept: Vec<_> = (0..8).map(|_| here(&all)).collect();
    for place in &kept {
        FINISHED(&place.0);
    }
    age(&all, 3);
    let mut flood: Vec<_> = (0..8).map(|_| here(&all)).collect();
    for number in 0..100 {
        flood.push(here(&all));
        assert_eq!(end(&mut flood[number]), Some(End::Evicted), "{number}");
    }
    assert!(kept.iter_mut().all(|place| end(place).is_none()));
}

#[test]
fn a_few_fresh_connections_are_not_evicted_together() {
    let all = all(1024);
    let mut places: Vec<_> = (0..1024).map(|_| here(&all)).collect();
    for place in &places[8..] {
        CAME(&place.0);
    }
    let _newcomer = here(&all);
    let evicted = places.iter_mut().filter_map(end).count();
    assert_eq!(evicted, 1);
    assert_eq!(all.evicted(), 1);
}

#[test]
fn an_address_has_a_quarter_of_the_places_and_evicts_its_own() {
    let all = all(16);
    let mut other = admit(&all, "198.51.100.1").expect("a place");
    for (from, another) in [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
    ] {
        let mut places: Vec<_> = (0..4).map(|_| admit(&all, from).expect("a place")).collect();
        let newcomer = admit(&all, another).expect("a place");
        assert_eq!(end(&mut places[0]), Some(End::Evicted), "{from}");
        CAME(&newcomer.0);
        places[1..].iter().for_each(|place| CAME(&place.0));
        assert_eq!(admit(&all, from).err(), Some(NoPlace::ShareUsed), "{from}");
        drop(places);
        admit(&all, from).expect("a place that is free again");
    }
    assert_eq!(end(&mut other), None);
}

#[test]
fn this_machine_and_trusted_proxies_may_have_all_places() {
    for from in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "192.0.2.8"] {
        let all = all(16);
        let mut places = Vec::new();
        for _ in 0..16 {
            let place = admit(&all, from).expect("a place");
            CAME(&place.0);
            places.push(place);
        }
        assert!(places.iter_mut().all(|place| end(place).is_none()), "{from}");
        assert_eq!(all.count(), 16, "{from}");
    }
}

#[test]
fn places_are_given_back() {
    let all = all(16);
    for _ in 0..100 {
        let place = admit(&all, "203.0.113.7").expect("a place");
        CAME(&place.0);
    }
    assert_eq!((all.count(), all.evicted()), (0, 0));
    assert!(all.lock().of_address.is_empty());
}
