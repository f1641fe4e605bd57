//! Backups that the server makes: by the schedule and when asked, one at a time; what lies in their
//! folder, and how old the last good one is.

pub(crate) mod folder;
pub(crate) mod schedule;
mod tests;

pub(crate) use folder::{KeepRule, ListedBackup, list, make as make_folder, prune};
pub(crate) use schedule::{Asked, BackupFailure, Backups, Made};
