//! Restoring a backup in the place of a database: a copy of it is prepared beside the database, what
//! is newer there is applied to the copy again, and then the copy takes the place.

mod again;
mod copy;
mod files;
mod gaps;
pub(crate) mod leftovers;
pub(crate) mod prepare;
pub(in crate::store) mod source;
mod survey;
pub(in crate::store) mod swap;
pub(crate) mod wanted;
