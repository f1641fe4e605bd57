//! Certificates and keys as files: those that cannot be used, and those that change under a server.

use crate::client::{Line, wait_for};
use crate::process::{Ended, Launch};
use crate::wire::{Pair, connect, params_of, secure, write_private};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

/// Spoils a pair that was good.
type Spoil = fn(&Pair);

/// The exit code of a certificate that cannot be used.
const UNUSABLE: i32 = 17;

fn with(folder: &Path, command: &str, pair: &Pair) -> Launch {
    let launch = Launch::new(folder, &[command]).env("VOMEET_LISTEN", "127.0.0.1:0");
    launch.env("VOMEET_TLS_CERT", &pair.cert).env("VOMEET_TLS_KEY", &pair.key)
}

fn assert_refused(ended: &Ended, sentence: &str, what: &str) {
    assert_eq!(ended.status.code(), Some(UNUSABLE), "{what}: {ended:?}");
    let line = ended.stderr.trim_end();
    assert!(!line.contains('\n') && line.contains(sentence), "{what}: {ended:?}");
}

fn years(first: i32, last: i32) -> CertificateParams {
    let mut params = params_of("localhost");
    params.not_before = date_time_ymd(first, 1, 1);
    params.not_after = date_time_ymd(last, 1, 1);
    params
}

const SPOILT: [(&str, Spoil, &str); 13] = [
    ("no certificate", |pair| fs::remove_file(&pair.cert).expect("gone"), "check tls.cert"),
    ("no key", |pair| fs::remove_file(&pair.key).expect("gone"), "check tls.key"),
    ("empty", |pair| fs::write(&pair.cert, "").expect("written"), "has no certificate"),
    ("an empty key", |pair| fs::write(&pair.key, "").expect("written"), "has no private key"),
    ("cut off", cut_off, "no sound PEM"),
    ("no certificate inside", no_certificate, "number 1 in"),
    ("exchanged", exchanged, "has no certificate"),
    ("a key that others read", |pair| mode(&pair.key, 0o644), "its mode is 644"),
    ("an encrypted key", encrypted, "is encrypted"),
    ("another key", another_key, "is not that of the certificate"),
    ("the wrong order", wrong_order, "is number 2; put it first"),
    ("expired", |pair| pair.renew(&years(2000, 2001)), "expired at 2001-01-01T00:00:00"),
    ("too early", |pair| pair.renew(&years(2200, 2201)), "is good from 2200-01-01T00:00:00"),
];

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn cut_off(pair: &Pair) {
    let pem = fs::read_to_string(&pair.cert).expect("a certificate");
    fs::write(&pair.cert, &pem[..pem.len() / 2]).expect("written");
}

fn no_certificate(pair: &Pair) {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(&pair.cert, pem).expect("written");
}

fn exchanged(pair: &Pair) {
    let cert = fs::read_to_string(&pair.cert).expect("a certificate");
    let key = fs::read_to_string(&pair.key).expect("a key");
    fs::write(&pair.cert, key).expect("written");
    write_private(&pair.key, &cert);
}

fn encrypted(pair: &Pair) {
    let pem = fs::read_to_string(&pair.key).expect("a key");
    write_private(&pair.key, &pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
}

fn another_key(pair: &Pair) {
    write_private(&pair.key, &KeyPair::generate().expect("a key").serialize_pem());
}

fn wrong_order(pair: &Pair) {
    let own = fs::read_to_string(&pair.cert).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let issuer = params_of("issuer").self_signed(&key).expect("a certificate").pem();
    fs::write(&pair.cert, issuer + &own).expect("written");
}

#[test]
fn what_cannot_be_used_is_refused_at_the_start() {
    for (what, spoil, sentence) in SPOILT {
        let folder = tempfile::tempdir().expect("a folder");
        let pair = Pair::new(folder.path());
        spoil(&pair);
        assert_refused(&with(folder.path(), "serve", &pair).run(), sentence, what);
        assert!(!folder.path().join("vomeet.db").exists(), "{what}: a database was made");
    }
}

#[test]
fn config_check_says_so_before_a_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let check = || {
        let launch = Launch::new(folder.path(), &["config", "check"]);
        launch.env("VOMEET_TLS_CERT", &pair.cert).env("VOMEET_TLS_KEY", &pair.key).run()
    };
    assert_eq!(check().status.code(), Some(0));
    another_key(&pair);
    assert_refused(&check(), "is not that of the certificate", "another key");
}

#[test]
fn a_certificate_for_clients_is_none_for_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let mut params = params_of("localhost");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    pair.renew(&params);
    let ended = with(folder.path(), "serve", &pair).run();
    assert_refused(&ended, "is not one for a server", "for clients");
}

