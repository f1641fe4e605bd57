//! Importing the users, keys and meetings of another installation: what its dump says is kept in
//! scratch tables, becomes rows of a new database beside the present one, which is held against what
//! the dump said, and takes the place of the present one.

pub(crate) mod check;
mod expected;
pub(crate) mod meetings;
mod people;
pub(crate) mod scratch;
mod segments;
mod sums;
mod tables;
mod tests;
pub(crate) mod work;
