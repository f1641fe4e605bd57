//! kill -9 at any step of a restore: the old file or the new one, whole. And random histories: after
//! a restore no token works that did not before, and nobody who was erased is in the file.
//!
//! With `VOMEET_TEST_LONG=1` there are more kills and more histories.

use crate::backup::rows;
use crate::cli::done;
use crate::process::{BINARY, Launch};
use crate::restore::{database, has, one, restored, serve, sql};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fs;
use std::path::Path;
use vomeet::domain::{
    Actor, Data, Email, Hint, MeetingId, Narrowing, Patch, Platform, Time, TokenChanges, TokenHash,
    TokenId, TokenTerms, UserId,
};
use vomeet::store::{
    BeginErasure, CreateToken, CreateUser, DeleteUser, MeetingName, Options, RedactMeeting,
    RevokeToken, RotateToken, Store, UpdateToken, UpdateUser,
};

fn is_long() -> bool {
    std::env::var_os("VOMEET_TEST_LONG").is_some()
}

/// The system calls at which it is killed, and each how many of them. They are counted for each of
/// its threads, so a call that only the last step makes is a row of its own.
fn kills() -> [(&'static str, usize); 6] {
    let every = |number: usize| if is_long() { 1 } else { number };
    [
        ("/^rename", 1),
        ("/sync$", every(4)),
        ("/^unlink", every(9)),
        ("/^pwrite", every(40)),
        ("/^(copy_file_range|sendfile)", 1),
        ("/^ftruncate", every(2)),
    ]
}

#[test]
fn a_kill_at_any_step_leaves_the_old_file_or_the_new_one_whole() {
    let origin = tempfile::tempdir().expect("a folder");
    let path = origin.path();
    let server = serve(path);
    let [first, second] =
        ["one", "two"].map(|name| server.new_user(&format!("{name}@example.com")));
    let token = server.new_token(first);
    done(path, &["backup", "b.db"]);
    server.revoke(&token);
    server.new_user("three@example.com");
    assert_eq!(server.delete(format!("/admin/users/{second}")).admin().send().status, 204);
    server.terminate();
    // What was written last is in the WAL alone, as after a kill.
    let db = Connection::open(database(path)).expect("a database");
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).expect("set");
    db.execute("UPDATE users SET name = 'in the WAL'", []).expect("an update");
    drop(db);
    let fresh = || {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["vomeet.db", "vomeet.db-wal", "b.db"] {
            fs::copy(path.join(name), folder.path().join(name)).expect("a copy");
        }
        folder
    };
    let look = |folder: &Path| {
        let check: String = one(&database(folder), "PRAGMA integrity_check");
        assert_eq!(check, "ok");
        let mut rows = rows(&database(folder));
        rows.retain(|table, _| ["users", "tokens", "ended_keys"].contains(&table.as_str()));
        rows
    };
    let old = look(fresh().path());
    let new = {
        let folder = fresh();
        restored(folder.path(), &["b.db"]);
        look(folder.path())
    };
    let (mut killed, mut of_old, mut of_new) = (0, 0, 0);
    for (calls, every) in kills() {
        for number in (1..).step_by(every) {
            let folder = fresh();
            let trace = format!("trace={calls}");
            let inject = format!("inject={calls}:signal=KILL:when={number}");
            let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, BINARY];
            let arguments = [&arguments[..], &["restore", "b.db", "--yes"]].concat();
            let ended = Launch::other("strace", &arguments, folder.path()).run();
            if ended.status.success() {
                break;
            }
            killed += 1;
            let found = look(folder.path());
            of_old += usize::from(found == old);
            of_new += usize::from(found == new);
            assert!(found == old || found == new, "{calls} {number}: {found:?}");
            // The next one goes through, and leaves nothing of the first but what was kept.
            if found == old {
                restored(folder.path(), &["b.db"]);
                assert_eq!(look(folder.path()), new, "{calls} {number}");
            } else {
                sql(folder.path(), "SELECT 1");
            }
            let names = crate::durability::names(folder.path());
            assert!(!names.iter().any(|name| name.contains("restoring")), "{names:?}");
        }
    }
    println!("{killed} kills: {of_old} left the old file, {of_new} the new one");
    assert!(of_old >= 5 && of_new >= 1, "{killed} kills: {of_old} old, {of_new} new");
}

/// What may be done. Users and tokens are named by a number, modulo those that ever were.
#[derive(Debug, Clone)]
enum Operation {
    AddUser,
    AddToken { user: u8 },
    Revoke { token: u8 },
    Rotate { token: u8, grace: bool, by_holder: bool },
    Disable { token: u8, disabled: bool },
    SetEnd { token: u8, expires_in: i16 },
    DisableUser { user: u8, disabled: bool },
    Redact { user: u8 },
    Erase { user: u8 },
}

