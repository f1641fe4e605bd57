//! Encryption by the crate `age`, with X25519 keys alone.

use crate::encryption::{KeyPair, Undecrypted};
use age::secrecy::ExposeSecret;
use age::{DecryptError, Decryptor, Encryptor, x25519};
use std::fmt;
use std::io::{self, BufRead, Read, Write};

/// A public key, to which files are encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(x25519::Recipient);

impl Recipient {
    /// Reads a public key, `age1…`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(recipient) => Ok(Self(recipient)),
            Err(_) if text.starts_with("AGE-SECRET-KEY-") => {
                Err("should be a public key, age1…; this is a private one, which belongs on no \
                     server"
                    .to_owned())
            }
            Err(_) => {
                Err("should be a public key of age, age1…; `vomeet backup key` makes one"
                    .to_owned())
            }
        }
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Private keys, each of which may decrypt a file.
pub(crate) struct Identity(Vec<x25519::Identity>);

impl Identity {
    /// Reads the text of a file of keys: one in a line, and comments that begin with `#`. The error
    /// is the end of a sentence that begins with the name of the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Vec::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Ok(key) = line.parse() else {
                return Err("has a line that is no private key AGE-SECRET-KEY-1…".to_owned());
            };
            keys.push(key);
        }
        if keys.is_empty() {
            return Err("has no private key AGE-SECRET-KEY-1…".to_owned());
        }
        Ok(Self(keys))
    }
}

/// Makes a pair of keys.
#[expect(clippy::unnecessary_wraps, reason = "without the feature there is none")]
pub(crate) fn generate() -> Result<KeyPair, String> {
    let key = x25519::Identity::generate();
    let public = key.to_public().to_string();
    Ok(KeyPair { public, private: key.to_string().expose_secret().to_owned() })
}

/// Encrypts what is read, piece by piece, until `piece` fails, which is asked before each of them.
pub(crate) fn encrypt(
    from: &mut impl Read,
    to: impl Write,
    recipient: &Recipient,
    mut piece: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let recipient: &dyn age::Recipient = &recipient.0;
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient));
    let mut encrypted = encryptor.map_err(io::Error::other)?.wrap_output(to)?;
    copy(from, &mut encrypted, &mut piece)?;
    encrypted.finish()?.flush()
}

/// Decrypts what is read, and asks `piece` as [`encrypt`] does. What was written before it fails is
/// not to be used.
pub(crate) fn decrypt(
    from: impl BufRead,
    to: &mut impl Write,
    identity: &Identity,
    mut piece: impl FnMut() -> io::Result<()>,
) -> Result<(), Undecrypted> {
    let decryptor = Decryptor::new_buffered(from).map_err(undecrypted)?;
    let keys = identity.0.iter().map(|key| key as &dyn age::Identity);
    let mut decrypted = decryptor.decrypt(keys).map_err(undecrypted)?;
    match copy(&mut decrypted, to, &mut piece) {
        // So the reader says that a piece is not authentic, or that the last one is missing.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Err(Undecrypted::Damaged("it was changed, or is cut off".to_owned()))
        }
        done => done.map_err(Undecrypted::Io),
    }
}

fn undecrypted(error: DecryptError) -> Undecrypted {
    match error {
        DecryptError::NoMatchingKeys => Undecrypted::OtherKey,
        DecryptError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Undecrypted::Io(error)
        }
        _ => Undecrypted::Damaged("its header is no whole one of age".to_owned()),
    }
}

/// Bytes that are copied at once: those of a piece of the format.
const PIECE_BYTES: usize = 64 * 1024;

fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    piece: &mut impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        piece()?;
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count])?;
    }
}
