//! `vomeet service`: what it installs into a folder, and that it may be repeated.

use crate::process::{BINARY, Ended, Launch};
use crate::wire::write_private;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const UNIT: &str = "etc/systemd/system/vomeet.service";

fn service(folder: &Path, arguments: &[&str]) -> Ended {
    let root = folder.join("root").to_string_lossy().into_owned();
    let mut all = vec!["service"];
    all.extend(arguments);
    all.extend(["--root", &root]);
    Launch::new(folder, &all).run()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn it_installs_binary_unit_and_key_and_may_be_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    let planned = service(folder.path(), &["install", "--dry-run"]);
    assert_eq!(planned.status.code(), Some(0), "{planned:?}");
    assert!(planned.stdout.contains("would write a new admin key"), "{planned:?}");
    assert!(!root.exists(), "a dry run changes nothing");
    assert_eq!(service(folder.path(), &["install"]).status.code(), Some(0));
    let (unit, key) = (root.join(UNIT), root.join("etc/vomeet/admin-key"));
    let text = fs::read_to_string(&unit).expect("a unit");
    for line in ["Type=notify", "TimeoutStartSec=infinity", "WatchdogSec=120"] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}: {text}");
    }
    let stays_down = text.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let codes = stays_down.expect("exit codes").split(' ');
    let expected = ["2", "6", "10", "11", "14", "18"];
    assert_eq!(codes.collect::<Vec<_>>(), expected, "a certificate may still come");
    let of_package = include_str!("../../deploy/debian/vomeet.service");
    let of_package =
        of_package.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    assert_eq!(of_package, stays_down, "the unit of the package");
    let secret = fs::read_to_string(&key).expect("a key");
    assert_eq!((secret.trim().len(), mode(&key), mode(&unit)), (48, 0o600, 0o644));
    let binary = root.join("usr/local/bin/vomeet");
    assert_eq!(mode(&binary), 0o755);
    let length = |path: &Path| fs::metadata(path).expect("a file").len();
    assert_eq!(length(&binary), length(Path::new(BINARY)));
    // Once more, over a unit of another version and a key that is in use.
    fs::write(&unit, "[Service]\n").expect("written");
    let again = service(folder.path(), &["install"]);
    assert!(again.stdout.contains("nothing to do: write a new admin key"), "{again:?}");
    assert_eq!(fs::read_to_string(&unit).expect("a unit"), text);
    assert_eq!(fs::read_to_string(&key).expect("a key"), secret);
    // And away: the key stays, and a second time there is nothing to do.
    for _ in 0..2 {
        assert_eq!(service(folder.path(), &["uninstall"]).status.code(), Some(0));
        assert!(!unit.exists() && key.exists());
    }
}

/// Another user could put it there before, or have it open.
#[test]
fn a_secret_is_never_written_into_a_file_of_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("root/etc/vomeet");
    fs::create_dir_all(&settings).expect("a folder");
    let (other, new) = (folder.path().join("other"), settings.join("admin-key.new"));
    fs::write(&other, "mine").expect("written");
    fs::hard_link(&other, &new).expect("a link");
    // What a power cut can leave of a key is none.
    fs::write(settings.join("admin-key"), "").expect("written");
    assert_eq!(service(folder.path(), &["install"]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&other).expect("a file"), "mine");
    let key = fs::read_to_string(settings.join("admin-key")).expect("a key");
    assert_eq!((key.trim().len(), mode(&settings.join("admin-key"))), (48, 0o600));
    assert!(!new.exists());
}

#[test]
fn it_says_what_needs_an_administrator() {
    let folder = tempfile::tempdir().expect("a folder");
    let etc = folder.path().join("root/etc");
    fs::create_dir_all(etc.join("vomeet")).expect("a folder");
    fs::write(etc.join("vomeet.env"), "ADMIN_API_TOKEN=x\n").expect("written");
    fs::write(etc.join("vomeet/admin-key"), "key\n").expect("written");
    fs::set_permissions(etc.join("vomeet/admin-key"), fs::Permissions::from_mode(0o644))
        .expect("a mode");
    let said = service(folder.path(), &["install"]).stdout;
    assert!(said.contains("Others may read the admin key"), "{said}");
    assert!(said.contains("etc/vomeet.env is not read any more"), "{said}");
    assert!(service(folder.path(), &["uninstall"]).stdout.contains("/usr/local/bin/vomeet stay"));
}

const KEY: &str = "2vK9sQx7LmWd4RtYb8ZcFhJn";

/// What the unit starts, on any port and with its database in this folder. systemd gives it the
/// credential in `credential`.
fn started_by_the_unit(folder: &Path, credential: &Path) -> Launch {
    let unit = include_str!("../../deploy/vomeet.service");
    let of = |name: &str| unit.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    let (variable, value) = of("Environment=").split_once('=').expect("a variable");
    assert_eq!(value, "%d/admin-key", "the credential is in a file of this name");
    assert!(of("LoadCredential=").starts_with("admin-key:"), "{unit}");
    let database = folder.join("vomeet.db").to_string_lossy().into_owned();
    let start = of("ExecStart=").replace("/var/lib/vomeet/vomeet.db", &database);
    let mut arguments: Vec<&str> = start.split(' ').skip(1).collect();
    arguments.extend(["--listen", "127.0.0.1:0"]);
    let launch = match rustix::process::geteuid().is_root() {
        true => Launch::as_user(4_000_123, 4_000_123, folder, &arguments),
        false => Launch::new(folder, &arguments),
    };
    launch.env(variable, credential.join("admin-key"))
}

/// A file that the server's user may read and nobody may write, and one that it may not read.
#[test]
fn the_unit_starts_with_its_credential_or_says_why_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (state, credentials) = (folder.path().join("state"), folder.path().join("credentials"));
    for made in [&state, &credentials] {
        fs::create_dir(made).expect("a folder");
        fs::set_permissions(made, fs::Permissions::from_mode(0o700)).expect("a mode");
    }
    let key = credentials.join("admin-key");
    write_private(&key, &format!("{KEY}\n"));
    let give = |path: &Path, mode: u32| {
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(path, None, Some(4_000_123)).expect("a group");
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    give(folder.path(), 0o750);
    give(&credentials, 0o550);
    give(&state, 0o770);
    give(&key, 0o440);
    let server = started_by_the_unit(&state, &credentials).start();
    let status =
        |key: &str| server.get("/admin/users").header("X-Admin-API-Key", key).send().status;
    assert_eq!((status(KEY), status("token")), (200, 403));
    server.terminate();

    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).expect("a mode");
    let ended = started_by_the_unit(&state, &credentials).run();
    assert_eq!(ended.status.code(), Some(10), "{ended:?}");
    let said = "Cannot read the admin key from ";
    assert!(ended.stderr.starts_with(&format!("vomeet: {said}")), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o700)).expect("a mode");
}

#[test]
fn only_root_installs_into_the_system() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
    let ended = match rustix::process::geteuid().is_root() {
        true => Launch::as_user(4_000_123, 4_000_123, folder.path(), &["service", "install"]).run(),
        false => Launch::new(folder.path(), &["service", "install"]).run(),
    };
    assert_eq!(ended.status.code(), Some(8), "{ended:?}");
    assert!(ended.stderr.contains("Only root installs services"), "{ended:?}");
}
