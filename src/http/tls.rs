//! TLS for those who have no proxy: the certificate, which is read again when its files change, and
//! handshakes in bounded memory.
//!
//! TLS 1.2 and 1.3, and HTTP/1.1 alone. A handshake takes a place among the connections like any
//! other request that does not come, so its time is bounded and it can be evicted
//! (`connections.rs`).

mod bounded_stream;
mod certificate;

use crate::config::TlsFiles;
use crate::domain::Time;
use crate::exit::{Code, StartupError};
use crate::http::tls::bounded_stream::BoundedStream;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{Error as TlsError, ServerConfig};

/// A connection over TLS, after its handshake.
pub type SecureStream = tokio_rustls::server::TlsStream<BoundedStream>;

/// Most bytes of a response that are encrypted before the system takes them.
const SENT_BYTES_MAX: usize = 16 * 1024;
/// The first byte of a handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;
/// How long before its end a certificate is warned of, in seconds.
const ENDS_SOON_SECONDS: i64 = 14 * 86_400;

/// The TLS of a server.
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
    looked: Mutex<Looked>,
}

/// The certificate in use; a handshake takes the one of its moment.
struct Certificate(RwLock<Arc<CertifiedKey>>);

/// The files, and what they looked like.
struct Looked {
    files: TlsFiles,
    /// When the certificate was last read from them.
    read: Seen,
    /// At the latest look.
    latest: Seen,
    /// Why they could not be used at the latest try.
    refused: Option<String>,
}

/// What is seen of the certificate's file and the key's without reading them; `None` where there is
/// no file.
type Seen = [Option<FileState>; 2];

/// A file that is another, or was written to, has another of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    bytes: u64,
    /// When it was written to, and when it or its mode was changed, in seconds and nanoseconds.
    changed_at: [i64; 4],
}

/// A certificate that was read and can be used.
pub(crate) struct Prepared {
    files: TlsFiles,
    seen: Seen,
    certified: CertifiedKey,
}

/// What a new connection begins with.
pub(crate) enum Opening {
    /// The handshake is done.
    Secure(Box<SecureStream>),
    /// It is no TLS: a request in plain HTTP, probably.
    Plain(TcpStream),
}

impl Tls {
    /// With the certificate of these files, if it can be used now.
    pub fn open(files: TlsFiles, now: Time) -> Result<Self, StartupError> {
        let Prepared { files, seen, certified } = read(files, now)?;
        let certificate = Arc::new(Certificate(RwLock::new(Arc::new(certified))));
        let config = configure(Arc::clone(&certificate)).map_err(|error| {
            StartupError::new(Code::Certificate, format!("TLS cannot be set up: {error}."))
        })?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let looked = Mutex::new(Looked::used(files, seen));
        Ok(Self { acceptor, certificate, looked })
    }

    /// Waits for the handshake of a connection, unless it does not begin with one.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Opening> {
        let mut first = [0];
        let count = stream.peek(&mut first).await?;
        if count > 0 && first[0] != HANDSHAKE {
            return Ok(Opening::Plain(stream));
        }
        let stream = BoundedStream::new(stream);
        let accepting = self.acceptor.accept_with(stream, |session| {
            session.set_buffer_limit(Some(SENT_BYTES_MAX));
        });
        Ok(Opening::Secure(Box::new(accepting.await?)))
    }

    /// Looks at the files. Where they have changed since they were read, and not since the look
    /// before, they are read: somebody who replaces them writes the one and then the other. On an
    /// error the certificate in use stays, and each later look tries again. This may block.
    pub(crate) fn look(&self, now: Time) {
        let mut looked = self.lock();
        let seen = look_at(&looked.files);
        let is_settled = seen == looked.latest;
        looked.latest = seen;
        if seen == looked.read {
            looked.refused = None;
            return;
        }
        if !is_settled {
            return;
        }
        let files = looked.files.clone();
        drop(looked);
        let found = read(files.clone(), now);
        let mut looked = self.lock();
        if looked.files != files {
            // The settings name others meanwhile.
            return;
        }
        match found {
            Ok(prepared) => {
                let path = prepared.files.cert.display().to_string();
                self.put(&mut looked, prepared);
                log::info!("the certificate {path} was read again");
            }
            Err(error) => {
                let why = error.to_string();
                if looked.refused.as_ref() != Some(&why) {
                    log::error!("the certificate in use is kept: {why}");
                }
                looked.refused = Some(why);
            }
        }
    }

    /// The certificate of these files in place of the one in use, which stays until it is put in
    /// use. This may block.
    pub(crate) fn prepare(files: TlsFiles, now: Time) -> Result<Prepared, StartupError> {
        read(files, now)
    }

    /// Uses a certificate for the handshakes from now on.
    pub(crate) fn put_in_use(&self, prepared: Prepared) {
        self.put(&mut self.lock(), prepared);
    }

    fn put(&self, looked: &mut Looked, prepared: Prepared) {
        let Prepared { files, seen, certified } = prepared;
        *looked = Looked::used(files, seen);
        self.certificate.set(certified);
    }

    /// Warns where the certificate in use ends soon.
    pub(crate) fn warn_of_end(&self, now: Time) {
        let path = self.lock().files.cert.clone();
        warn_of_end(&self.certificate.get(), &path, now);
    }

    fn lock(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Looked {
    /// The files of a certificate that was put in use.
    fn used(files: TlsFiles, seen: Seen) -> Self {
        Self { files, read: seen, latest: seen, refused: None }
    }
}

/// Reads the certificate of these files, and warns where it ends soon.
fn read(files: TlsFiles, now: Time) -> Result<Prepared, StartupError> {
    let seen = look_at(&files);
    let certified =
        certificate::load(&files, now).map_err(|why| StartupError::new(Code::Certificate, why))?;
    warn_of_end(&certified, &files.cert, now);
    Ok(Prepared { files, seen, certified })
}

fn warn_of_end(certified: &CertifiedKey, path: &Path, now: Time) {
    if certificate::expires_before(certified, now.plus_seconds(ENDS_SOON_SECONDS)) {
        let days = ENDS_SOON_SECONDS / 86_400;
        log::warn!(
            "the certificate {} ends within {days} days; put a new one in its place, which is \
             read without a restart",
            path.display()
        );
    }
}

fn configure(certificate: Arc<Certificate>) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13, &TLS12])?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn look_at(files: &TlsFiles) -> Seen {
    [state_of(&files.cert), state_of(&files.key)]
}

fn state_of(path: &Path) -> Option<FileState> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(FileState {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.len(),
        changed_at: [
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.ctime(),
            metadata.ctime_nsec(),
        ],
    })
}

impl Certificate {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }
}

impl ResolvesServerCert for Certificate {
    /// Whatever name the client asks for: a server has one certificate.
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
