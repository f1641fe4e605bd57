//! Where a backup is written: what lies there already, what comes there meanwhile, and room on the
//! disk.

use crate::backup::{filled, rows};
use crate::cli::{done, refused};
use crate::client::wait_for;
use crate::durability::names;
use crate::process::{BINARY, Launch, Process};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::fs;

#[test]
fn a_file_that_is_there_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(&folder.path().join("vomeet.db"));
    for with_server in [false, true] {
        let server = with_server.then(|| Launch::serve(folder.path()).start());
        fs::write(folder.path().join("there.db"), b"precious").expect("a file");
        let (code, message) = refused(folder.path(), &["backup", "there.db"]);
        assert_eq!(code, 6, "{message}");
        assert!(
            message.ends_with("there.db exists; choose another name, or replace it (--force).")
        );
        assert_eq!(fs::read(folder.path().join("there.db")).expect("a file"), b"precious");
        done(folder.path(), &["backup", "--force", "there.db"]);
        done(folder.path(), &["backup", "verify", "there.db"]);
        fs::create_dir_all(folder.path().join("sub")).expect("a folder");
        std::os::unix::fs::symlink("vomeet.db", folder.path().join("link")).expect("a link");
        let (code, message) = refused(folder.path(), &["backup", "--force", "link"]);
        assert!(code == 6 && message.contains("is no regular file"), "{code} {message}");
        fs::remove_file(folder.path().join("link")).expect("a link");
        for own in ["vomeet.db", "vomeet.db-wal", "vomeet.db.lock", "sub/../vomeet.db"] {
            let (code, message) = refused(folder.path(), &["backup", "--force", own]);
            assert!(code == 6 && message.contains("is a file of the database itself"), "{message}");
        }
        fs::write(folder.path().join("foo.partial"), b"mine").expect("a file");
        done(folder.path(), &["backup", "--force", "foo"]);
        assert_eq!(fs::read(folder.path().join("foo.partial")).expect("a file"), b"mine");
        for log in ["old.db-wal", "old.db-journal"] {
            fs::write(folder.path().join(log), b"of another file").expect("a log");
            let (code, message) = refused(folder.path(), &["backup", "--force", "old.db"]);
            assert!(code == 6 && message.contains("would be taken for a part of"), "{message}");
            assert!(!folder.path().join("old.db").exists());
            fs::remove_file(folder.path().join(log)).expect("a log");
        }
        let (code, message) = refused(folder.path(), &["backup", "nowhere/"]);
        assert!(code == 21 && message.contains("there is no folder "), "{code} {message}");
        assert!(message.contains("nowhere/; create it"), "{message}");
        let (code, message) = refused(folder.path(), &["backup", "nowhere/x.db"]);
        assert_eq!(code, 21, "{message}");
        assert!(message.contains("there is no folder"), "{message}");
        drop(server.map(Process::terminate));
    }
}

#[test]
fn a_backup_leaves_the_database_alone_however_the_two_are_called() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    filled(&path.join("foo.partial"));
    done(path, &["backup", "--database", "foo.partial", "foo"]);
    assert_eq!(rows(&path.join("foo")), rows(&path.join("foo.partial")));
    let partial = path.join("foo.partial").to_string_lossy().into_owned();
    let server = Launch::serve(path).args(&["--database", &partial]).start();
    done(path, &["backup", "--database", "foo.partial", "--force", "foo"]);
    server.new_user("one@example.com");
    server.terminate();
    assert!(path.join("foo.partial").exists());
}

#[test]
fn the_database_of_another_server_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::create_dir(path.join("other")).expect("a folder");
    let other = Launch::serve(&path.join("other")).start();
    filled(&path.join("vomeet.db"));
    // Its server goes on to write to it.
    let inode = || {
        let found = fs::metadata(path.join("other/vomeet.db")).expect("a database");
        std::os::unix::fs::MetadataExt::ino(&found)
    };
    let before = inode();
    let (code, message) = refused(path, &["backup", "--force", "other/vomeet.db"]);
    assert!(code == 6, "{code} {message}");
    assert_eq!(inode(), before);
    other.terminate();
}

/// Whether a signal has stopped the process.
fn is_stopped(process: &Process) -> bool {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    waitid(WaitId::Pid(process.pid()), options).expect("a child").is_some()
}

