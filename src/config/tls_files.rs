//! The files of TLS: both, or neither.

use crate::config::settings::Tls;
use std::path::PathBuf;

/// The file of the certificate and that of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that issued it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Tls {
    /// The files; `None` where the server speaks plain HTTP.
    pub fn files(&self) -> Option<TlsFiles> {
        let cert = self.cert.clone()?;
        let key = self.key.clone()?;
        Some(TlsFiles { cert, key })
    }
}
