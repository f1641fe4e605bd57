//! The settings of backups.

use crate::config::key::{Key, Values, settings};
use crate::config::recipient::recipient;
use crate::config::s3_endpoint::s3_endpoint;
use crate::config::values::{filled, flag, optional_path, optional_span, text, whole};
use crate::encryption::Recipient;
use crate::exit::StartupError;
use crate::s3::Keys;
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

settings! {
    /// Backups.
    #[derive(Debug, Clone, Default)]
    pub struct Backup in "backup" {
        /// The folder of backups, one of its own for each server; it is created. Empty is none: then
        /// backups are made by `vomeet backup FILE` alone.
        folder: Option<PathBuf> = "", optional_path;
        /// How old the last good backup in the folder is when the next is made, such as "24h" or
        /// "30m"; empty is no schedule.
        every: Option<Duration> = "24h", optional_span(60..=365 * 86_400);
        /// How many good backups the folder keeps; older ones are deleted, but none that is younger
        /// than this times `every`.
        keep: usize = 7, whole(1..=100_000);
        /// The public key that backups are encrypted to, age1…, of a pair that `vomeet backup key`
        /// makes; the private key never lies on the server. Empty is not encrypted.
        encrypt_to: Option<Recipient> = "", recipient;
        /// The address of a store that speaks S3, to which good backups in the folder are uploaded,
        /// such as `"https://s3.eu-central-1.amazonaws.com"`. Empty is none.
        s3_endpoint: Option<Url> = "", s3_endpoint;
        /// The bucket there, which must exist.
        s3_bucket: String = "", text;
        /// What the names of the objects begin with, such as "vomeet/"; nothing else is touched.
        s3_prefix: String = "", text;
        /// The region that requests are signed for.
        s3_region: String = "us-east-1", filled;
        /// A file with `aws_access_key_id = …` and `aws_secret_access_key = …`, for its owner alone
        /// (mode 0600). Empty is the systemd credential `s3_credentials`.
        s3_credentials_file: Option<PathBuf> = "", optional_path;
        /// Whether backups that are not encrypted may be uploaded: `true` or `false`.
        s3_plain: bool = false, flag;
    }
    others {
        /// The keys of the store.
        s3_keys: Keys,
    }
}
