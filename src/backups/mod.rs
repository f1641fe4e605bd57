//! Backups that the server makes: by the schedule and when asked, one at a time; what lies in their
//! folder, how old the last good one is, and their upload.

pub(crate) mod folder;
pub(crate) mod made;
pub(crate) mod schedule;
mod tests;
pub(crate) mod uploads;

pub(crate) use folder::{KeepRule, ListedBackup, list, make as make_folder, prune};
pub(crate) use made::{Asked, BackupFailure, Made};
pub(crate) use schedule::Backups;
pub(crate) use uploads::{Stored, Uploaded, Uploads};
