//! Tests of the room of bodies: who waits for whom, and who does not. The time stands still while
//! anybody can go on.

#![cfg(test)]

use super::*;
use crate::budget::Budgets;
use crate::domain::{TokenHash, UserId};
use hyper::body::SizeHint;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::task::{JoinHandle, JoinSet};

const PIECE: usize = 16 * 1024;
const PIECES: usize = 64;
/// The longest body of the settings, as they are by default.
const BODY_BYTES: usize = 64 * 1024;
/// The most that all bodies together may take.
const ALL_BYTES: u64 = 24 * 1024 * 1024;

/// A body that comes piece by piece, and then is silent or over.
struct Upload {
    left: usize,
    /// Whether its length is known from the beginning.
    announced: Option<u64>,
    is_ready: bool,
    is_silent: bool,
}

impl Upload {
    fn of_pieces(pieces: usize, is_announced: bool) -> Self {
        let announced = is_announced.then_some((pieces * PIECE) as u64);
        Self { left: pieces, announced, is_ready: false, is_silent: false }
    }

    /// One of which nothing comes.
    fn silent(announced: usize) -> Self {
        Self { left: 0, announced: Some(announced as u64), is_ready: false, is_silent: true }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 && self.is_silent {
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(None);
        }
        // The other uploads have their turn between two pieces.
        self.is_ready = !self.is_ready;
        if self.is_ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; PIECE])))))
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

async fn upload(budgets: Arc<Budgets>, holder: Holder, upload: Upload) -> Result<usize> {
    let limits = BodyLimits {
        bytes_max: 1024 * 1024,
        time_max: Duration::from_secs(10),
        bodies: &budgets.bodies,
        holder,
    };
    collect(upload, &limits).await.map(|read| read.bytes.len())
}

fn begin(budgets: &Arc<Budgets>, holder: Holder, body: Upload) -> JoinHandle<Result<usize>> {
    tokio::spawn(upload(Arc::clone(budgets), holder, body))
}

/// Lets everybody go on until they wait for something.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Who reports from one of 256 addresses.
fn reporter(number: u8) -> Holder {
    Holder::reporter(Some(Ipv4Addr::new(192, 0, 2, number).into()))
}

/// A long body and short ones come to their end, announced or not.
async fn assert_served(budgets: &Arc<Budgets>, holder: Holder) {
    for (pieces, is_announced) in [(PIECES, true), (PIECES, false), (2, true), (2, false)] {
        let body = Upload::of_pieces(pieces, is_announced);
        let read = upload(Arc::clone(budgets), holder, body).await;
        assert_eq!(read.expect("room"), pieces * PIECE, "{holder:?} {pieces} {is_announced}");
    }
}

