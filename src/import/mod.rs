//! Moving in: the plain dump of another installation becomes a database, and two servers are asked
//! with the same keys.

mod asked;
pub(crate) mod compare;
mod data;
mod dump;
mod key;
mod lines;
mod meetings;
mod people;
mod reading;
mod row;
pub(crate) mod run;
mod segments;
mod statements;
mod tables;
pub(crate) mod zone;
