//! An object that is written: at once, or in parts where it is large. It is there once it is
//! complete, and not before.

use crate::s3::answer::text;
use crate::s3::bucket::{Body, Bucket, Call, Failed, Unfinished, plain, whole};
use crate::s3::sign::hex;
use bytes::Bytes;
use hyper::{Method, header};
use ring::digest::{Context, SHA256};
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};

/// How many bytes a part has, and most bytes of an object that is written at once. So much is held in
/// memory.
const PART_BYTES: u64 = 16 * 1024 * 1024;
/// Most parts of an object, of which a larger one has larger parts.
const PARTS_MAX: u64 = 10_000;

/// A file that becomes an object.
pub(crate) struct Content<'a> {
    /// The file, read from where it stands.
    pub file: &'a File,
    /// How many bytes of it.
    pub bytes: u64,
    /// The SHA-256 that they must have, in hexadecimal, where it is known.
    pub sha256: Option<&'a str>,
}

impl Bucket {
    /// Writes an object. The size is looked at afterwards. Bytes that have not their SHA-256 do not
    /// become an object.
    pub(crate) async fn put(&self, object: &str, content: &Content<'_>) -> Result<(), Failed> {
        let bytes = content.bytes;
        if bytes > PART_BYTES {
            self.put_in_parts(object, content).await?;
        } else {
            let mut reader = Reader::of(content)?;
            let body = reader.next(bytes).await?;
            reader.end(content)?;
            let call = Call { body, ..Call::on(Method::PUT, object) };
            self.call(&call).await?;
        }
        let found = self.size_of(object).await?;
        match found == bytes {
            true => Ok(()),
            false => Err(Failed::Passing(format!("it has {found} of {bytes} bytes afterwards"))),
        }
    }

    /// Removes the parts of an object that is not finished, and will not be: else the store keeps
    /// them, where nobody sees them.
    pub(crate) async fn abort_unfinished(&self) {
        let Some(Unfinished { object, id }) = self.with_unfinished(Option::take) else { return };
        let query = [("uploadId", id.as_str())];
        let abort = Call { query: &query, ..Call::on(Method::DELETE, &object) };
        match self.call(&abort).await {
            Ok(_) | Err(Failed::Gone(_)) => {}
            Err(failed) => {
                log::warn!("the parts of {object} that were uploaded may stay: {failed}");
            }
        }
    }

    async fn put_in_parts(&self, object: &str, content: &Content<'_>) -> Result<(), Failed> {
        let begin = Call { query: &[("uploads", "")], ..Call::on(Method::POST, object) };
        let xml = whole(self.call(&begin).await?).await?;
        let Some(id) = text(&xml, "UploadId") else {
            return Err(Failed::Refused("it does not answer as S3 does".to_owned()));
        };
        let unfinished = Unfinished { object: object.to_owned(), id: id.clone() };
        self.with_unfinished(|known| *known = Some(unfinished));
        let put = self.put_parts(object, content, &id).await;
        match put {
            Ok(()) => self.with_unfinished(|known| *known = None),
            Err(_) => self.abort_unfinished().await,
        }
        put
    }

    async fn put_parts(&self, object: &str, content: &Content<'_>, id: &str) -> Result<(), Failed> {
        let bytes = content.bytes;
        let mut reader = Reader::of(content)?;
        let part_bytes = PART_BYTES.max(bytes.div_ceil(PARTS_MAX));
        let mut parts = String::new();
        for number in 1..=bytes.div_ceil(part_bytes) {
            let left = bytes - (number - 1) * part_bytes;
            let body = reader.next(part_bytes.min(left)).await?;
            let number = number.to_string();
            let query = [("partNumber", number.as_str()), ("uploadId", id)];
            let put = Call { query: &query, body, ..Call::on(Method::PUT, object) };
            let response = self.call(&put).await?;
            let tag = response.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
            let tag = tag.unwrap_or_default();
            // Writing to a string does not fail.
            let _ =
                write!(parts, "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
        }
        reader.end(content)?;
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let query = [("uploadId", id)];
        let body = Body::of(Bytes::from(body));
        let complete = Call { query: &query, body, ..Call::on(Method::POST, object) };
        let xml = whole(self.call(&complete).await?).await?;
        // It may fail after its status was sent.
        match text(&xml, "Code").map(|code| plain(&code)) {
            Some(code) => {
                Err(Failed::Passing(format!("it could not complete the object ({code})")))
            }
            None => Ok(()),
        }
    }
}

/// Reads a file part by part, and sums up what it reads.
struct Reader {
    file: File,
    context: Context,
}

impl Reader {
    fn of(content: &Content<'_>) -> Result<Self, Failed> {
        let file = content.file.try_clone().map_err(|error| unreadable(&error))?;
        Ok(Self { file, context: Context::new(&SHA256) })
    }

    /// The next bytes. Reading and hashing them would hold up a thread that serves requests.
    async fn next(&mut self, bytes: u64) -> Result<Body, Failed> {
        let mut file = self.file.try_clone().map_err(|error| unreadable(&error))?;
        let mut context = self.context.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut part = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
            file.read_exact(&mut part)?;
            context.update(&part);
            Ok((Body::of(Bytes::from(part)), context))
        });
        let read = read.await.unwrap_or_else(|panic| Err(io::Error::other(panic.to_string())));
        let (body, context) = read.map_err(|error| unreadable(&error))?;
        self.context = context;
        Ok(body)
    }

    /// Fails where the bytes that were read are not those that are meant.
    fn end(self, content: &Content<'_>) -> Result<(), Failed> {
        let found = hex(self.context.finish().as_ref());
        match content.sha256.is_none_or(|wanted| wanted == found) {
            true => Ok(()),
            false => Err(Failed::Refused(
                "nothing is uploaded, because the backup has not the SHA-256 that it had when it \
                 was written; look at the disk of the folder, and make another"
                    .to_owned(),
            )),
        }
    }
}

fn unreadable(error: &io::Error) -> Failed {
    Failed::Passing(format!("nothing is sent, because the backup cannot be read ({error})"))
}
