//! The store that backups are uploaded to: its keys, and what the settings of it lack.

use crate::config::backup::Backup;
use crate::config::s3_endpoint::is_in_the_open;
use crate::config::secret_file::{OTHERS, read_file};
use crate::config::sources::Environment;
use crate::s3::Keys;
use std::path::Path;

/// Most bytes of the file of the keys that are read.
const BYTES_MAX: u64 = 64 * 1024;
/// The name of the systemd credential.
const CREDENTIAL: &str = "s3_credentials";

impl Backup {
    /// Whether backups are uploaded over a connection that others can read.
    pub(crate) fn is_uploaded_in_the_open(&self) -> bool {
        self.s3_endpoint.as_ref().is_some_and(is_in_the_open)
    }

    /// What is wrong with the settings of the store together.
    pub(super) fn s3_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.s3_endpoint.is_none() != self.s3_bucket.is_empty() {
            faults.push(
                "backup.s3_endpoint and backup.s3_bucket belong together; set both, or neither."
                    .to_owned(),
            );
        }
        if self.s3_endpoint.is_none() {
            let is_meant = !self.s3_prefix.is_empty() || self.s3_credentials_file.is_some();
            if is_meant || self.s3_plain {
                faults.push(
                    "backup.s3_prefix, backup.s3_credentials_file or backup.s3_plain is set, and \
                     backup.s3_endpoint is not; set it, or none of them."
                        .to_owned(),
                );
            }
            return faults;
        }
        if self.folder.is_none() {
            faults.push(
                "backup.s3_endpoint is set, and backup.folder is not, from which backups are \
                 uploaded; set it."
                    .to_owned(),
            );
        }
        if self.encrypt_to.is_none() && !self.s3_plain {
            faults.push(
                "backup.s3_endpoint is set, and backups are not encrypted; set backup.encrypt_to, \
                 or backup.s3_plain to true if whoever can read the bucket may read all \
                 transcripts."
                    .to_owned(),
            );
        }
        faults
    }
}

/// Reads the keys of the store, if one is set; says what is wrong with them.
pub(crate) fn read_keys(backup: &mut Backup, around: &Environment) -> Result<(), String> {
    if backup.s3_endpoint.is_none() {
        return Ok(());
    }
    let (path, is_credential) = match &backup.s3_credentials_file {
        Some(path) => (around.folder.join(path), false),
        None => match around.environment.get("CREDENTIALS_DIRECTORY") {
            Some(folder) => (Path::new(folder).join(CREDENTIAL), true),
            None => {
                return Err(
                    "backup.s3_endpoint is set, and backup.s3_credentials_file is not; set \
                            it, or give the service a credential s3_credentials."
                        .to_owned(),
                );
            }
        },
    };
    let shown = path.display();
    let (mode, text) = read_file(&path, BYTES_MAX)
        .map_err(|error| format!("backup.s3_credentials_file: cannot read {shown} ({error})."))?;
    // Of a credential, systemd sees to it.
    if !is_credential && mode & OTHERS != 0 {
        return Err(format!(
            "backup.s3_credentials_file: others than its owner may open {shown}; `chmod 600` it."
        ));
    }
    if let Some(why) = unusable(&text) {
        return Err(format!("backup.s3_credentials_file: {shown} {why}."));
    }
    let Some(keys) = keys_in(&text) else {
        return Err(format!(
            "backup.s3_credentials_file: {shown} should have a line aws_access_key_id = … and a \
             line aws_secret_access_key = …."
        ));
    };
    backup.s3_keys = keys;
    Ok(())
}

/// Why the keys in a file are not those of one account that does not end; the end of a sentence.
fn unusable(text: &str) -> Option<&'static str> {
    let names = text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let names: Vec<&str> = names.collect();
    if names.contains(&"aws_session_token") {
        return Some(
            "has an aws_session_token, whose keys end within hours; use the keys of an account of \
             its own",
        );
    }
    let pairs = names.iter().filter(|name| **name == "aws_access_key_id").count();
    (pairs > 1).then_some("has more than one aws_access_key_id; leave one pair of keys in it")
}

/// The keys in a file as the tools of AWS have it.
fn keys_in(text: &str) -> Option<Keys> {
    let (mut id, mut secret) = (None, None);
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let is_sound = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
        match name.trim() {
            "aws_access_key_id" if is_sound => id = Some(value.to_owned()),
            "aws_secret_access_key" if is_sound => secret = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(Keys { id: id?, secret: secret? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_the_tools_of_aws_write_them() {
        let keys = keys_in("[default]\naws_access_key_id = A\naws_secret_access_key=b/c=\n");
        let keys = keys.expect("keys");
        assert_eq!((keys.id.as_str(), keys.secret.as_str()), ("A", "b/c="));
        for text in ["", "aws_access_key_id = A\n", "aws_access_key_id =\naws_secret_access_key=b"]
        {
            assert!(keys_in(text).is_none(), "{text}");
        }
    }

    #[test]
    fn keys_that_end_and_a_second_pair_are_refused() {
        let pair = "aws_access_key_id = A\naws_secret_access_key = b\n";
        assert_eq!(unusable(pair), None);
        let with_token = format!("{pair}aws_session_token = c\n");
        assert!(unusable(&with_token).is_some_and(|why| why.contains("aws_session_token")));
        let twice = format!("[one]\n{pair}[two]\n{pair}");
        assert!(unusable(&twice).is_some_and(|why| why.contains("more than one")));
    }
}
