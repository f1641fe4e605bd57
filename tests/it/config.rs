//! Settings: which source wins, what is refused, what is shown, and that `vomeet.toml` shows every
//! key.

use crate::durability::assert_one_line;
use crate::process::Launch;
use std::fs;
use std::path::Path;
use vomeet::config::{Environment, Flags, KEYS, Key, Settings, Source};

pub fn around(folder: &Path, variables: &[(&str, &str)]) -> Environment {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Environment { environment: owned.collect(), folder: folder.to_owned() }
}

pub fn load(folder: &Path, variables: &[(&str, &str)]) -> Settings {
    Settings::load(&Flags::default(), &around(folder, variables))
        .unwrap_or_else(|exit| panic!("{exit}"))
}

#[test]
fn the_strongest_source_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("vomeet.toml"), "listen = \"127.0.0.1:1\"\n").expect("written");
    fs::write(folder.join(".env"), "VOMEET_LISTEN=127.0.0.1:2\n").expect("written");
    let variables = [("VOMEET_LISTEN", "127.0.0.1:3")];
    let flags = Flags { listen: Some("127.0.0.1:4".to_owned()), ..Flags::default() };
    let ask = |flags: &Flags, variables: &[(&str, &str)]| {
        let settings = Settings::load(flags, &around(folder, variables)).expect("settings");
        (settings.config.listen.port(), settings.source("listen").to_string())
    };
    let (none, no_flags) = (&[][..], Flags::default());
    assert_eq!(ask(&flags, &variables), (4, "--listen".to_owned()));
    assert_eq!(ask(&no_flags, &variables), (3, "VOMEET_LISTEN in the environment".to_owned()));
    assert_eq!(ask(&no_flags, none), (2, "VOMEET_LISTEN in .env".to_owned()));
    fs::remove_file(folder.join(".env")).expect("removed");
    assert_eq!(ask(&no_flags, none), (1, "vomeet.toml".to_owned()));
    fs::remove_file(folder.join("vomeet.toml")).expect("removed");
    assert_eq!(ask(&no_flags, none), (18056, "default".to_owned()));
}

/// A value of a setting, as TOML and as a variable.
fn value_for(key: &Key) -> (&'static str, &'static str) {
    match key.name.as_str() {
        "listen" | "metrics_listen" | "bots.redis_listen" | "bots.redis_address" => {
            ("\"127.0.0.1:7\"", "127.0.0.1:7")
        }
        "bots.redis_feeders" => ("\"off\"", "off"),
        "log_format" => ("\"json\"", "json"),
        "bots.runner" => ("\"demo\"", "demo"),
        "bots.platforms" => ("[\"zoom\", \"jitsi\"]", "zoom, jitsi"),
        "bots.callback_url" | "bots.transcription_url" => ("\"http://a:7\"", "http://a:7"),
        "webhooks.allowed_networks" | "http.trusted_proxies" => {
            ("[\"10.0.0.0/8\", \"::1/128\"]", "10.0.0.0/8, ::1/128")
        }
        name if name.ends_with("_environment") || name.ends_with("_labels") => {
            ("[\"a=1\", \"b=2\"]", "a=1, b=2")
        }
        "http.cors_origins" => ("[\"http://a\", \"http://b\"]", "http://a, http://b"),
        _ if key.default == "[]" => ("[\"a\", \"b\"]", "a, b"),
        "log" => ("\"debug\"", "debug"),
        "backup.every" => ("\"12h\"", "12h"),
        "backup.s3_plain" | "mcp.allow_actions" | "transcription.user_engines" => ("true", "true"),
        "console" | "transcription.gate" => ("false", "false"),
        "transcription.spool_bytes_max" | "transcription.upload_bytes_max" => {
            ("5000000", "5000000")
        }
        "backup.s3_endpoint" => ("\"https://s3.example.com\"", "https://s3.example.com"),
        "admin_api_token_file" => ("\"key\"", "key"),
        name if key.default.starts_with('"') => {
            ("\"other\"", if name.is_empty() { "" } else { "other" })
        }
        _ => ("1025", "1025"),
    }
}

