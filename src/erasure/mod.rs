//! Every deletion: a user, a transcript, what is older than its retention. What is deleted leaves the files as well.

mod deletion;
mod retention;
mod scrubber;

pub use deletion::Erasure;