fn operation() -> impl Strategy<Value = Operation> {
    let number = any::<u8>;
    prop_oneof![
        2 => Just(Operation::AddUser),
        5 => number().prop_map(|user| Operation::AddToken { user }),
        2 => number().prop_map(|token| Operation::Revoke { token }),
        3 => (number(), any::<bool>(), any::<bool>())
            .prop_map(|(token, grace, by_holder)| Operation::Rotate { token, grace, by_holder }),
        2 => (number(), any::<bool>())
            .prop_map(|(token, disabled)| Operation::Disable { token, disabled }),
        2 => (number(), -500i16..500)
            .prop_map(|(token, expires_in)| Operation::SetEnd { token, expires_in }),
        1 => (number(), any::<bool>())
            .prop_map(|(user, disabled)| Operation::DisableUser { user, disabled }),
        1 => number().prop_map(|user| Operation::Redact { user }),
        2 => number().prop_map(|user| Operation::Erase { user }),
    ]
}

/// A history that is made: how many users and tokens ever were, and who was erased.
#[derive(Default)]
struct History {
    users: i64,
    tokens: i64,
    /// Words that must not be found: of users who were erased, and of meetings.
    erased: Vec<String>,
}

/// By which all is done.
fn now() -> Time {
    Time::from_millis(1_800_000_000_000)
}

fn hash(token: i64) -> TokenHash {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&token.to_le_bytes());
    TokenHash(bytes)
}

fn by() -> Actor {
    Actor { name: "key:settings".to_owned(), address: None, at: now(), salt: [1; 16] }
}

fn unchanged(id: UserId) -> UpdateUser {
    UpdateUser {
        id,
        email: None,
        name: Patch::Keep,
        image_url: Patch::Keep,
        max_concurrent_bots: None,
        data: None,
        disabled: None,
        now: now(),
    }
}

fn open(folder: &Path) -> Store {
    let path = database(folder);
    let options = Options { path, small_readers: 1, long_readers: 1, queue_max: 8 };
    crate::server::once_free(|| Store::open(&options, |_| {})).expect("a store")
}

impl History {
    fn token(&self, number: u8) -> TokenId {
        TokenId(i64::from(number) % self.tokens.max(1) + 1)
    }

    fn user(&self, number: u8) -> UserId {
        UserId(i64::from(number) % self.users.max(1) + 1)
    }

    /// Does it; what is not possible changes nothing.
    async fn apply(&mut self, store: &Store, operation: &Operation) {
        match *operation {
            Operation::AddUser => {
                let email = Email::stored(format!("zqmail{}x@example.com", self.users + 1));
                let (name, image_url, data) = (None, None, Data::default());
                let new =
                    CreateUser { email, name, image_url, max_concurrent_bots: 1, data, now: now() };
                store.write_by(by(), new).await.expect("a user");
                self.users += 1;
            }
            Operation::AddToken { user } => {
                let (user_id, hash) = (self.user(user), hash(self.tokens + 1));
                let (hint, terms) = (Hint("AbCd".to_owned()), TokenTerms::default());
                let new = CreateToken { user_id, hash, hint, terms, now: now() };
                self.tokens += i64::from(store.write_by(by(), new).await.is_ok());
            }
            Operation::Revoke { token } => {
                let _ = store
                    .write_by(
                        by(),
                        RevokeToken { id: self.token(token), of_user: None, by: None, now: now() },
                    )
                    .await;
            }
            Operation::Rotate { token, grace, by_holder } => {
                self.rotate(store, token, grace, by_holder).await;
            }
            Operation::Disable { token, disabled } => {
                self.update(store, token, Patch::Keep, Some(disabled)).await;
            }
            Operation::SetEnd { token, expires_in } => {
                let end = now().plus_seconds(i64::from(expires_in));
                self.update(store, token, Patch::Set(end), None).await;
            }
            Operation::DisableUser { user, disabled } => {
                let change = UpdateUser { disabled: Some(disabled), ..unchanged(self.user(user)) };
                let _ = store.write_by(by(), change).await;
            }
            Operation::Redact { user } => {
                let user_id = self.user(user);
                // The meeting of a user has the user's number.
                let name = MeetingName {
                    user_id,
                    platform: Platform::GoogleMeet.into(),
                    native_meeting_id: format!("zqmeet{user_id}x"),
                    meeting_id: Some(MeetingId(user_id.0)),
                };
                if store.write(RedactMeeting { name, now: now() }).await.is_ok() {
                    self.erased.push(format!("zqword{user_id}x"));
                }
            }
            Operation::Erase { user } => {
                let id = self.user(user);
                if store.write_by(by(), BeginErasure { id, now: now() }).await.is_ok() {
                    self.erased.extend([format!("zqmail{id}x"), format!("zqword{id}x")]);
                    // An erasure that is under way is one as well.
                    if user % 3 > 0 {
                        store.write(DeleteUser { id }).await.expect("erased");
                    }
                }
            }
        }
    }