#[tokio::test(start_paused = true)]
async fn sixteen_uploads_of_one_user_at_once_all_come_to_their_end() {
    for is_announced in [true, false] {
        let budgets = Arc::new(Budgets::new(1, 1, BODY_BYTES));
        let mut uploads = JoinSet::new();
        for _ in 0..16 {
            let body = Upload::of_pieces(PIECES, is_announced);
            uploads.spawn(upload(Arc::clone(&budgets), Holder::User(UserId(1)), body));
        }
        for read in uploads.join_all().await {
            assert_eq!(read.expect("room in time"), PIECE * PIECES, "{is_announced}");
        }
        assert_eq!(budgets.bodies.used(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn silent_bodies_without_a_key_are_in_the_way_of_nobody_with_one() {
    let budgets = Arc::new(Budgets::new(1, 1, BODY_BYTES));
    for number in 0..=255 {
        for length in [1024 * 1024, 64 * 1024, 16 * 1024] {
            begin(&budgets, Holder::Anonymous, Upload::silent(length));
            begin(&budgets, reporter(number), Upload::silent(length));
        }
    }
    settle().await;
    assert!(budgets.bodies.used() > ALL_BYTES / 5, "the test itself");
    for holder in [Holder::Bot(TokenHash([1; 32])), Holder::User(UserId(1)), Holder::Admin] {
        assert_served(&budgets, holder).await;
    }
}

#[tokio::test(start_paused = true)]
async fn silent_bodies_of_one_user_are_in_the_way_of_no_other() {
    let budgets = Arc::new(Budgets::new(1, 1, BODY_BYTES));
    for _ in 0..1000 {
        begin(&budgets, Holder::User(UserId(1)), Upload::silent(1024 * 1024));
        begin(&budgets, Holder::User(UserId(1)), Upload::silent(64 * 1024));
    }
    settle().await;
    assert!(budgets.bodies.used() > ALL_BYTES / 8, "the test itself");
    assert_served(&budgets, Holder::User(UserId(2))).await;
}

#[tokio::test(start_paused = true)]
async fn short_bodies_do_not_wait_for_long_ones() {
    let budgets = Arc::new(Budgets::new(1, 1, BODY_BYTES));
    let user = Holder::User(UserId(1));
    for _ in 0..20 {
        begin(&budgets, user, Upload::silent(1024 * 1024));
    }
    settle().await;
    let begun = tokio::time::Instant::now();
    for is_announced in [true, false] {
        let body = Upload::of_pieces(2, is_announced);
        upload(Arc::clone(&budgets), user, body).await.expect("room");
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_long_body_of_which_nothing_comes_gives_its_room_back() {
    let budgets = Arc::new(Budgets::new(1, 1, BODY_BYTES));
    let user = Holder::User(UserId(1));
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(begin(&budgets, user, Upload::silent(1024 * 1024)));
    }
    settle().await;
    let body = Upload::of_pieces(PIECES, true);
    upload(Arc::clone(&budgets), user, body).await.expect("the room of those that are silent");
    for silent in silent {
        let ended = silent.await.expect("no panic");
        assert!(matches!(ended, Err(Error::TooSlow)), "{ended:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_bodies_together_have_a_limit() {
    let budgets = Arc::new(Budgets::new(1, 1, BODY_BYTES));
    for number in 0..100 {
        for _ in 0..100 {
            for length in [1024 * 1024, 64 * 1024] {
                let user = Holder::User(UserId(number.into()));
                begin(&budgets, user, Upload::silent(length));
                begin(&budgets, reporter(number), Upload::silent(length));
            }
        }
    }
    settle().await;
    let used = budgets.bodies.used();
    assert!(used <= ALL_BYTES && used > ALL_BYTES * 3 / 4, "{used}");
}

#[tokio::test]
async fn what_did_not_come_is_given_back() {
    let budgets = Budgets::new(1, 1, BODY_BYTES);
    let limits = BodyLimits {
        bytes_max: 1024 * 1024,
        time_max: Duration::from_secs(10),
        bodies: &budgets.bodies,
        holder: Holder::User(UserId(1)),
    };
    let read = collect(Upload::of_pieces(1, false), &limits).await.expect("room");
    assert_eq!(budgets.bodies.used(), (PIECE - BODY_BYTES_FREE) as u64);
    drop(read);
    assert_eq!(budgets.bodies.used(), 0);
}

/// Where the settings allow bodies that are longer than a usual share, all of them is counted.
#[test]
fn a_body_of_the_longest_kind_counts_with_every_byte() {
    let longest = 16 * 1024 * 1024;
    let budgets = Budgets::new(1, 1, longest);
    let room = &budgets.bodies.of(Holder::Admin).long;
    let held = room.take(Holder::Admin, counted(longest)).expect("a share");
    assert_eq!(budgets.bodies.used(), counted(longest) as u64);
    assert!(room.take(Holder::Admin, counted(longest)).is_err(), "a second one at once");
    drop(held);
    // Callers without a key send no longer bodies than before.
    let keyless = &budgets.bodies.of(Holder::Anonymous).long;
    let _held = keyless.take(Holder::Anonymous, longest).expect("a share");
    assert_eq!(keyless.used(), 1024 * 1024);
}
