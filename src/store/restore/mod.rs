//! Restoring a backup in the place of a database: a copy of it is prepared beside the database, what
//! is newer there is applied to the copy again, and then the copy takes the place.

mod again;
mod copy;
mod files;
mod gaps;
pub(crate) mod leftovers;
pub(crate) mod prepare;
mod source;
mod survey;
mod swap;
pub(crate) mod wanted;
