//! Backups: a copy of the database as of one moment, verified before it gets its name.

pub(crate) mod checksum;
pub(crate) mod copy;
pub(crate) mod encrypted;
pub(crate) mod header;
pub(crate) mod name;
pub(crate) mod note;
pub(crate) mod partial;
mod room;
pub(super) mod still;
pub(crate) mod target;
pub(crate) mod verify;