/// What comes to the name while a backup is made; the copy is slowed down so that it comes in time.
#[test]
fn what_comes_to_the_name_meanwhile_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    filled(&path.join("vomeet.db"));
    for (name, come, expected) in [
        ("copies/x.db", "x.db", "exists; choose another name"),
        ("copies/y.db", "y.db-wal", "would be taken for a part of the backup"),
        ("copies/z.db", ".partial", "it was replaced"),
    ] {
        let copies = path.join("copies");
        fs::create_dir_all(&copies).expect("a folder");
        // The copy waits at its last flush, for as long as it takes until it is let go.
        let gate = "inject=fsync:signal=STOP:when=1";
        let arguments =
            ["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", gate, BINARY];
        let arguments = [&arguments[..], &["backup", name]].concat();
        let process = Launch::other("strace", &arguments, path).launch();
        wait_for(|| is_stopped(&process).then_some(()));
        let partial = names(&copies).into_iter().find(|name| name.ends_with(".partial"));
        let partial = copies.join(partial.expect("a partial file"));
        match come {
            ".partial" => {
                fs::remove_file(&partial).expect("a file");
                fs::write(&partial, b"theirs").expect("another file");
            }
            come => fs::write(copies.join(come), b"theirs").expect("a file"),
        }
        process.signal(rustix::process::Signal::CONT);
        let ended = process.end();
        assert!(!ended.status.success() && ended.stderr.contains(expected), "{name}: {ended:?}");
        let left = names(&copies);
        assert_eq!(left.len(), 1, "{name}: {left:?}");
        assert_eq!(fs::read(copies.join(&left[0])).expect("a file"), b"theirs", "{name}");
        fs::remove_dir_all(&copies).expect("a folder");
    }
}

#[test]
fn a_backup_for_which_there_is_no_room_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(&folder.path().join("vomeet.db"));
    fs::create_dir(folder.path().join("small")).expect("a folder");
    let script = r#"mount -t tmpfs -o size=8m tmpfs small || exit 99
        "$1" backup small/x.db; code=$?; ls -A small; exit $code"#;
    let arguments = ["--mount", "--map-root-user", "sh", "-c", script, "sh", BINARY];
    let ended = Launch::other("unshare", &arguments, folder.path()).run();
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    assert!(
        ended.stderr.contains("There is no room for the backup in small: it takes 17 MiB, and ")
    );
    assert_eq!((ended.stderr.lines().count(), ended.stdout.as_str()), (1, ""), "{ended:?}");
}

#[test]
fn a_backup_leaves_room_for_the_database_on_its_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(&folder.path().join("vomeet.db"));
    fs::create_dir(folder.path().join("disk")).expect("a folder");
    let script = r#"mount -t tmpfs -o size=200m tmpfs disk || exit 99
        cp vomeet.db disk; cd disk; "$1" backup x.db; code=$?; ls -A; exit $code"#;
    let arguments = ["--mount", "--map-root-user", "sh", "-c", script, "sh", BINARY];
    let ended = Launch::other("unshare", &arguments, folder.path()).run();
    assert_eq!(ended.status.code(), Some(21), "{ended:?}");
    let expected = "it takes 257 MiB with what stays for the database, and ";
    assert!(ended.stderr.contains(expected), "{ended:?}");
    assert!(!ended.stdout.contains("x.db"), "{ended:?}");
}

#[test]
fn a_disk_that_fails_on_the_way_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    filled(&folder.path().join("vomeet.db"));
    let copies = folder.path().join("copies");
    fs::create_dir(&copies).expect("a folder");
    for (error, message) in [
        ("ENOSPC", "There is no room for the backup copies/x.db"),
        ("EIO", "Cannot write the backup copies/x.db"),
    ] {
        let inject = format!("inject=pwrite64:error={error}:when=20+");
        let arguments =
            ["-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", &inject, BINARY];
        let arguments = [&arguments[..], &["backup", "copies/x.db"]].concat();
        let ended = Launch::other("strace", &arguments, folder.path()).run();
        assert_eq!(ended.status.code(), Some(21), "{ended:?}");
        assert!(ended.stderr.contains(message), "{ended:?}");
        assert_eq!(names(&copies), [""; 0]);
    }
}
