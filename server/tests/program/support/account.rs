use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::{Answer, Program};

pub const ADMIN: &str = "ops";
pub const PASSWORD: &str = "correct horse battery";

/// A console with a login, whose administrator and password are the two above.
pub fn with_login(more: &str) -> Program {
    let auth =
        format!("[console.auth]\nadministrator = \"{ADMIN}\"\npassword = \"env:RAD_SECRET_CONSOLE\"\n{more}");
    Program::with_environment(&auth, &[("RAD_SECRET_CONSOLE", PASSWORD)])
}

/// A browser: it keeps one cookie and says where its requests come from.
#[derive(Clone, Debug)]
pub struct Browser {
    pub console: SocketAddr,
    /// `name=value`; empty if there is none.
    pub cookie: String,
    pub origin: Option<String>,
    pub bearer: String,
    pub from: IpAddr,
}

impl Browser {
    pub fn new(program: &Program) -> Self {
        Self {
            console: program.console,
            cookie: String::new(),
            origin: Some(format!("http://{}", program.console)),
            bearer: String::new(),
            from: [127, 0, 0, 1].into(),
        }
    }

    /// One whose user is logged in.
    pub async fn logged_in(program: &Program, account: &str, password: &str) -> Self {
        let mut browser = Self::new(program);
        let answer = browser.log_in(account, password).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        browser
    }

    /// A program with a token.
    pub fn with_token(program: &Program, token: &str) -> Self {
        Self { bearer: token.to_owned(), origin: None, ..Self::new(program) }
    }

    /// At another address of this machine.
    pub fn at(self, last: u8) -> Self {
        Self { from: [127, 0, 0, last].into(), ..self }
    }

    pub async fn log_in(&mut self, account: &str, password: &str) -> Answer {
        let answer =
            self.send("POST", "/api/session", json!({"account": account, "password": password})).await;
        self.keep(&answer);
        answer
    }

    /// Keeps the cookie of an answer, as browsers do.
    pub fn keep(&mut self, answer: &Answer) {
        if let Some(cookie) = answer.headers.get("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = if pair.ends_with('=') { String::new() } else { pair.to_owned() };
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], Bytes::new()).await
    }

    /// Sends JSON.
    pub async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let kind = [("content-type", "application/json")];
        self.request(method, path, &kind, body.to_string().into()).await
    }

    /// Sends a form.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.request("POST", path, &[("content-type", "application/x-www-form-urlencoded")], body.into())
            .await
    }

    pub async fn request(&self, method: &str, path: &str, more: &[(&str, &str)], body: Bytes) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("host", self.console.to_string().parse().unwrap());
        if !self.cookie.is_empty() {
            headers.insert("cookie", self.cookie.parse().unwrap());
        }
        if let Some(origin) = self.origin.as_ref().filter(|_| method != "GET" && method != "HEAD") {
            headers.insert("origin", origin.parse().unwrap());
        }
        if !self.bearer.is_empty() {
            headers.insert("authorization", format!("Bearer {}", self.bearer).parse().unwrap());
        }
        for (name, value) in more {
            headers.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = path.parse().unwrap();
        *request.headers_mut() = headers;
        self.carry(request).await
    }

    async fn carry(&self, request: Request<Full<Bytes>>) -> Answer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(self.from, 0)).unwrap();
        let stream = socket.connect(self.console).await.expect("a connection");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Makes an account with a role and logs it in, its first password changed.
    pub async fn colleague(&self, program: &Program, name: &str, role: &str) -> Self {
        let made = self.send("POST", "/api/accounts", json!({"name": name, "role": role})).await;
        assert_eq!(made.status, 201, "{made:?}");
        let first = made.json()["password"].as_str().unwrap().to_owned();
        let mut browser = Self::logged_in(program, name, &first).await;
        let body = json!({"current": first, "new": PASSWORD});
        let changed = browser.send("POST", "/api/session/password", body).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        browser.keep(&changed);
        browser
    }

    /// Makes a token; its secret.
    pub async fn token(&self, name: &str, scopes: &[&str]) -> String {
        let made = self.send("POST", "/api/tokens", json!({"name": name, "scopes": scopes})).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["token"].as_str().unwrap().to_owned()
    }
}
