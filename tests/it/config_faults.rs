//! Settings that would be taken and not do what they say: refused at the start and by
//! `vomeet config check`, all of them at once; and where the service's database is found.

use crate::cli::{done, refused};
use crate::config::load;
use crate::durability::{assert_one_line, names};
use crate::process::{Ended, Launch};
use std::fs;
use std::path::Path;

/// What a server and `config check` say of settings that are refused.
fn both(folder: &Path, toml: &str, variables: &[(&str, &str)]) -> [Ended; 2] {
    let serve = &["serve", "--listen", "127.0.0.1:0"][..];
    [serve, &["config", "check"]].map(|command| run(folder, command, toml, variables))
}

/// What a command says of settings.
fn run(folder: &Path, command: &[&str], toml: &str, variables: &[(&str, &str)]) -> Ended {
    fs::write(folder.join("vomeet.toml"), toml).expect("written");
    let launch = Launch::new(folder, command);
    variables.iter().fold(launch, |launch, (name, value)| launch.env(name, value)).run()
}

#[test]
fn what_could_never_match_is_refused_or_put_right() {
    for (toml, wanted) in [
        ("[http]\nallowed_hosts = [\"*\"]", "http.allowed_hosts (vomeet.toml) has no wildcards"),
        ("[http]\nallowed_hosts = [\"*.example.com\"]", "no wildcards"),
        ("[http]\nallowed_hosts = [\"a.example/path\"]", "a list of host names"),
        ("[http]\ncors_origins = [\"app.example.com\"]", "a list of origins"),
        ("[http]\ncors_origins = [\"https://app.example.com/path\"]", "a list of origins"),
        (
            "[retention]\ntranscripts_days = 31\nmeetings_days = 30",
            "retention.transcripts_days is 31, and meetings are deleted whole after 30 days",
        ),
        ("[retention]\nbot_logs_days = 9\nmeetings_days = 3", "retention.bot_logs_days is 9"),
        ("[bots]\nrunner = \"process\"", "bots.process_command is empty"),
        (
            "[bots]\nrunner = \"docker\"\ncallback_url = \"http://10.0.0.5:18056\"",
            "bots.docker_image is empty",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for ended in both(folder.path(), toml, &[]) {
            let said = assert_one_line(&ended, 10);
            assert!(said.contains(wanted), "{toml}: {said}");
        }
        assert_eq!(names(folder.path()), ["vomeet.toml"], "{toml}: a file was made");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let hosts = [
        ("VOMEET_HTTP_ALLOWED_HOSTS", "A.example:443, https://b.example, 2001:db8::1"),
        ("VOMEET_HTTP_CORS_ORIGINS", "http://localhost:3000/, HTTPS://app.example.com:443"),
    ];
    let config = load(folder.path(), &hosts).config;
    assert_eq!(config.http.allowed_hosts, ["a.example", "b.example", "[2001:db8::1]"]);
    assert_eq!(config.http.cors.0, ["http://localhost:3000", "https://app.example.com"]);
    for sound in [
        "[retention]\ntranscripts_days = 30\nmeetings_days = 30",
        "[retention]\ntranscripts_days = 30",
        "[retention]\nmeetings_days = 30",
    ] {
        let checked = run(folder.path(), &["config", "check"], sound, &[]);
        assert_eq!(checked.status.code(), Some(0), "{sound}: {checked:?}");
    }
}

/// A host and an origin that were put right are accepted as a browser sends them.
#[test]
fn a_name_with_its_port_is_a_name() {
    let setup =
        crate::server::Setup::new().set("VOMEET_HTTP_ALLOWED_HOSTS", "https://A.example:8443");
    let server = setup.set("VOMEET_HTTP_CORS_ORIGINS", "http://localhost:3000/").start();
    let request =
        "GET /healthz HTTP/1.1\r\nHost: a.example\r\nOrigin: http://localhost:3000\r\n\r\n";
    let answer = server.raw(request).expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
}

#[test]
fn all_faults_are_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let toml = "lissten = 1\n[http]\nworkers = -1\nallowed_hosts = [\"*\"]\n[bots]\nrunner = \"process\"\n\
                [retention]\ntranscripts_days = 2\nmeetings_days = 1\n";
    for ended in both(folder.path(), toml, &[("VOMEET_LOG", "loud"), ("VOMEET_BOT_NAME", "x")]) {
        assert_eq!(ended.status.code(), Some(10), "{ended:?}");
        for wanted in [
            "did you mean listen?",
            "http.workers",
            "http.allowed_hosts",
            "bots.process_command",
            "retention.transcripts_days",
            "there is no level loud",
            "did you mean VOMEET_BOTS_NAME?",
        ] {
            let lines: Vec<&str> =
                ended.stderr.lines().filter(|line| line.contains(wanted)).collect();
            assert!(lines.len() == 1 && lines[0].starts_with("vomeet: "), "{wanted}: {ended:?}");
        }
    }
}

#[test]
fn a_variable_that_is_no_setting_is_told_with_the_nearest_one() {
    for (name, nearest) in [
        ("VOMEET_BOT_RUNNER", "VOMEET_BOTS_RUNNER"),
        ("VOMEET_DATABSE", "VOMEET_DATABASE"),
        ("ADMIN_API_TOKENS", "ADMIN_API_TOKEN"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        for ended in both(folder.path(), "", &[(name, "demo")]) {
            let said = assert_one_line(&ended, 10);
            let wanted = format!(
                "{name} in the environment: there is no setting {name}; did you mean {nearest}"
            );
            assert!(said.contains(&wanted), "{said}");
        }
        fs::write(folder.path().join(".env"), format!("{name}=demo\n")).expect("written");
        for ended in both(folder.path(), "", &[]) {
            let said = assert_one_line(&ended, 10);
            assert!(said.contains(&format!("{name} in .env")), "{said}");
        }
    }
    // What a cluster sets for a service of this name, and what clients read.
    let folder = tempfile::tempdir().expect("a folder");
    let others = [
        ("VOMEET_SERVICE_HOST", "10.0.0.1"),
        ("VOMEET_SERVICE_PORT_HTTP", "80"),
        ("VOMEET_PORT", "tcp://10.0.0.1:80"),
        ("VOMEET_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("VOMEET_API_KEY", "x"),
        ("SOMETHING", "x"),
    ];
    let checked = run(folder.path(), &["config", "check"], "", &others);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

#[test]
fn a_byte_order_mark_and_a_dollar_change_no_key() {
    let key = "a$HOME-key-${PATH}-with-$$-dollars";
    for dotenv in [
        format!("\u{feff}ADMIN_API_TOKEN={key}\n"),
        format!("HOME=nowhere\nADMIN_API_TOKEN=\"{key}\"\n"),
        format!("ADMIN_API_TOKEN='{key}'\n"),
        "ADMIN_API_TOKEN=a\\$HOME-key-\\${PATH}-with-\\$\\$-dollars\n".to_owned(),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(".env"), &dotenv).expect("written");
        assert_eq!(load(folder.path(), &[]).config.admin_key, key, "{dotenv:?}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("key"), format!("\u{feff}{key}\r\n")).expect("written");
    let toml = "\u{feff}admin_api_token_file = \"key\"\nlisten = \"127.0.0.1:7\"\n";
    fs::write(folder.path().join("vomeet.toml"), toml).expect("written");
    let config = load(folder.path(), &[]).config;
    assert_eq!((config.admin_key.as_str(), config.listen.port()), (key, 7));
    let explained = Launch::new(folder.path(), &["token", "hash"])
        .input("\u{feff}9999999999999999999999999999999999999999\n")
        .run();
    assert_eq!(explained.status.code(), Some(10), "no token, and no fault of its reading");
}

#[test]
fn what_is_wrong_with_a_command_is_found_before_a_database_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, wanted) in [
        (&["user", "add", "bad"][..], "email: value is not a valid email address"),
        (&["user", "add", "a@example.com", "--max-bots", "-1"], "greater than or equal to 0"),
        (&["user", "add", "a@example.com", "--name", "a\nb"], "name: "),
        (&["user", "add", "bad", "--max-bots", "-1"], "; max_concurrent_bots: "),
        (&["admin-key", "create", "ops", "--expires-in", "-1d"], "expires_in: "),
        (&["admin-key", "create", "a\nb"], "name: "),
    ] {
        let (code, said) = refused(folder.path(), arguments);
        assert!(code == 7 && said.contains(wanted), "{arguments:?}: {code} {said}");
    }
    assert_eq!(names(folder.path()), Vec::<String>::new(), "a database was made");
}

/// Makes the folder of the service in `/var/lib`, and runs the command in `$1`.
const WITH_SERVICE: &str = r#"mount -t tmpfs tmpfs /var/lib || exit 99; mkdir /var/lib/vomeet
    cd /var/lib/vomeet; "$2" user add service@example.com > /dev/null || exit 98
    cd "$1"; shift; "$@""#;

#[test]
fn a_command_finds_the_database_of_the_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().to_string_lossy();
    let run = |arguments: &[&str]| {
        let shell = ["--mount", "--map-root-user", "sh", "-c", WITH_SERVICE, "sh", &here];
        Launch::other(
            "unshare",
            &[&shell[..], &[crate::process::BINARY], arguments].concat(),
            folder.path(),
        )
        .run()
    };
    let listed = run(&["user", "list"]);
    assert!(listed.stdout.contains("service@example.com"), "{listed:?}");
    assert!(listed.stderr.contains("using /var/lib/vomeet/vomeet.db"), "{listed:?}");
    let added = run(&["user", "add", "ada@example.com"]);
    assert!(added.status.success(), "{added:?}");
    assert_eq!(names(folder.path()), Vec::<String>::new(), "a stray database");
    // One that is here, or named, is meant.
    done(folder.path(), &["user", "add", "here@example.com"]);
    for arguments in [&["user", "list"][..], &["user", "list", "--database", "vomeet.db"]] {
        let listed = run(arguments);
        assert!(listed.stdout.contains("here@example.com"), "{listed:?}");
        assert!(!listed.stderr.contains("using"), "{listed:?}");
    }
}
