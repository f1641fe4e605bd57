//! A socket under TLS, from which only so much is read before some of a request comes of it.
//!
//! Messages of a handshake may be 64 KiB long and are gathered until they are whole, before and
//! after the handshake itself (RFC 8446, section 4). Thousands of connections that never end theirs
//! would take hundreds of MiB.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Most bytes that are read without any of a request coming of them: a whole handshake and a whole
/// record have room in it.
const READ_BYTES_MAX: usize = 24 * 1024;

/// A socket, and how much more may be read from it.
pub struct BoundedStream {
    stream: TcpStream,
    left: usize,
}

impl BoundedStream {
    /// Of a new connection.
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, left: READ_BYTES_MAX }
    }

    /// Some of a request has come: as much again may be read.
    pub fn request_came(&mut self) {
        self.left = READ_BYTES_MAX;
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            let error = io::Error::other("too many bytes of TLS without a request");
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let count = buffer.filled().len() - before;
        self.left = self.left.saturating_sub(count);
        read
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