#[test]
fn every_key_can_be_set_in_every_way() {
    for key in KEYS.iter() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let (toml, plain) = value_for(key);
        // The one must be private: `metrics_that_others_reach_need_a_token_in_a_private_file`; the
        // other needs a feature: `a_setting_of_a_missing_feature_is_refused_with_its_name`.
        let one_of = ["metrics_token_file", "backup.encrypt_to", "transcription.whisper_model"];
        if one_of.contains(&key.name.as_str()) {
            continue;
        }
        if key.name.starts_with("admin_api_token_old") {
            // One without the other is refused: `an_old_admin_key_has_an_end`.
            continue;
        }
        let small = [
            "http.workers",
            "store.long_reads_max",
            "transcription.whisper_processes",
            "transcription.whisper_threads",
        ];
        let toml = if small.contains(&key.name.as_str()) { "3" } else { toml };
        let plain = if toml == "3" { "3" } else { plain };
        fs::write(folder.join("key"), "from-a-file\nsecond line\n").expect("written");
        let by_variable = load(folder, &[(key.variable.as_str(), plain)]);
        assert_eq!(
            *by_variable.source(&key.name),
            Source::Environment(&key.variable),
            "{}",
            key.name
        );
        fs::write(folder.join(".env"), format!("{}=\"{plain}\"\n", key.variable)).expect("written");
        let by_dotenv = load(folder, &[]);
        assert_eq!(*by_dotenv.source(&key.name), Source::DotEnv(&key.variable), "{}", key.name);
        fs::remove_file(folder.join(".env")).expect("removed");
        let (section, name) = (section_line(key), key.short_name());
        fs::write(folder.join("vomeet.toml"), format!("{section}{name} = {toml}\n"))
            .expect("written");
        let by_file = load(folder, &[]);
        assert!(matches!(by_file.source(&key.name), Source::File(_)), "{}", key.name);
        let value = |settings: &Settings| {
            let at = KEYS.iter().position(|known| known.name == key.name).expect("a key");
            settings.origins[at].0.to_string()
        };
        assert_eq!(value(&by_variable), value(&by_file), "{}", key.name);
        assert_eq!(value(&by_dotenv), value(&by_file), "{}", key.name);
    }
}

