//! A trickle of requests from a hundred clients, some of whom ask much more than others.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::upstream::{scatter, unit};

/// As many clients, on addresses of their own: on Linux all of 127.0.0.0/8 is this machine. So many that a tenth of
/// them, which a rollout gives to its candidate first, are some.
const CLIENTS: u8 = 120;
/// How many requests a client may have before it.
const QUEUE: usize = 64;

/// Where and how much.
#[derive(Clone, Debug)]
pub struct Traffic {
    pub gateway: SocketAddr,
    pub requests_per_second: Arc<AtomicU32>,
    /// What is asked for; the first most often.
    pub paths: Vec<String>,
}

/// Sends, forever; nothing while the rate is 0.
pub async fn run(traffic: Traffic) {
    if traffic.paths.is_empty() {
        return;
    }
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|number| {
            let (sender, paths) = mpsc::channel(QUEUE);
            tokio::spawn(client(number, traffic.gateway, paths));
            sender
        })
        .collect();
    // Shares of the clients by Zipf's law: the second asks half as often as the first, and so on.
    let weights: Vec<f64> = (1..=CLIENTS).map(|rank| 1.0 / f64::from(rank)).collect();
    let all: f64 = weights.iter().sum();
    let mut number = 0;
    loop {
        let rate = traffic.requests_per_second.load(Ordering::Relaxed);
        if rate == 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        number = scatter(number);
        // Exponential pauses: arrivals are random, as people's are. Bounded, to notice a change of rate.
        let pause = (-(1.0 - unit(scatter(number))).ln() / f64::from(rate)).min(1.0);
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        let mut place = unit(number) * all;
        let chosen = weights.iter().position(|weight| {
            place -= weight;
            place <= 0.0
        });
        let path = match scatter(number ^ 1) % 5 {
            0 => traffic.paths.last(),
            _ => traffic.paths.first(),
        };
        if let (Some(client), Some(path)) = (clients.get(chosen.unwrap_or(0)), path) {
            // A client that waits for slow answers asks less.
            let _ = client.try_send(format!("{path}?q={}", number % 1_000));
        }
    }
}

async fn client(number: u8, gateway: SocketAddr, mut paths: mpsc::Receiver<String>) {
    let mut connection: Option<SendRequest<Empty<Bytes>>> = None;
    while let Some(path) = paths.recv().await {
        let sender = match connection.take().filter(SendRequest::is_ready) {
            Some(sender) => Ok(sender),
            None => connect(number, gateway).await,
        };
        if let Ok(mut sender) = sender {
            let request = Request::get(path).header(header::HOST, "sample").body(Empty::new());
            if let Ok(request) = request
                && let Ok(response) = sender.send_request(request).await
                && response.into_body().collect().await.is_ok()
                && sender.ready().await.is_ok()
            {
                connection = Some(sender);
            }
        }
    }
}

async fn connect(number: u8, gateway: SocketAddr) -> std::io::Result<SendRequest<Empty<Bytes>>> {
    let stream = match from_own_address(number, gateway).await {
        Ok(stream) => stream,
        // Elsewhere 127.0.0.1 may be the only address: then all are one client.
        Err(_) => TcpStream::connect(gateway).await?,
    };
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn from_own_address(number: u8, gateway: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, number)), 0))?;
    socket.connect(gateway).await
}
