//! The admin key among the settings: where it comes from, and which are too weak.

use crate::config::{around, load};
use crate::process::Launch;
use std::fs;
use vomeet::config::{Flags, Settings};

#[test]
fn an_old_admin_key_has_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, until) =
        (("ADMIN_API_TOKEN_OLD", "old"), ("ADMIN_API_TOKEN_OLD_UNTIL", "2026-12-31T00:00:00Z"));
    for alone in [key, until] {
        let Err(exit) = Settings::load(&Flags::default(), &around(folder.path(), &[alone])) else {
            panic!("{alone:?}")
        };
        assert!(exit.to_string().contains("set both, or neither"), "{exit}");
    }
    let keys = load(folder.path(), &[key, until]).config.admin_keys();
    let shown: Vec<_> =
        keys.iter().map(|key| (key.key.as_str(), key.until.map(|end| end.to_string()))).collect();
    assert_eq!(shown, [("token", None), ("old", Some("2026-12-31T00:00:00.000Z".to_owned()))]);
}

#[test]
fn the_admin_key_may_come_from_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("key"), "  the-key-from-the-file  \nsecond line\n").expect("written");
    let file = ("ADMIN_API_TOKEN_FILE", "key");
    assert_eq!(load(folder, &[file]).config.admin_key, "the-key-from-the-file");
    assert_eq!(
        load(folder, &[file, ("ADMIN_API_TOKEN", "by-variable")]).config.admin_key,
        "the-key-from-the-file"
    );
    fs::write(folder.join("vomeet.toml"), "admin_api_token_file = \"key\"\n").expect("written");
    assert_eq!(load(folder, &[]).config.admin_key, "the-key-from-the-file");
    let stronger = load(folder, &[("ADMIN_API_TOKEN", "by-variable")]);
    assert_eq!(
        stronger.config.admin_key, "by-variable",
        "the environment is stronger than vomeet.toml"
    );
    let missing =
        Settings::load(&Flags::default(), &around(folder, &[("ADMIN_API_TOKEN_FILE", "nowhere")]));
    assert!(missing.is_err_and(|exit| exit.message.contains("nowhere")));
    let server = Launch::serve_with_guide_key(folder).env("ADMIN_API_TOKEN_FILE", "key").start();
    let answer =
        server.get("/admin/users").header("X-Admin-API-Key", "the-key-from-the-file").send();
    assert_eq!(answer.status, 200);
}

#[test]
fn an_admin_key_is_taken_without_the_white_space_around_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for given in ["  padded-4f1c2a9be07d3 ", "\tpadded-4f1c2a9be07d3\n"] {
        let server = Launch::serve(folder.path()).env("ADMIN_API_TOKEN", given).start();
        for (shown, status) in
            [("padded-4f1c2a9be07d3", 200), ("padded-4f1c2a9be07d", 403), ("", 403)]
        {
            let answer = server.get("/admin/users").header("X-Admin-API-Key", shown).send();
            assert_eq!(answer.status, status, "{given:?} shown as {shown:?}");
        }
        assert!(server.terminate().status.success(), "{given:?}");
    }
}

#[test]
fn a_key_is_judged_by_what_it_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    for (key, code) in [
        ("!@#$%^&*()!@#$%^&*()_+=", 0),
        ("padded-4f1c2a9be07d3", 0),
        ("change-me-change-me", 11),
        ("Change_Me Change.Me", 11),
        ("                    ", 11),
    ] {
        let launch = Launch::new(folder.path(), &["config", "check", "--listen", "0.0.0.0:1"]);
        let ended = launch.env("ADMIN_API_TOKEN", key).run();
        assert_eq!(ended.status.code(), Some(code), "{key:?}: {ended:?}");
    }
}

#[test]
fn the_key_before_the_present_one_is_judged_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |listen: &str, old: &str| {
        let launch = Launch::new(folder.path(), &["config", "check", "--listen", listen]);
        let launch =
            launch.env("ADMIN_API_TOKEN", "padded-4f1c2a9be07d3").env("ADMIN_API_TOKEN_OLD", old);
        launch.env("ADMIN_API_TOKEN_OLD_UNTIL", "2999-12-31T00:00:00Z").run()
    };
    assert_eq!(check("0.0.0.0:1", "padded-9f8e7d6c5b4a31").status.code(), Some(0));
    assert_eq!(check("127.0.0.1:1", "token").status.code(), Some(0));
    let refused = check("0.0.0.0:1", "token");
    let message = &refused.stderr;
    assert_eq!(refused.status.code(), Some(11), "{message}");
    assert!(
        message.contains("admin_api_token_old") && message.contains("leave it out"),
        "{message}"
    );
}
