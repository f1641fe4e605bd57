//! Encryption of files to a public key, in the format of age (age-encryption.org/v1): whoever has
//! the public key alone cannot read what was encrypted with it.
//!
//! Without the cargo feature `encryption` there are the same types, of which no value can be made.

#[cfg(feature = "encryption")]
mod age;
#[cfg(not(feature = "encryption"))]
mod without;

#[cfg(feature = "encryption")]
pub(crate) use age::{Identity, Recipient, decrypt, encrypt, generate};
#[cfg(not(feature = "encryption"))]
pub(crate) use without::{Identity, Recipient, decrypt, encrypt, generate};

/// How a file begins that was encrypted.
pub(crate) const MAGIC: &[u8] = b"age-encryption.org/v1\n";

/// A new pair of keys, as text.
pub(crate) struct KeyPair {
    /// The public key: `age1…`.
    pub public: String,
    /// The private key: `AGE-SECRET-KEY-1…`.
    pub private: String,
}

/// Why a file was not decrypted.
#[derive(Debug)]
#[cfg_attr(not(feature = "encryption"), expect(dead_code, reason = "nothing is decrypted then"))]
pub(crate) enum Undecrypted {
    /// It was encrypted to another key.
    OtherKey,
    /// It is not whole, or was changed; the text says how.
    Damaged(String),
    /// It cannot be read, or the copy cannot be written.
    Io(std::io::Error),
}
