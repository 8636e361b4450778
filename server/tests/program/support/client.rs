use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    pub fn number(&self, name: &str) -> u64 {
        self.header(name).parse().unwrap()
    }
}

/// Sends a request on a connection of its own; an error if the answer breaks off.
pub async fn send(to: SocketAddr, mut request: Request<Full<Bytes>>) -> Result<Answer, hyper::Error> {
    request.headers_mut().entry("host").or_insert(HeaderValue::from_static("gateway.example"));
    let stream = TcpStream::connect(to).await.expect("a connection");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// A connection that stays for many requests, one after the other.
pub struct KeptAlive {
    sender: http1::SendRequest<Full<Bytes>>,
    to: SocketAddr,
}

impl KeptAlive {
    pub async fn open(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("a connection");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        Self { sender, to }
    }

    pub async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(path).header("host", self.to.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await.expect("it is still open");
        let request = request.body(Full::default()).unwrap();
        let (head, body) = self.sender.send_request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("the whole body").to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }
}

pub async fn get(to: SocketAddr, path: &str) -> Answer {
    get_with(to, path, &[]).await
}

pub async fn get_with(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path).header("host", to.to_string());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(to, request.body(Full::default()).unwrap()).await.expect("an answer")
}

pub async fn post_json(to: SocketAddr, path: &str, body: &str) -> Answer {
    let request =
        Request::post(path).header("host", to.to_string()).header("content-type", "application/json");
    send(to, request.body(Full::from(body.to_owned())).unwrap()).await.expect("an answer")
}

pub async fn put_json(to: SocketAddr, path: &str, body: &str) -> Answer {
    let request =
        Request::put(path).header("host", to.to_string()).header("content-type", "application/json");
    send(to, request.body(Full::from(body.to_owned())).unwrap()).await.expect("an answer")
}

pub async fn delete(to: SocketAddr, path: &str) -> Answer {
    let request = Request::delete(path).header("host", to.to_string());
    send(to, request.body(Full::default()).unwrap()).await.expect("an answer")
}
