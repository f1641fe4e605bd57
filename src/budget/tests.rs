//! Shares, and what is left of the whole.

#![cfg(test)]

use super::*;

const ONE: Holder = Holder::User(UserId(1));
const TWO: Holder = Holder::User(UserId(2));

#[test]
fn one_holder_has_a_share_and_all_have_the_whole() {
    let budget = Budget::new(10, 6);
    let one = budget.take(ONE, 6).expect("the share");
    assert!(budget.take(ONE, 1).is_err(), "more than the share");
    let two = budget.take(TWO, 4).expect("the rest");
    assert!(budget.take(TWO, 1).is_err(), "more than there is");
    assert_eq!((budget.used(), budget.refused()), (10, 2));
    drop(one);
    assert_eq!(budget.used(), 4);
    budget.take(ONE, 6).expect("the share again");
    drop(two);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_network_of_ipv6_is_one_reporter() {
    let reporter = |text: &str| Holder::reporter(Some(text.parse().expect("an address")));
    assert_eq!(reporter("2001:db8::1"), reporter("2001:db8::ffff:1:2:3"));
    assert_ne!(reporter("2001:db8::1"), reporter("2001:db8:0:1::1"));
    assert_eq!(reporter("192.0.2.1"), reporter("::ffff:192.0.2.1"));
    assert_ne!(reporter("192.0.2.1"), reporter("192.0.2.2"));
}

#[test]
fn what_is_held_shrinks() {
    let budget = Budget::new(100, 50);
    let mut held = budget.take(ONE, 50).expect("the share");
    held.shrink_to(10);
    assert_eq!(budget.used(), 10);
    held.shrink_to(20);
    assert_eq!(budget.used(), 10, "it does not grow by shrinking");
    drop(held);
    assert_eq!(budget.used(), 0);
}

#[test]
fn one_that_needs_more_than_a_share_gets_the_whole_share() {
    let budget = Budget::new(8, 4);
    let _held = budget.take(ONE, 1_000_000).expect("the share");
    assert_eq!(budget.used(), 4);
}

#[test]
fn who_holds_nothing_is_forgotten() {
    let budget = Budget::new(8, 4);
    let _held = budget.take(ONE, 4).expect("the share");
    for id in 10..5_000 {
        budget.take(Holder::Token(TokenId(id)), 1).expect("one");
    }
    assert!(budget.shares.lock().expect("the shares").len() <= HOLDERS_USUAL);
    assert!(budget.take(ONE, 1).is_err(), "who holds some is not forgotten");
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_served_in_turn_or_told_that_the_server_is_busy() {
    let budget = Arc::new(Budget::new(4, 2));
    let held = budget.take(ONE, 2).expect("the share");
    let waiting = tokio::spawn({
        let budget = Arc::clone(&budget);
        async move { budget.wait(ONE, 2).await.map(drop) }
    });
    tokio::task::yield_now().await;
    // Who waits for their own share is in nobody's way.
    budget.wait(TWO, 2).await.expect("another's share");
    drop(held);
    waiting.await.expect("no panic").expect("it was given back in time");
    let _held = budget.take(ONE, 2).expect("the share");
    assert!(matches!(budget.wait(ONE, 1).await, Err(Error::Busy)));
}

#[test]
fn a_user_sends_two_recordings_and_all_send_sixteen() {
    let uploads = Budgets::new(9, 9, 1024).uploads;
    let mut held = Vec::new();
    for user in 0..8 {
        let user = Holder::User(UserId(user));
        held.push(uploads.take(user, 1).expect("one"));
        held.push(uploads.take(user, 1).expect("two"));
        assert!(matches!(uploads.take(user, 1), Err(Error::Busy)), "three");
    }
    let other = Holder::User(UserId(99));
    assert!(matches!(uploads.take(other, 1), Err(Error::Busy)), "one more");
    held.pop();
    uploads.take(other, 1).expect("a place again");
}
