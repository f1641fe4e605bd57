//! TLS to webhooks, to stores of backups, and to a server that a command asks: the system's root
//! certificates, or the bundled ones where the system has none.

use std::sync::Arc;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Why an attempt fails where TLS cannot be set up.
const UNUSABLE: &str = "TLS cannot be used on this server.";

/// Made at the first connection that needs it: root certificates take memory, and many a server has
/// none such.
#[derive(Default)]
pub(crate) struct Tls(OnceCell<TlsConnector>);

impl Tls {
    /// The connector, or a sentence that says why there is none.
    pub(crate) async fn connector(&self) -> Result<&TlsConnector, String> {
        self.0.get_or_try_init(make_connector).await
    }
}

async fn make_connector() -> Result<TlsConnector, String> {
    // Reading some hundred certificates would hold up a thread that serves requests.
    match tokio::task::spawn_blocking(configure).await {
        Ok(config) => Ok(TlsConnector::from(Arc::new(config?))),
        Err(_) => Err(UNUSABLE.to_owned()),
    }
}

fn configure() -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let Ok(builder) = builder.with_safe_default_protocol_versions() else {
        return Err(UNUSABLE.to_owned());
    };
    Ok(builder.with_root_certificates(roots()).with_no_client_auth())
}

fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        log::warn!("some of the system's root certificates cannot be read: {error}");
    }
    let (added, _) = roots.add_parsable_certificates(system.certs);
    if added == 0 {
        log::warn!(
            "the system has no root certificates; webhooks and uploads trust those that this program \
             carries"
        );
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
