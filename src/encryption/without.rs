//! The same without the cargo feature: no key can be made, so nothing is encrypted or decrypted.

use crate::encryption::{KeyPair, Undecrypted};
use crate::features::missing;
use std::convert::Infallible;
use std::fmt;
use std::io::{self, BufRead, Read, Write};

/// A public key, of which there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient(Infallible);

impl Recipient {
    /// Says that the feature is missing.
    pub(crate) fn parse(_: &str) -> Result<Self, String> {
        Err(missing("encryption"))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

/// Private keys, of which there are none.
pub(crate) struct Identity(Infallible);

impl Identity {
    /// Says that the feature is missing.
    pub(crate) fn parse(_: &str) -> Result<Self, String> {
        Err(missing("encryption"))
    }
}

/// Says that the feature is missing.
pub(crate) fn generate() -> Result<KeyPair, String> {
    Err(missing("encryption"))
}

/// Is never called.
pub(crate) fn encrypt(
    _: &mut impl Read,
    _: impl Write,
    recipient: &Recipient,
    _: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    match recipient.0 {}
}

/// Is never called.
pub(crate) fn decrypt(
    _: impl BufRead,
    _: &mut impl Write,
    identity: &Identity,
    _: impl FnMut() -> io::Result<()>,
) -> Result<(), Undecrypted> {
    match identity.0 {}
}