#[test]
fn what_is_wrong_is_one_line_with_a_proposal() {
    for (toml, variable, wanted) in [
        ("lissten = \"127.0.0.1:1\"", "", "did you mean listen?"),
        ("[http]\nconnection_max = 1", "", "did you mean http.connections_max?"),
        ("[http]\nbody_byte_max = 1", "", "did you mean http.body_bytes_max?"),
        ("[htp]\nworkers = 1", "", "did you mean http.workers?"),
        ("admin_token = \"x\"", "", "did you mean admin_api_token?"),
        ("[zzz]\nqqq = 1", "", "there is no setting zzz.qqq"),
        ("listen = 1", "", "listen (vomeet.toml) should be text"),
        ("listen = \"here\"", "", "ADDRESS:PORT"),
        ("database = \"\"", "", "should not be empty"),
        ("console = \"maybe\"", "", "true or false"),
        ("[http]\nworkers = -1", "", "whole number from 0"),
        ("[http]\nworkers = \"two\"", "", "whole number from 0"),
        ("[http]\nconnections_max = 0", "", "whole number from 1"),
        ("[http]\nallowed_hosts = \"one\"", "", "a list of texts"),
        ("[http]\nallowed_hosts = [1]", "", "a list of texts"),
        ("[bots]\nplatforms = [\"webex\"]", "", "a list of platforms"),
        ("[bots]\nhosts = [\"https://meet.example.org\"]", "", "a list of hosts"),
        ("[bots]\nhosts = [\"127.0.0.1\"]", "", "a list of hosts"),
        ("[bots]\nhosts = [\"a.*.example.org\"]", "", "a list of hosts"),
        ("[bots]\nhosts = [\"*\"]", "", "a list of hosts"),
        ("[http]\nheader_seconds_max = 0", "", "whole number from 1"),
        ("[backup]\nevery = \"10s\"", "", "should be from 60 seconds to 365 days"),
        ("[backup]\nevery = \"daily\"", "", "should be a time span such as"),
        ("[backup]\nevery = 24", "", "should be text"),
        ("[backup]\nkeep = 0", "", "whole number from 1"),
        ("[http\n", "", "vomeet.toml, line 1"),
        ("a = 1\nlisten = \n", "", "vomeet.toml, line 2"),
        ("http = 1", "", "there is no setting http"),
        ("log = \"loud=very\"", "", "log should be a level"),
        ("", "VOMEET_HTTP_WORKERS=many", "VOMEET_HTTP_WORKERS in the environment"),
        ("", "VOMEET_LISTEN=localhost", "ADDRESS:PORT"),
        ("", "VOMEET_LOG=loud=very", "log should be a level"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("vomeet.toml"), toml).expect("written");
        for command in [&["serve"][..], &["config", "check"]] {
            let launch = Launch::new(folder.path(), command);
            let variable = variable.split_once('=');
            let launch =
                variable.iter().fold(launch, |launch, (name, value)| launch.env(name, value));
            let ended = launch.run();
            let said = assert_one_line(&ended, 10);
            assert!(said.contains(wanted), "{toml:?} {variable:?}: {said}");
            assert_eq!(ended.stderr.lines().count(), 1, "{toml:?}: {}", ended.stderr);
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let ended = Launch::new(folder.path(), &["serve", "--config", "nowhere.toml"]).run();
    assert!(assert_one_line(&ended, 10).contains("nowhere.toml"));
    fs::write(folder.path().join(".env"), "not a line\n").expect("written");
    let ended = Launch::new(folder.path(), &["serve"]).run();
    assert!(assert_one_line(&ended, 10).contains(".env"));
}

#[test]
fn a_line_of_dotenv_that_cannot_be_read_is_told_by_its_number_alone() {
    for (dotenv, wanted) in [
        ("ADMIN_API_TOKEN=my very secret key 1234567890", ".env, line 1"),
        (
            "# a note\n\nVOMEET_LOG=warn\nADMIN_API_TOKEN=my very secret key 1234567890\n",
            ".env, line 4",
        ),
        (
            "VOMEET_LOG=warn\r\n  ADMIN_API_TOKEN=my very secret key 1234567890  \r\n",
            ".env, line 2",
        ),
        ("my very secret key 1234567890", ".env, line 1"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(".env"), dotenv).expect("written");
        for command in
            [&["serve", "--listen", "127.0.0.1:0"][..], &["config", "check"], &["config", "show"]]
        {
            let ended = Launch::new(folder.path(), command).run();
            let said = assert_one_line(&ended, 10);
            assert!(said.contains(wanted), "{dotenv:?}: {said}");
            assert_eq!(ended.stderr.lines().count(), 1, "{dotenv:?}: {}", ended.stderr);
            for word in ["very", "secret", "1234567890"] {
                assert!(
                    !format!("{}{}", ended.stdout, ended.stderr).contains(word),
                    "{dotenv:?}: {ended:?}"
                );
            }
        }
    }
}

#[test]
fn show_lists_every_key_with_its_source_and_hides_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("vomeet.toml"), "[store]\nqueue_max = 77\n").expect("written");
    fs::write(folder.path().join(".env"), "ADMIN_API_TOKEN=a-secret-from-dotenv\n")
        .expect("written");
    let launch = Launch::new(folder.path(), &["config", "show", "--listen", "127.0.0.1:5"])
        .env("VOMEET_LOG", "warn");
    let ended = launch.run();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let line = |name: &str| {
        let found = ended.stdout.lines().find(|line| line.starts_with(&format!("{name} = ")));
        found.unwrap_or_else(|| panic!("{name} is not shown:\n{}", ended.stdout))
    };
    for (name, value, source) in [
        ("listen", "\"127.0.0.1:5\"", "--listen"),
        ("log", "\"warn\"", "VOMEET_LOG in the environment"),
        ("queue_max", "77", "vomeet.toml"),
        ("admin_api_token", "\"(hidden)\"", "ADMIN_API_TOKEN in .env"),
        ("long_reads_max", "8", "default"),
    ] {
        let line = line(name);
        assert!(line.contains(value) && line.ends_with(&format!("# {source}")), "{line}");
    }
    for key in KEYS.iter() {
        line(key.short_name());
    }
    assert!(!ended.stdout.contains("a-secret"), "{}", ended.stdout);
    // What is shown is a file that could be used.
    let table: toml::Table = toml::from_str(&ended.stdout).expect("TOML");
    assert_eq!(table["store"]["queue_max"].as_integer(), Some(77));
}

