//! Sockets and connections.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::Worker;
use super::connections::{Activity, Busy};
use crate::gateway::body::{BodyError, RequestBody, ResponseBody};
use crate::gateway::client::Peer;
use crate::gateway::pipeline::handle;

const BACKLOG: i32 = 4_096;

/// One socket a worker on the same address; the kernel spreads connections over them.
pub(super) fn listeners(listen: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    // Sockets that share an address would share it with a second instance of the program too, and each
    // would get half of the traffic: only one that is free is taken.
    let probe = std::net::TcpListener::bind(listen)?;
    let address = probe.local_addr()?;
    drop(probe);
    (0..workers)
        .map(|_| {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            #[cfg(unix)]
            socket.set_reuse_port(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        })
        .collect()
}

/// Accepts connections, forever.
pub(super) async fn accept(worker: &Rc<Worker>, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::task::spawn_local(serve(Rc::clone(worker), stream, peer.ip()));
            }
            // Out of file descriptors: some will be free again in a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Runs the futures of HTTP/2 streams on this thread.
#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}

/// A client's side of a connection; notes when the client takes what it is sent.
struct Wire {
    io: TokioIo<TcpStream>,
    activity: Rc<Activity>,
}

impl Wire {
    fn noted(&self, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.wrote(wrote.is_ready());
        wrote
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, from);
        self.noted(wrote)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write_vectored(cx, from);
        self.noted(wrote)
    }
}

/// An answer's body, until whose end its connection is busy.
struct Answering {
    body: ResponseBody,
    busy: Busy,
}

impl Body for Answering {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let part = Pin::new(&mut self.body).poll_frame(cx);
        self.busy.handed(part.is_ready());
        part
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn serve(worker: Rc<Worker>, stream: TcpStream, address: IpAddr) {
    let _ = stream.set_nodelay(true);
    let peer = Rc::new(Peer::new(address, &worker.plan.trusted_proxies));
    let place = worker.connections.enter();
    let activity = Rc::clone(&place.activity);
    let service = {
        let (worker, activity) = (Rc::clone(&worker), Rc::clone(&activity));
        service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (worker, peer, busy) =
                (Rc::clone(&worker), Rc::clone(&peer), activity.begin(request.version() == Version::HTTP_2));
            async move {
                let response = handle(worker, peer, request.map(RequestBody::Incoming)).await;
                Ok::<_, Infallible>(response.map(|body| Answering { body, busy }))
            }
        })
    };
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http2().timer(TokioTimer::new());
    let wire = Wire { io: TokioIo::new(stream), activity: Rc::clone(&activity) };
    let mut connection = pin!(builder.serve_connection(wire, service));
    let mut is_told = false;
    // How a connection ends is its peer's business; what happened to its requests is counted elsewhere.
    let _ = poll_fn(|cx| {
        place.remember(cx.waker());
        if activity.is_told() && !is_told {
            is_told = true;
            connection.as_mut().graceful_shutdown();
        }
        if activity.is_closing() { Poll::Ready(Ok(())) } else { connection.as_mut().poll(cx) }
    })
    .await;
}
