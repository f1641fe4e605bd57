//! Every deletion: a user, a transcript, what is older than its retention. Deleted content is
//! scrubbed from the database file and its WAL as well.

mod deletion;
mod retention;
mod scrubber;
mod sweep_time;

pub(crate) use deletion::Erasure;