    async fn rotate(&mut self, store: &Store, token: u8, grace: bool, by_holder: bool) {
        let rotate = RotateToken {
            id: self.token(token),
            hash: hash(self.tokens + 1),
            hint: Hint("AbCd".to_owned()),
            grace_seconds: if grace { 100 } else { 0 },
            expires_in: None,
            now: now(),
            by_holder,
        };
        self.tokens += i64::from(store.write_by(by(), rotate).await.is_ok());
    }

    async fn update(
        &self,
        store: &Store,
        token: u8,
        expires_at: Patch<Time>,
        disabled: Option<bool>,
    ) {
        let terms = TokenChanges { name: Patch::Keep, expires_at, disuse_seconds: Patch::Keep };
        let narrowing = Narrowing::default();
        let change = UpdateToken { id: self.token(token), terms, narrowing, disabled, now: now() };
        let _ = store.write_by(by(), change).await;
    }

    /// The tokens that are accepted.
    fn accepted(&self, store: &Store) -> Vec<i64> {
        let works = |token: &i64| {
            let known = store.known_token(&hash(*token)).expect("a read");
            known.is_some_and(|known| {
                known.user.disabled_at.is_none() && known.token.check(None, now()).is_ok()
            })
        };
        (1..=self.tokens).filter(works).collect()
    }
}

/// Gives every user a meeting with words, which a search finds.
fn add_words(folder: &Path) {
    let db = Connection::open(database(folder)).expect("a database");
    db.execute_batch(
        "PRAGMA secure_delete = ON;
         INSERT INTO meetings (id, user_id, platform, native_meeting_id, status, data, created_at, updated_at)
           SELECT id, id, 'google_meet', 'zqmeet' || id || 'x', 'completed', '{}', 0, 0 FROM users
           WHERE erasing_at IS NULL;
         INSERT INTO streams (meeting_id, uid, started_at) SELECT id, 'one', 0 FROM meetings;
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
         INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text,
             speaker_source, completed, created_at, updated_at)
           SELECT meeting_id, id, 'i' || i, i, i, 'zqword' || meeting_id || 'x' || i, 'bot', 1, 0, 0
           FROM streams, n;
         INSERT INTO words (rowid, owner, speaker, text)
           SELECT id, 'u' || meeting_id, 'Ada', text FROM segments",
    )
    .expect("words");
}

/// Makes the history in three parts: before there are words, before the backup, and after it.
fn check(parts: &[Vec<Operation>; 3]) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut history = History::default();
    let (mut at_backup, mut before) = (Vec::new(), Vec::new());
    for (number, part) in parts.iter().enumerate() {
        let store = open(path);
        runtime.block_on(async {
            if number == 0 {
                history.apply(&store, &Operation::AddUser).await;
                history.apply(&store, &Operation::AddUser).await;
            }
            for operation in part {
                history.apply(&store, operation).await;
            }
        });
        before = history.accepted(&store);
        store.close();
        drop(store);
        match number {
            0 => add_words(path),
            1 => {
                at_backup.clone_from(&before);
                done(path, &["backup", "b.db"]);
            }
            _ => {}
        }
    }
    restored(path, &["b.db"]);
    for word in &history.erased {
        prop_assert!(!has(&database(path), word), "{word} has come back");
    }
    let store = open(path);
    let after = history.accepted(&store);
    let come_back: Vec<_> = after.iter().filter(|token| !before.contains(token)).collect();
    prop_assert!(come_back.is_empty(), "{come_back:?} work again; before: {before:?}");
    // And no more is taken than must be.
    let taken: Vec<_> =
        at_backup.iter().filter(|token| before.contains(token) && !after.contains(token)).collect();
    prop_assert!(taken.is_empty(), "{taken:?} do not work any more; before: {before:?}");
    let verified = runtime.block_on(store.verify_audit()).expect("a read");
    prop_assert!(verified.intact, "{verified:?}");
    store.close();
    Ok(())
}

#[test]
fn after_any_history_nobody_gets_access_back_and_nobody_who_was_erased_returns() {
    let cases = if is_long() { 300 } else { 16 };
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let part = || proptest::collection::vec(operation(), 0..14);
    let parts = [part(), part(), part()];
    runner.run(&parts, |parts| check(&parts)).expect("a history");
}