#[test]
fn half_of_the_settings_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    for (variable, path, sentence) in [
        ("VOMEET_TLS_CERT", &pair.cert, "tls.cert is set, and tls.key is not"),
        ("VOMEET_TLS_KEY", &pair.key, "tls.key is set, and tls.cert is not"),
    ] {
        let ended = Launch::new(folder.path(), &["serve"]).env(variable, path).run();
        assert_eq!(ended.status.code(), Some(10), "{ended:?}");
        assert!(ended.stderr.contains(sentence), "{ended:?}");
    }
    let bots = with(folder.path(), "serve", &pair)
        .env("VOMEET_BOTS_RUNNER", "process")
        .env("VOMEET_BOTS_PROCESS_COMMAND", "true");
    let ended = bots.run();
    assert_eq!(ended.status.code(), Some(10), "{ended:?}");
    assert!(ended.stderr.contains("bots.callback_url to https://NAME:PORT"), "{ended:?}");
}

/// A pipe, whose opening would wait for its writer, is refused.
#[test]
fn a_key_that_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    fs::remove_file(&pair.key).expect("gone");
    let path = pair.key.to_string_lossy().into_owned();
    assert!(Launch::other("mkfifo", &[&path], folder.path()).run().status.success());
    let ended = with(folder.path(), "serve", &pair).run();
    assert_refused(&ended, "it is no regular file", "a pipe");
}

#[test]
fn what_could_not_be_used_is_tried_again_though_no_file_has_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let server = with(folder.path(), "serve", &pair).start();
    let certificate = || {
        let stream = connect(server.address).expect("a connection");
        let stream = secure(stream, &Arc::new(pair.trusted())).expect("a handshake");
        stream.conn.peer_certificates().expect("a certificate")[0].as_ref().to_vec()
    };
    let first = certificate();
    let mut params = params_of("localhost");
    let begin = std::time::SystemTime::now() + std::time::Duration::from_secs(8);
    params.not_before = begin.into();
    pair.renew(&params);
    wait_for(|| (certificate() != first).then_some(()));
    server.terminate();
}

#[test]
fn a_certificate_that_ends_soon_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let now = std::time::SystemTime::now();
    let mut params = params_of("localhost");
    params.not_after = (now + std::time::Duration::from_hours(24)).into();
    pair.renew(&params);
    let mut server = with(folder.path(), "serve", &pair).start();
    assert!(server.stderr.find("ends within 14 days").is_some());
    server.terminate();
}

#[test]
fn a_new_certificate_is_read_without_a_restart_and_a_bad_one_is_not_taken() {
    let folder = tempfile::tempdir().expect("a folder");
    let pair = Pair::new(folder.path());
    let mut server = with(folder.path(), "serve", &pair).start();
    // A client that knows nothing of earlier sessions: one that resumes has the certificate of then.
    let certificate = || {
        let stream = connect(server.address).expect("a connection");
        let stream = secure(stream, &Arc::new(pair.trusted())).expect("a handshake");
        stream.conn.peer_certificates().expect("a certificate")[0].as_ref().to_vec()
    };
    let first = certificate();
    let mut kept = Line::secure(server.address, &Arc::new(pair.trusted())).expect("a handshake");
    pair.renew(&params_of("localhost"));
    let second = wait_for(|| Some(certificate()).filter(|now| *now != first));
    let answer = server.get("/healthz").over(&mut kept).expect("an answer");
    assert_eq!(answer.status, 200, "a connection of before goes on");
    another_key(&pair);
    let line = server.stderr.find("the certificate in use is kept").expect("a line");
    assert!(line.contains(" ERROR ") && line.contains("is not that of"), "{line}");
    let certificate = || {
        let stream = connect(server.address).expect("a connection");
        let stream = secure(stream, &Arc::new(pair.trusted())).expect("a handshake");
        stream.conn.peer_certificates().expect("a certificate")[0].as_ref().to_vec()
    };
    assert_eq!(certificate(), second);
    // Replaced by others of their names, as tools that renew certificates do.
    let elsewhere = folder.path().join("new");
    fs::create_dir(&elsewhere).expect("a folder");
    pair.renew(&params_of("localhost"));
    for path in [&pair.cert, &pair.key] {
        let new = elsewhere.join(path.file_name().expect("a name"));
        fs::copy(path, &new).expect("a copy");
        fs::rename(&new, path).expect("renamed");
    }
    wait_for(|| (certificate() != second).then_some(()));
    server.terminate();
}
