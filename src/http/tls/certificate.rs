//! Reads a certificate and its key from PEM files, and says in one sentence what is wrong with
//! them.

use crate::config::TlsFiles;
use crate::domain::Time;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey};
use webpki::{EndEntityCert, KeyUsage};

/// Longest file that is read, in bytes; a chain of certificates has some thousand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Bits of a file's mode that let other users of the machine read or change it. The group may:
/// systemd gives credentials to the user of a service by an access list, which shows in its bits.
const OF_OTHERS: u32 = 0o007;

/// Reads the certificate and the key, and checks that a server can use them now.
pub(super) fn load(files: &TlsFiles, now: Time) -> Result<CertifiedKey, String> {
    let chain = read_chain(&files.cert)?;
    let key = read_key(&files.key)?;
    let certified = CertifiedKey::new(chain, key);
    check_pair(&certified, files)?;
    check_use(&certified.cert[0], &files.cert, now)?;
    Ok(certified)
}

/// Whether the certificate is still good at a time.
pub(super) fn expires_before(certified: &CertifiedKey, time: Time) -> bool {
    matches!(use_of(&certified.cert[0], time), Err(webpki::Error::CertExpired { .. }))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let (pem, _) = read(path).map_err(|error| {
        format!("Cannot read the certificate {shown} ({error}); check tls.cert.")
    })?;
    let mut chain = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| {
            format!("{shown} is no sound PEM ({error}); check the file that tls.cert names.")
        })?;
        if let Err(error) = EndEntityCert::try_from(&certificate) {
            let number = chain.len() + 1;
            return Err(format!(
                "Certificate number {number} in {shown} cannot be read ({error:?}); take another."
            ));
        }
        chain.push(certificate);
    }
    if chain.is_empty() {
        return Err(format!(
            "{shown} has no certificate (-----BEGIN CERTIFICATE-----); set tls.cert to the PEM \
             file with the server's certificate and then those that issued it."
        ));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<Arc<dyn SigningKey>, String> {
    let shown = path.display();
    let (pem, mode) = read(path)
        .map_err(|error| format!("Cannot read the key {shown} ({error}); check tls.key."))?;
    if mode & OF_OTHERS != 0 {
        let mode = mode & 0o777;
        return Err(format!(
            "Other users of this machine may open the key {shown} (its mode is {mode:o}); type \
             `chmod 600 {shown}`, and replace the key if they could read it."
        ));
    }
    let key = match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(key) => key,
        Err(_) if String::from_utf8_lossy(&pem).contains("ENCRYPTED") => {
            return Err(format!(
                "The key {shown} is encrypted, and nobody is asked for its password; write it \
                 without one (`openssl pkey -in {shown} -out FILE`)."
            ));
        }
        Err(_) => {
            return Err(format!(
                "{shown} has no private key (-----BEGIN PRIVATE KEY-----); set tls.key to the PEM \
                 file with the key of the certificate."
            ));
        }
    };
    default_provider().key_provider.load_private_key(key).map_err(|error| {
        format!("The key {shown} cannot be used ({error}); it should be RSA, ECDSA or Ed25519.")
    })
}

/// A whole file and its mode. What is too long is cut, and is then no sound PEM.
fn read(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    // Opening a pipe would wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let file = File::open(path)?;
    let mode = file.metadata()?.mode();
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok((bytes, mode))
}

/// The key must be that of the first certificate.
fn check_pair(certified: &CertifiedKey, files: &TlsFiles) -> Result<(), String> {
    if certified.keys_match().is_ok() {
        return Ok(());
    }
    let TlsFiles { cert, key } = files;
    let (cert, key) = (cert.display(), key.display());
    for (number, certificate) in (1..).zip(&certified.cert) {
        let alone = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&certified.key));
        if alone.keys_match().is_ok() {
            return Err(format!(
                "The certificates in {cert} are in the wrong order: that of the key {key} is \
                 number {number}; put it first, and those that issued it behind it."
            ));
        }
    }
    Err(format!(
        "The key {key} is not that of the certificate {cert}; set tls.cert and tls.key to files \
         that belong together."
    ))
}

/// A certificate that clients would refuse is refused here, where somebody reads why.
fn check_use(certificate: &CertificateDer<'_>, path: &Path, now: Time) -> Result<(), String> {
    let path = path.display();
    match use_of(certificate, now) {
        Ok(()) => Ok(()),
        Err(webpki::Error::CertExpired { not_after, .. }) => {
            Err(format!("The certificate {path} expired at {}; renew it.", time_of(not_after)))
        }
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => Err(format!(
            "The certificate {path} is good from {} on; check the clock of this machine, or take \
             another certificate.",
            time_of(not_before)
        )),
        Err(error) => Err(format!(
            "The certificate {path} is not one for a server ({error:?}); take another."
        )),
    }
}

/// What a client would say of the certificate at a time, whoever has issued it.
fn use_of(certificate: &CertificateDer<'_>, at: Time) -> Result<(), webpki::Error> {
    let end_entity = EndEntityCert::try_from(certificate)?;
    let millis = u64::try_from(at.as_millis()).unwrap_or_default();
    let at = UnixTime::since_unix_epoch(Duration::from_millis(millis));
    let usage = KeyUsage::server_auth();
    match end_entity.verify_for_usage(&[], &[], &[], at, usage, None, None) {
        // A server does not know whom its clients trust. A certificate that names itself as an
        // issuer may be one that was made by hand, which clients are told to trust.
        Ok(_) | Err(webpki::Error::UnknownIssuer | webpki::Error::CaUsedAsEndEntity) => Ok(()),
        Err(error) => Err(error),
    }
}

fn time_of(time: UnixTime) -> Time {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 1000);
    Time::from_millis(seconds.saturating_mul(1000))
}
