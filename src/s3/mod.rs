//! A store of objects that speaks the protocol of S3: requests signed with AWS Signature Version 4,
//! over the one HTTP client. Buckets are named in the path, which every such store takes.
//!
//! The signature takes thirty lines with what is linked already, and the few calls that backups need
//! are below; a client such as `object_store` would bring another HTTP client and its TLS.

mod answer;
mod bucket;
mod connect;
mod sign;
mod upload;

pub(crate) use bucket::{Bucket, Failed, Place};
pub(crate) use sign::Keys;
pub(crate) use upload::Content;