#[test]
fn check_says_whether_a_server_would_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = Launch::new(folder.path(), &["config", "check"]).run();
    assert_eq!((good.status.code(), good.stderr.as_str()), (Some(0), ""), "{good:?}");
    let weak = Launch::new(folder.path(), &["config", "check", "--listen", "0.0.0.0:1"]).run();
    assert_one_line(&weak, 11);
    assert!(fs::read_dir(folder.path()).expect("a folder").next().is_none(), "a check made a file");
}

/// The names of the admin keys have no prefix.
#[test]
fn names_in_the_environment_follow_from_the_names_in_the_file() {
    for key in KEYS.iter() {
        let upper = key.name.replace('.', "_").to_uppercase();
        let expected = match key.name.starts_with("admin_api_token") {
            true => upper,
            false => format!("VOMEET_{upper}"),
        };
        assert_eq!(key.variable, expected, "{}", key.name);
    }
}

/// `[http]` and the end of the line; nothing where the setting is in no section.
fn section_line(key: &Key) -> String {
    match key.section() {
        "" => String::new(),
        section => format!("[{section}]\n"),
    }
}

/// What `vomeet.toml` in the repository should be.
fn example_file() -> String {
    let mut file = "\
# Every setting with its default. Uncomment a line to change it.
# Stronger than this file: .env in the working directory, the environment (the names in brackets), flags.
# `vomeet config show` lists the values in force and where each comes from.
"
    .to_owned();
    let mut section = "";
    for key in KEYS.iter() {
        if key.section() != section {
            section = key.section();
            file.push('\n');
            file.push_str(&section_line(key));
        }
        let (help, variable, name, default) =
            (key.help, &key.variable, key.short_name(), key.default);
        let row = format!("\n# {help} [{variable}]\n# {name} = {default}\n");
        file.push_str(&row);
    }
    file.push_str(
        "
# Configured users: users and hashes of their tokens, written into the database at each start. There may be many.
# See docs/configured-users.md.
#[[users]]
#email = \"user@example.com\"
#name = \"John Doe\"
#max_concurrent_bots = 2
#disabled = false
#tokens = [\"AbCd:…\"]  # as `vomeet token hash` prints them

# Engines: servers that make words of sound, by the API of OpenAI; tried in this order. There may be many.
# See docs/transcription.md.
#[[transcription.engines]]
#name = \"office\"
#url = \"http://127.0.0.1:8000/v1\"
#key_file = \"engine-key\"  # its first line is the key; for its owner alone (mode 0600)
#model = \"whisper-1\"
#seconds_max = 600  # longest sound; without it any
#concurrent_max = 2
",
    );
    file
}

/// `make snapshots T=config::` writes the file.
#[test]
fn vomeet_toml_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vomeet.toml");
    let expected = example_file();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &expected).expect("written");
    }
    let text = fs::read_to_string(path).expect("vomeet.toml");
    let hint =
        "vomeet.toml is not what src/config/settings.rs says; run `make snapshots T=config::`";
    let pairs = text.lines().zip(expected.lines());
    for (number, (line, wanted)) in (1..).zip(pairs) {
        assert_eq!(line, wanted, "line {number}: {hint}");
    }
    assert!(text == expected, "{hint}");
}

#[test]
fn vomeet_toml_changes_nothing_and_uncommented_sets_every_default() {
    let text = example_file();
    let is_value = |line: &&str| {
        line.strip_prefix("# ")
            .is_some_and(|line| toml::from_str::<toml::Table>(line).is_ok() && line.contains(" = "))
    };
    let uncommented: Vec<&str> =
        text.lines().map(|line| if is_value(&line) { &line[2..] } else { line }).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let defaults = load(folder.path(), &[]);
    for (text, all) in [(text.clone(), false), (uncommented.join("\n"), true)] {
        fs::write(folder.path().join("vomeet.toml"), text).expect("written");
        let settings = load(folder.path(), &[]);
        for ((key, loaded), default) in KEYS.iter().zip(&settings.origins).zip(&defaults.origins) {
            assert_eq!(loaded.0.to_string(), default.0.to_string(), "{}", key.name);
            assert_eq!(matches!(loaded.1, Source::File(_)), all, "{}: {}", key.name, loaded.1);
        }
    }
}
