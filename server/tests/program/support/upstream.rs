use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Of documents that say another one each time, on whichever upstream.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// What an upstream does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with the body it was sent, or its name.
    Echo,
    Status(u16),
    /// Answers once, and closes the connection without saying so beforehand.
    AnswerAndClose,
    /// Reads and says nothing.
    Stall,
    /// Resets the connection when asked.
    Reset,
    /// Sends half of the body that it announced, and resets.
    BreakOff,
    /// Sends half of the body that it announced, and then nothing.
    StallInBody,
    /// Says something that is not HTTP.
    Rubbish,
    /// Answers each request of a connection with the next of these; reads one more, and closes.
    Script(&'static [&'static [u8]]),
    /// As [`Behaviour::Echo`], with these headers.
    Saying(&'static [(&'static str, &'static str)]),
    /// Answers with this as JSON, in which `#` is another number each time and `@` its name.
    Json(&'static str),
    /// Announces so many bytes and sends half of them; the other half when answers do not wait.
    Halves(usize),
    /// The same without announcing how many.
    HalvesInChunks(usize),
    /// Begins to answer at once, and sends every part of the request's body back as it comes.
    Parrot,
}

/// What it was asked last.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A real server on loopback.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    name: String,
    behaviour: Mutex<Behaviour>,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    connections: AtomicUsize,
    last: Mutex<Option<Asked>>,
    /// As what copies each was asked.
    copies: Mutex<Vec<String>>,
    hung_up: tokio::sync::Notify,
    /// Whether answers wait.
    held: tokio::sync::watch::Sender<bool>,
    /// Of those that wait, so many may go.
    let_go: tokio::sync::Semaphore,
}

impl State {
    /// Waits for as long as answers are to wait.
    async fn wait(&self) {
        let mut held = self.held.subscribe();
        tokio::select! {
            _ = held.wait_for(|held| !held) => {}
            one = self.let_go.acquire() => one.unwrap().forget(),
        }
    }
}

impl Upstream {
    pub async fn start(name: &str, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            name: name.to_owned(),
            behaviour: Mutex::new(behaviour),
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            last: Mutex::new(None),
            copies: Mutex::default(),
            hung_up: tokio::sync::Notify::new(),
            held: tokio::sync::watch::channel(false).0,
            let_go: tokio::sync::Semaphore::new(0),
        });
        let upstream = Self { address, state: Arc::clone(&state) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                state.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(Arc::clone(&state), stream));
            }
        });
        upstream
    }

    /// The table of a configuration that names it.
    pub fn table(&self, name: &str, more: &str) -> String {
        format!("[upstreams.{name}]\ntargets = [\"http://{}\"]\n{more}\n", self.address)
    }

    pub fn behave(&self, behaviour: Behaviour) {
        *self.state.behaviour.lock().unwrap() = behaviour;
    }

    /// Lets answers wait, from the next one on.
    pub fn hold(&self) {
        self.state.held.send_replace(true);
    }

    /// Lets them go.
    pub fn release(&self) {
        self.state.held.send_replace(false);
    }

    /// Lets one of them go.
    pub fn release_one(&self) {
        self.state.let_go.add_permits(1);
    }

    /// How many requests it has not answered yet.
    pub fn at_once(&self) -> usize {
        self.state.at_once.load(Ordering::SeqCst)
    }

    /// Closes the connections of its script.
    pub fn hang_up(&self) {
        self.state.hung_up.notify_waiters();
        self.state.hung_up.notify_one();
    }

    /// How many requests it has received.
    pub fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many of them were copies that somebody marked so.
    pub fn copies(&self, mark: &str) -> usize {
        self.state.copies.lock().unwrap().iter().filter(|copy| *copy == mark).count()
    }

    pub fn last(&self) -> Asked {
        self.state.last.lock().unwrap().clone().expect("it was asked")
    }
}

