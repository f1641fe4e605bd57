//! kill -9 at any step of an import: no database, or the new one, whole.
//!
//! With `VOMEET_TEST_LONG=1` there are more kills.

use crate::cli::vomeet;
use crate::durability::names;
use crate::import::sound;
use crate::process::{BINARY, Launch};
use crate::restore::one;
use std::fs;
use std::os::unix::process::ExitStatusExt;

/// The system calls at which it is killed, and each how many of them.
fn kills() -> [(&'static str, usize); 6] {
    let is_long = std::env::var_os("VOMEET_TEST_LONG").is_some();
    let every = |number: usize| if is_long { 1 } else { number };
    [
        ("/^rename", 1),
        ("/sync$", 1),
        ("/^unlink", every(9)),
        ("/^pwrite", every(20)),
        ("/^openat", every(17)),
        ("/^ftruncate", 1),
    ]
}

#[test]
fn a_kill_at_any_step_leaves_no_database_or_the_whole_one() {
    let (mut killed, mut of_none, mut of_new) = (0, 0, 0);
    for (calls, every) in kills() {
        for number in (1..).step_by(every) {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path();
            fs::write(path.join("dump.sql"), sound().text()).expect("written");
            let trace = format!("trace={calls}");
            let inject = format!("inject={calls}:signal=KILL:when={number}");
            let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, BINARY];
            let arguments = [&arguments[..], &["import", "dump.sql"]].concat();
            let ended = Launch::other("strace", &arguments, path).run();
            if ended.status.success() {
                break;
            }
            assert_eq!(ended.status.signal(), Some(9), "{calls} {number}: {ended:?}");
            killed += 1;
            let database = path.join("vomeet.db");
            if database.exists() {
                of_new += 1;
                let check: String = one(&database, "PRAGMA integrity_check");
                let segments: i64 = one(&database, "SELECT count(*) FROM segments");
                assert_eq!((check.as_str(), segments), ("ok", 3), "{calls} {number}");
                let users = vomeet(path, &["user", "list"]);
                assert!(users.stdout.contains("ada@example.com"), "{users:?}");
            } else {
                of_none += 1;
                // To run it again is all that there is to do.
                let again = vomeet(path, &["import", "dump.sql"]);
                assert_eq!(again.status.code(), Some(0), "{calls} {number}: {again:?}");
            }
            let left = names(path);
            assert!(
                !left.iter().any(|name| name.contains("importing")),
                "{calls} {number}: {left:?}"
            );
        }
    }
    println!("{killed} kills: {of_none} left no database, {of_new} the new one");
    assert!(of_none >= 10 && of_new >= 1, "{killed} kills: {of_none} none, {of_new} new");
}

#[test]
fn a_disk_that_fails_at_the_last_step_is_not_said_to_have_changed_nothing() {
    let (mut refused, mut half_done) = (0, 0);
    // More than there are; SQLite passes over the fault of some.
    for number in 1..=20 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        fs::write(path.join("dump.sql"), sound().text()).expect("written");
        let inject = format!("inject=/sync$:error=EIO:when={number}");
        let arguments = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=/sync$", "-e", &inject];
        let arguments = [&arguments[..], &[BINARY, "import", "dump.sql"]].concat();
        let ended = Launch::other("strace", &arguments, path).run();
        if ended.status.success() {
            continue;
        }
        let has_changed = path.join("vomeet.db").exists();
        let says_nothing = ended.stderr.contains("Nothing was imported");
        assert!(!(has_changed && says_nothing), "{number}: {ended:?}");
        if has_changed {
            half_done += 1;
            assert_eq!(ended.status.code(), Some(21), "{ended:?}");
            assert!(ended.stderr.contains("The last step of the import has failed"), "{ended:?}");
        } else {
            refused += 1;
        }
    }
    assert!(half_done >= 1 && refused >= 1, "{half_done} half done, {refused} refused");
}
