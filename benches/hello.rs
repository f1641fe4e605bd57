//! A bare hyper server that says hello: what HTTP alone costs, for `benches/run.py` to hold ours
//! against.
//!
//! `hello WORKERS` serves on a free port of the loopback address and prints it. The runtime, the
//! socket and the backlog are ours (`src/cli/serve.rs`, `src/http/serve.rs`); limits, log and
//! headers are not there.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;

const BACKLOG: u32 = 4096;

fn main() -> io::Result<()> {
    let workers = std::env::args().nth(1).and_then(|workers| workers.parse().ok()).unwrap_or(1);
    Builder::new_multi_thread().worker_threads(workers).enable_all().build()?.block_on(serve())
}

async fn serve() -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    let listener = socket.listen(BACKLOG)?;
    println!("hello listens on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(converse(stream));
    }
}

async fn converse(stream: TcpStream) {
    if stream.set_nodelay(true).is_ok() {
        let conversation =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(greet));
        // A client that hangs up in the middle of a request is no concern of ours.
        let _ = conversation.await;
    }
}

async fn greet(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}
