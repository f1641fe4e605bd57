//! Webhooks by HTTPS: a certificate must be good for the name and come from a root that is trusted.

use crate::process::{Launch, Process};
use crate::receiver::{Down, Receiver};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A root of our own, and its certificate in PEM.
fn root() -> (Issuer<'static, KeyPair>, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    (Issuer::new(params, key), pem)
}

/// A receiver whose certificate is for this name, from this root or from nobody.
fn receiver(name: &str, root: Option<&Issuer<'static, KeyPair>>) -> Receiver {
    let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let key = KeyPair::generate().expect("a key");
    let certificate = match root {
        Some(root) => params.signed_by(&key, root),
        None => params.self_signed(&key),
    };
    let certificate = certificate.expect("a certificate").der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    Receiver::secured(config)
}

/// A server that trusts what is in this file, and is told of a proxy that it must not use.
fn server(folder: &Path, roots: &Path) -> (Process, String) {
    let proxy = Down::new().url();
    let launch = Launch::serve(folder).env("SSL_CERT_FILE", roots);
    let launch = launch.env("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128");
    let names =
        ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let server = names.into_iter().fold(launch, |launch, name| launch.env(name, &proxy)).start();
    let key = server.new_token(server.new_user("one@example.com"));
    (server, key.text)
}

fn test(server: &Process, key: &str, url: &str) -> Value {
    server
        .call("PUT", "/user/webhook")
        .user(key)
        .json(&json!({ "webhook_url": url }))
        .send()
        .expect(200);
    server.post("/user/webhook/test").user(key).send().expect(200)
}

#[test]
fn a_certificate_must_be_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let (root, pem) = root();
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, pem).expect("written");
    let (server, key) = server(folder.path(), &roots);
    let (stranger, _) = self::root();
    for (name, issuer, host, trusted) in [
        ("localhost", Some(&root), "localhost", true),
        ("127.0.0.1", Some(&root), "127.0.0.1", true),
        ("localhost", Some(&root), "127.0.0.1", false),
        ("example.com", Some(&root), "localhost", false),
        ("localhost", Some(&stranger), "localhost", false),
        ("localhost", None, "localhost", false),
    ] {
        let receiver = receiver(name, issuer);
        let tested =
            test(&server, &key, &format!("https://{host}:{}/hook", receiver.address.port()));
        let row = format!("for {name}, at {host}: {tested}");
        assert_eq!(tested["delivered"], trusted, "{row}");
        let error = tested["error"].as_str().unwrap_or_default();
        assert_eq!(error.contains("invalid peer certificate"), !trusted, "{row}");
        assert_eq!(receiver.rest().len(), usize::from(trusted), "{row}");
    }
    // Plain HTTP to a port that speaks TLS is no delivery, nor is TLS to one that does not.
    let (tls, plain) = (receiver("localhost", Some(&root)), Receiver::taking());
    for url in
        [format!("http://localhost:{}/", tls.address.port()), format!("https://{}/", plain.address)]
    {
        assert_eq!(test(&server, &key, &url)["delivered"], false, "{url}");
    }
    assert_eq!(test(&server, &key, &plain.url())["delivered"], true, "without TLS, past the proxy");
    server.terminate();
}

#[test]
fn without_roots_of_the_system_strangers_are_still_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut server, key) = server(folder.path(), &folder.path().join("missing.pem"));
    let receiver = receiver("localhost", None);
    let tested = test(&server, &key, &format!("https://localhost:{}/", receiver.address.port()));
    assert!(
        tested["error"].as_str().is_some_and(|error| error.contains("invalid peer certificate")),
        "{tested}"
    );
    assert!(
        server.stderr.find("webhooks and uploads trust those that this program carries").is_some()
    );
    server.terminate();
}
