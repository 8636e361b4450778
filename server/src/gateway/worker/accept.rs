//! Sockets and connections.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::Worker;
use crate::gateway::body::RequestBody;
use crate::gateway::client::Peer;
use crate::gateway::pipeline::handle;

const BACKLOG: i32 = 4_096;
/// The head of a request must be here after this long.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

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

async fn serve(worker: Rc<Worker>, stream: TcpStream, address: IpAddr) {
    let _ = stream.set_nodelay(true);
    let peer = Rc::new(Peer::new(address, &worker.plan.trusted_proxies));
    let place = worker.connections.enter();
    let service = {
        let worker = Rc::clone(&worker);
        service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let (worker, peer) = (Rc::clone(&worker), Rc::clone(&peer));
            async move { Ok::<_, Infallible>(handle(worker, peer, request.map(RequestBody::Incoming)).await) }
        })
    };
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    builder.http2().timer(TokioTimer::new());
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut is_told = false;
    // How a connection ends is its peer's business; what happened to its requests is counted elsewhere.
    let _ = poll_fn(|cx| {
        place.remember(cx.waker());
        if worker.is_draining.get() && !is_told {
            is_told = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
}
