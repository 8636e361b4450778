//! The console's connections: as axum serves them, but none may wait for ever. Whoever has opened one and says nothing,
//! or half of something, holds a descriptor and memory of the program that is the gateway too.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

/// The head of a request has to be here so soon after the connection or the answer before it.
const HEAD_WITHIN: Duration = Duration::from_secs(60);
/// Between two parts of a body at most so much time passes.
const BODY_WITHIN: Duration = Duration::from_secs(20);
/// Where the system has no more connections to give, it is asked again so much later.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Serves until the program leaves, and then until all requests are answered.
pub async fn serve(app: Router, listener: TcpListener, mut stopping: watch::Receiver<bool>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_WITHIN);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(&builder, app.clone(), stream, peer);
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    // What a peer does to its own connection is nobody else's business.
                    let _ = connection.await;
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn connection(
    builder: &Builder<TokioExecutor>,
    app: Router,
    stream: TcpStream,
    peer: SocketAddr,
) -> impl hyper_util::server::graceful::GracefulConnection<Error: Send> + Send + 'static {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| Body::new(TimeoutBody::new(BODY_WITHIN, body)));
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request)
    });
    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned()
}
