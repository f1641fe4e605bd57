//! Lists that leave out many rows: whatever was added or removed before, they go on where counting
//! would.

use crate::server::open_file;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::runtime::{Builder, Runtime};
use vomeet::domain::{Data, Email, Time, UserId};
use vomeet::store::{CreateUser, DeleteUser, ListPage, MeetingsWanted, Options, Store, UserPage};

/// So many that several blocks are left out whole.
const IDS: i64 = 5000;
const LIMIT: i64 = 5;

#[derive(Debug, Clone)]
enum Operation {
    /// Adds so many users.
    Create(u8),
    /// Removes users with their meetings: the one at that position and some that follow.
    Delete(usize, u8),
    /// Closes the file and opens it again.
    Restart,
    /// Lists what lies behind so many rows, all of them or those above an id.
    List(i64, i64),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => (1..40_u8).prop_map(Operation::Create),
        3 => (0..5000_usize, 1..40_u8).prop_map(|(at, number)| Operation::Delete(at, number)),
        1 => Just(Operation::Restart),
        8 => (0..IDS + 500, prop_oneof![2 => Just(0), 1 => 0..IDS + 500])
            .prop_map(|(skip, after)| Operation::List(skip, after)),
    ]
}

/// What there must be.
#[derive(Clone)]
struct Model {
    /// By id, and the ids of their meetings.
    users: BTreeMap<i64, Vec<i64>>,
    next_user: i64,
}

/// Users and meetings with gaps between their ids.
fn insert_rows(db: &Connection) -> Model {
    let mut users = BTreeMap::new();
    let tx = db.unchecked_transaction().expect("a transaction");
    for id in (1..=IDS).filter(|id| id % 7 != 0 && !(2100..3300).contains(id)) {
        let sql = "INSERT INTO users (id, email, email_key, max_concurrent_bots, data, created_at)
                   VALUES (?1, 'u' || ?1 || '@example.com', 'u' || ?1 || '@example.com', 1, '{}', 0)";
        tx.execute(sql, [id]).expect("a user");
        let meetings: Vec<i64> = (0..id % 3).map(|n| id + n * IDS).collect();
        for meeting in &meetings {
            let sql =
                "INSERT INTO meetings (id, user_id, platform, status, data, created_at, updated_at)
                       VALUES (?1, ?2, 'teams', 'completed', '{}', 0, 0)";
            tx.execute(sql, [*meeting, id]).expect("a meeting");
        }
        users.insert(id, meetings);
    }
    tx.commit().expect("a commit");
    let next_user = users.keys().last().expect("users") + 1;
    Model { users, next_user }
}

fn open(database: &Path) -> Store {
    let options =
        Options { path: database.to_owned(), small_readers: 1, long_readers: 1, queue_max: 256 };
    Store::open(&options, |_| {}).expect("a store")
}

fn new_user(number: i64) -> CreateUser {
    CreateUser {
        email: Email::stored(format!("new{number}@example.com")),
        name: None,
        image_url: None,
        max_concurrent_bots: 0,
        data: Data::default(),
        now: Time::from_millis(0),
    }
}

async fn change(store: &Store, model: &mut Model, operation: &Operation) {
    match operation {
        Operation::Create(number) => {
            for _ in 0..*number {
                let (user, is_new) = store.write(new_user(model.next_user)).await.expect("a user");
                assert!(is_new);
                assert_eq!(user.id.0, model.next_user);
                model.users.insert(model.next_user, Vec::new());
                model.next_user += 1;
            }
        }
        Operation::Delete(at, number) => {
            let ids: Vec<i64> =
                model.users.keys().skip(*at).take(usize::from(*number)).copied().collect();
            for id in ids {
                store.write(DeleteUser { id: UserId(id) }).await.expect("an end");
                model.users.remove(&id);
            }
            // One that is refused changes nothing.
            let gone = store.write(DeleteUser { id: UserId(model.next_user + 1) }).await;
            assert!(gone.is_err());
        }
        Operation::Restart | Operation::List(..) => {}
    }
}

async fn look(store: &Store, model: &Model, skip: i64, after: i64) {
    let number = usize::try_from(skip).expect("a number");
    let limit = usize::try_from(LIMIT).expect("a number");
    let row = format!("skip {skip} after {after}");
    let page = UserPage { after: Some(UserId(after)), skip, limit: LIMIT, matching: None };
    let users: Vec<i64> =
        store.users(page).await.expect("users").iter().map(|user| user.id.0).collect();
    let expected: Vec<i64> =
        model.users.range(after + 1..).skip(number).take(limit).map(|(id, _)| *id).collect();
    assert_eq!(users, expected, "{row}");
    let page = ListPage { skip, limit: LIMIT };
    let users: Vec<i64> =
        store.user_summaries(page).await.expect("users").iter().map(|user| user.id.0).collect();
    assert_eq!(
        users,
        model.users.keys().skip(number).take(limit).copied().collect::<Vec<_>>(),
        "{row}"
    );
    let matching =
        UserPage { after: None, skip: skip / 9, limit: LIMIT, matching: Some("u1".to_owned()) };
    let found = store.users(matching).await.expect("users");
    let is_meant = |id: &i64| *id <= IDS && id.to_string().starts_with('1');
    let expected: Vec<i64> =
        model.users.keys().copied().filter(is_meant).skip(number / 9).take(limit).collect();
    assert_eq!(found.iter().map(|user| user.id.0).collect::<Vec<_>>(), expected, "{row}");

    let mut meetings: Vec<i64> = model.users.values().flatten().copied().collect();
    meetings.sort_unstable_by(|one, other| other.cmp(one));
    let expected: Vec<i64> = meetings.iter().skip(number).take(limit).copied().collect();
    let listed = store.meetings_with_users(page).await.expect("meetings");
    assert_eq!(listed.total, i64::try_from(meetings.len()).expect("a number"), "{row}");
    assert_eq!(
        listed.items.iter().map(|item| item.meeting.id.0).collect::<Vec<_>>(),
        expected,
        "{row}"
    );
    let all = MeetingsWanted { user_id: None, platform: None, native_meeting_id: None, page };
    let listed = store.meeting_summaries(all).await.expect("meetings");
    assert_eq!(listed.iter().map(|meeting| meeting.id.0).collect::<Vec<_>>(), expected, "{row}");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime")
}

#[test]
fn lists_go_on_where_counting_would_after_any_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let original: PathBuf = folder.path().join("original.db");
    let mut rows = None;
    open_file(&original, |db| rows = Some(insert_rows(db)));
    let rows = rows.expect("rows");
    let database = folder.path().join("vomeet.db");
    let runtime = runtime();
    let sequences = prop::collection::vec(operation(), 1..40);
    let config =
        Config { cases: 12, failure_persistence: None, max_shrink_iters: 50, ..Config::default() };
    let outcome = TestRunner::new(config).run(&sequences, |operations| {
        std::fs::copy(&original, &database).expect("a copy");
        let (mut store, mut model) = (open(&database), rows.clone());
        for operation in &operations {
            match operation {
                Operation::List(skip, after) => {
                    runtime.block_on(look(&store, &model, *skip, *after));
                }
                Operation::Restart => {
                    store.close();
                    drop(store);
                    store = open(&database);
                }
                operation => runtime.block_on(change(&store, &mut model, operation)),
            }
        }
        // The very end, and what lies behind it.
        let number = i64::try_from(model.users.len()).expect("a number");
        for skip in [number - 1, number, number + 1] {
            runtime.block_on(look(&store, &model, skip, 0));
        }
        store.close();
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
