//! What a client speaks on: a socket, or TLS over it; and certificates for servers of the tests.

use crate::patience::{PATIENCE, Unbroken};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version,
};

/// TLS over a socket.
pub type Secure = StreamOwned<ClientConnection, Unbroken>;

/// A connection to a server.
pub enum Wire {
    Plain(Unbroken),
    Secure(Box<Secure>),
}

impl Wire {
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => &stream.0,
            Self::Secure(stream) => &stream.sock.0,
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}

pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A certificate for localhost in files of a folder, and the root that issued it.
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
    root: Issuer<'static, KeyPair>,
    roots: RootCertStore,
}

impl Pair {
    /// In a folder, from a root of its own.
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).expect("a root");
        fs::write(folder.join("root.pem"), certificate.pem()).expect("written");
        let (cert, root) = (folder.join("cert.pem"), Issuer::new(params, key));
        let pair = Self { cert, key: folder.join("key.pem"), root, roots };
        pair.renew(&params_of("localhost"));
        pair
    }

    /// Writes a new certificate and a new key over those that are there.
    pub fn renew(&self, params: &CertificateParams) {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.root).expect("a certificate");
        write_private(&self.key, &key.serialize_pem());
        fs::write(&self.cert, certificate.pem()).expect("written");
    }

    /// What a client believes that trusts the root.
    pub fn trusted(&self) -> ClientConfig {
        self.trusted_with(&[&version::TLS13, &version::TLS12])
    }

    /// The same, of these versions alone.
    pub fn trusted_with(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions");
        builder.with_root_certificates(self.roots.clone()).with_no_client_auth()
    }
}

pub fn params_of(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("parameters")
}

/// Writes a file that its owner alone may read.
pub fn write_private(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("a mode");
}

/// Speaks TLS with a server on localhost; the handshake is done.
pub fn secure(stream: TcpStream, config: &Arc<ClientConfig>) -> io::Result<Box<Secure>> {
    let name = ServerName::try_from("localhost").expect("a name");
    let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = Box::new(StreamOwned::new(session, Unbroken(stream)));
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}
