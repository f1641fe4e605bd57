//! SIGHUP and what hangs on a setting elsewhere: sessions of the console, the address for
//! monitoring, the health check, the end of a server.

use crate::client::{Client, wait_for};
use crate::open_links::{link, redeem};
use crate::process::Process;
use crate::reload::{FIRST, SECOND, reload, reload_as_it_is, serve, status};
use crate::wire::write_private;
use serde_json::json;

const TOKEN: &str = "5f0c0a4c6f1f8e3a9b7d2c1e8a6b4d2f";
const NEXT_TOKEN: &str = "c81d94aa30b74e5fb1d2f6c7a09e3b58";

#[test]
fn sessions_of_the_console_end_with_an_admin_key_that_is_taken_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let key = |key: &str| format!("admin_api_token = \"{key}\"\n");
    let mut server = serve(folder, &key(FIRST));
    let session = redeem(&server, &link(folder));
    let waiting = link(folder);

    // As long as every key is accepted that was, they go on.
    reload(&mut server, &format!("log = \"warn,vomeet=info\"\n{}", key(FIRST)), folder);
    assert_eq!(status(&server, &session), 200, "another setting has changed");
    let grace = format!(
        "{}admin_api_token_old = \"{FIRST}\"\nadmin_api_token_old_until = \"2199-01-01T00:00:00Z\"\n",
        key(SECOND)
    );
    reload(&mut server, &grace, folder);
    assert_eq!((status(&server, FIRST), status(&server, &session)), (200, 200));

    reload(&mut server, &key(SECOND), folder);
    assert_eq!((status(&server, FIRST), status(&server, &session)), (403, 403));
    let late = server.post("/console/sessions").json(&json!({ "link": waiting })).send();
    assert_eq!(late.status, 404, "a link from before");
    let session = redeem(&server, &link(folder));
    assert_eq!(status(&server, &session), 200, "a new one");
    server.terminate();
}

/// Another client of the same server, at the address for monitoring.
fn monitoring(server: &mut Process) -> Client {
    let said = server.stderr.find("metrics and health on").expect("a line");
    let (_, address) = said.trim_end().rsplit_once("http://").expect("an address");
    Client { address: address.parse().expect("an address"), admin_key: FIRST }
}

#[test]
fn the_token_of_the_metrics_is_replaced_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let path = folder.join("metrics-token");
    write_private(&path, TOKEN);
    let listens = "metrics_listen = \"127.0.0.1:0\"\n";
    let toml = format!("{listens}metrics_token_file = \"metrics-token\"\n");
    let mut server = serve(folder, &toml);
    let probe = monitoring(&mut server);
    let scrape = |token: &str| probe.get("/metrics").bearer(token).send().status;
    assert_eq!((scrape(TOKEN), scrape(NEXT_TOKEN)), (200, 401));

    write_private(&path, "short");
    let line = reload_as_it_is(&mut server);
    assert!(line.contains("nothing has changed") && line.contains("metrics_token_file"), "{line}");
    assert_eq!((scrape(TOKEN), scrape(NEXT_TOKEN)), (200, 401));
    write_private(&path, NEXT_TOKEN);
    let line = reload_as_it_is(&mut server);
    assert!(line.ends_with("changed: metrics_token_file"), "{line}");
    assert_eq!((scrape(TOKEN), scrape(NEXT_TOKEN)), (401, 200));

    // Without the address it would be another server: both wait for the restart.
    let line = reload(&mut server, "", folder);
    assert!(line.contains("it is missing or empty"), "{line}");
    let line = reload(&mut server, "log = \"info\"\n", folder);
    assert!(line.ends_with("none has changed"), "{line}");
    let line = server.stderr.next_line().expect("a line");
    let names = "after a restart: metrics_listen, metrics_token_file";
    assert!(line.trim_end().ends_with(names), "{line}");
    assert_eq!((scrape(TOKEN), scrape(NEXT_TOKEN)), (401, 200));
    server.terminate();
}

#[test]
fn other_keys_of_the_store_of_backups_wait_for_the_restart_and_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let write_keys = |secret: &str| {
        let keys = format!("aws_access_key_id = A\naws_secret_access_key = {secret}\n");
        write_private(&folder.join("s3-keys"), &keys);
    };
    write_keys("one");
    let toml = "[backup]\nfolder = 'backups'\nevery = ''\ns3_endpoint = 'http://127.0.0.1:1'\n\
                s3_bucket = 'b'\ns3_plain = true\ns3_credentials_file = 's3-keys'\n";
    let mut server = serve(folder, toml);
    let line = reload_as_it_is(&mut server);
    assert!(line.ends_with("none has changed"), "{line}");
    write_keys("two");
    let line = reload_as_it_is(&mut server);
    assert!(line.ends_with("none has changed"), "{line}");
    // What follows that line stands before the line of the next one.
    reload_as_it_is(&mut server);
    let said = &server.stderr.text;
    assert!(said.contains("after a restart: backup.s3_credentials_file"), "{said}");
    server.terminate();
}

#[test]
fn the_health_check_knows_whether_the_key_is_still_weak() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path(), "log = \"info\"\n");
    let is_weak = |server: &Client| {
        let health = server.get("/healthz").send().expect(200);
        health.to_string().contains("admin_key_weak")
    };
    wait_for(|| is_weak(&server).then_some(()));
    reload(&mut server, &format!("admin_api_token = \"{FIRST}\"\n"), folder.path());
    wait_for(|| (!is_weak(&server)).then_some(()));
    reload(&mut server, "log = \"info\"\n", folder.path());
    wait_for(|| is_weak(&server).then_some(()));
    server.terminate();
}

#[test]
fn a_server_drains_as_the_settings_say_when_it_is_told_to_stop() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path(), "[http]\ndrain_seconds = 0\n");
    reload(&mut server, "[http]\ndrain_seconds = 1\n", folder.path());
    let ended = server.terminate();
    assert!(ended.stderr.contains("draining: requests are accepted for 1 s more"), "{ended:?}");
}

#[test]
fn the_lines_keep_their_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = serve(folder.path(), "log_format = \"json\"\n");
    reload(&mut server, "log_format = \"json\"\nlog = \"debug\"\n", folder.path());
    let said = server.terminate().stderr;
    assert!(said.contains("changed: log\""), "{said}");
    for line in said.lines().filter(|line| !line.is_empty()) {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{line}"));
    }
}