async fn serve(state: Arc<State>, stream: TcpStream) {
    let behaviour = *state.behaviour.lock().unwrap();
    let is_plain = matches!(behaviour, Behaviour::Echo | Behaviour::Status(_) | Behaviour::Saying(_));
    if is_plain || matches!(behaviour, Behaviour::Json(_)) {
        let service = service_fn(|request| answer(Arc::clone(&state), request));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    } else if behaviour == Behaviour::Parrot {
        let service = service_fn(|request: Request<Incoming>| {
            state.asked.fetch_add(1, Ordering::SeqCst);
            async move { Ok::<_, Infallible>(Response::new(request.into_body())) }
        });
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    } else if let Behaviour::Halves(bytes) | Behaviour::HalvesInChunks(bytes) = behaviour {
        let _ = send_halves(&state, bytes, behaviour == Behaviour::Halves(bytes), stream).await;
    } else if let Behaviour::Script(script) = behaviour {
        let _ = recite(&state, script, stream).await;
    } else {
        let _ = misbehave(&state, behaviour, stream).await;
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    state.asked.fetch_add(1, Ordering::SeqCst);
    if let Some(mark) = head.headers.get("x-rad-shadow") {
        state.copies.lock().unwrap().push(mark.to_str().unwrap().to_owned());
    }
    state.at_once.fetch_add(1, Ordering::SeqCst);
    state.wait().await;
    state.at_once.fetch_sub(1, Ordering::SeqCst);
    let behaviour = *state.behaviour.lock().unwrap();
    let answer = match behaviour {
        Behaviour::Json(text) => {
            let number = NUMBER.fetch_add(1, Ordering::SeqCst);
            Bytes::from(text.replace('#', &number.to_string()).replace('@', &state.name))
        }
        _ if body.is_empty() => Bytes::from(state.name.clone()),
        _ => body.clone(),
    };
    *state.last.lock().unwrap() =
        Some(Asked { method: head.method, path: head.uri.to_string(), headers: head.headers, body });
    let status = if let Behaviour::Status(status) = behaviour { status } else { 200 };
    let mut response = Response::builder().status(status).header("x-served-by", &state.name);
    if matches!(behaviour, Behaviour::Json(_)) {
        response = response.header("content-type", "application/json");
    }
    if let Behaviour::Saying(headers) = behaviour {
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
    }
    Ok(response.header("connection", "x-private").header("x-private", "1").body(Full::from(answer)).unwrap())
}

/// Answers the requests of a connection, each in two halves.
async fn send_halves(
    state: &State,
    bytes: usize,
    is_announced: bool,
    mut stream: TcpStream,
) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    while stream.read(&mut request).await? > 0 {
        state.asked.fetch_add(1, Ordering::SeqCst);
        let body: Vec<u8> = (0..bytes).map(|at| (at % 251).to_le_bytes()[0]).collect();
        let (first, second) = body.split_at(bytes / 2);
        let head = if is_announced {
            format!("content-length: {bytes}")
        } else {
            "transfer-encoding: chunked".to_owned()
        };
        let frame = |part: &[u8]| match is_announced {
            true => part.to_vec(),
            false => [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat(),
        };
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()).await?;
        stream.write_all(&frame(first)).await?;
        state.wait().await;
        stream.write_all(&frame(second)).await?;
        if !is_announced {
            stream.write_all(b"0\r\n\r\n").await?;
        }
    }
    Ok(())
}

async fn recite(state: &State, script: &[&[u8]], mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 4_096];
    for answer in script {
        if stream.read(&mut request).await? == 0 {
            return Ok(());
        }
        state.asked.fetch_add(1, Ordering::SeqCst);
        stream.write_all(answer).await?;
    }
    tokio::select! {
        read = stream.read(&mut request) => {
            if read? > 0 {
                state.asked.fetch_add(1, Ordering::SeqCst);
            }
        }
        () = state.hung_up.notified() => {}
    }
    Ok(())
}

async fn misbehave(state: &State, behaviour: Behaviour, mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = [0; 4_096];
    if stream.read(&mut head).await? == 0 {
        return Ok(());
    }
    state.asked.fetch_add(1, Ordering::SeqCst);
    match behaviour {
        Behaviour::AnswerAndClose => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?
        }
        Behaviour::BreakOff | Behaviour::StallInBody => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf").await?;
        }
        Behaviour::Rubbish => stream.write_all(b"220 mail.example ESMTP\r\n").await?,
        _ => {}
    }
    if matches!(behaviour, Behaviour::Stall | Behaviour::StallInBody) {
        // Until the gateway gives up and closes.
        let _ = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut head)).await;
    } else if behaviour == Behaviour::BreakOff || behaviour == Behaviour::Reset {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}
