//! The live connection: `/ws`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use rad_model::frame::SUBPROTOCOL;
use rad_model::metrics::WebSocketMetrics;
use rad_model::{ClientMessage, Frame, Hello, close};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tungstenite::error::ProtocolError;

use super::Console;
use super::auth::{Access, Alive, Needs, Refusal, ended};
use super::error::ApiError;
use super::take::Asked;
use crate::telemetry::journal::{Journal, Position};

/// Clients have little to say.
const MAX_MESSAGE: usize = 8 << 10;
/// A client that does not take a frame for so long is given up.
const SEND_WITHIN: Duration = Duration::from_secs(10);
/// How long a client may take to answer a close.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
const MAX_REPORTED_DELAYS: usize = 100;
/// What the report says is added up: bounded, so that no client can spoil the sum. A day.
const MAX_REPORTED_MS: u64 = 86_400_000;

/// Where a client wants to go on.
#[derive(Debug, Deserialize)]
pub struct Resumption {
    epoch: Option<String>,
    seq: Option<String>,
}

impl Resumption {
    /// # Errors
    /// 400 if the number is none. An unknown epoch is no error: the client gets a snapshot.
    pub fn position(self) -> Result<Option<Position>, ApiError> {
        let Some(epoch) = self.epoch else { return Ok(None) };
        let seq = self.seq.as_deref().unwrap_or("0").parse();
        let seq =
            seq.map_err(|_| ApiError::bad_request("seq must be a whole number, as in ?epoch=E&seq=17"))?;
        Ok(Some(Position { epoch, seq }))
    }
}

/// What the connections went through.
#[derive(Debug, Default)]
pub struct SocketCounters {
    accepted: AtomicU64,
    attempts: AtomicU64,
    connected_ms_sum: AtomicU64,
    connected_ms_count: AtomicU64,
    delay_ms_sum: AtomicU64,
    delay_ms_count: AtomicU64,
    lagged: AtomicU64,
    malformed: AtomicU64,
}

impl SocketCounters {
    #[must_use]
    pub fn metrics(&self, journal: &Journal) -> WebSocketMetrics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WebSocketMetrics {
            connected: journal.listeners(),
            accepted: get(&self.accepted),
            attempts: get(&self.attempts),
            connected_ms_sum: get(&self.connected_ms_sum),
            connected_ms_count: get(&self.connected_ms_count),
            delay_ms_sum: get(&self.delay_ms_sum),
            delay_ms_count: get(&self.delay_ms_count),
            lagged: get(&self.lagged),
            malformed: get(&self.malformed),
        }
    }

    fn report(&self, attempts: u32, connected_ms: Option<u64>, delays_ms: &[u32]) {
        let add = |counter: &AtomicU64, value: u64| counter.fetch_add(value, Ordering::Relaxed);
        add(&self.attempts, u64::from(attempts.min(1_000_000)));
        if let Some(lived) = connected_ms {
            add(&self.connected_ms_sum, lived.min(MAX_REPORTED_MS));
            add(&self.connected_ms_count, 1);
        }
        for delay in delays_ms {
            add(&self.delay_ms_sum, u64::from(*delay).min(MAX_REPORTED_MS));
            add(&self.delay_ms_count, 1);
        }
    }
}

pub async fn upgrade(
    State(console): State<Arc<Console>>,
    Extension(access): Extension<Access>,
    Asked(from): Asked<Resumption>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::bad_request("/ws answers WebSocket clients only"))?;
    let from = from.position()?;
    let session = match access.may(Needs::Read, &Method::GET) {
        Ok(()) => console.follow(&access),
        // Refused before it begins, a browser could not tell its page why.
        Err(Refusal::Unknown) => None,
        Err(Refusal::Forbidden(detail)) => return Err(ApiError::new(StatusCode::FORBIDDEN, detail)),
    };
    Ok(upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAX_MESSAGE)
        // Or else one frame may fill the default of 16 MiB before its message is refused.
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| async move {
            match session {
                Some(session) => converse(&console, socket, from, session).await,
                None => part(&console, socket, SIGNED_OUT).await,
            }
        }))
}

/// What a conversation lasts no longer than.
enum Session {
    /// Nobody has to log in.
    Open,
    Of(Alive),
}

impl Session {
    async fn ended(&mut self) {
        match self {
            Self::Open => std::future::pending().await,
            Self::Of(alive) => ended(alive).await,
        }
    }
}

impl Console {
    /// None if the session has ended already.
    fn follow(&self, access: &Access) -> Option<Session> {
        match (access, &self.auth) {
            (Access::Open, _) => Some(Session::Open),
            (Access::Known(who), Some(auth)) => auth.follow(who).map(Session::Of),
            _ => None,
        }
    }
}

/// How a conversation ends from our side: a close code and a reason. Code 0: the client is gone already.
type Farewell = (u16, &'static str);
const GONE: Farewell = (0, "");
const SIGNED_OUT: Farewell = (close::SIGNED_OUT, "log in first");

async fn converse(console: &Console, mut socket: WebSocket, from: Option<Position>, mut session: Session) {
    console.sockets.accepted.fetch_add(1, Ordering::Relaxed);
    let mut stopping = console.stopping.clone();
    let (hello, mut frames) = console.journal.subscribe(from.as_ref());
    if !greet(&mut socket, hello).await {
        return;
    }
    let farewell = loop {
        tokio::select! {
            frame = frames.recv() => {
                let is_sent = match frame {
                    Ok(text) => send(&mut socket, Message::Text(text)).await,
                    // Too slow for every frame: one fresh snapshot instead of an ever longer queue.
                    Err(RecvError::Lagged(_)) => {
                        console.sockets.lagged.fetch_add(1, Ordering::Relaxed);
                        let (hello, fresh) = console.journal.subscribe(None);
                        frames = fresh;
                        greet(&mut socket, hello).await
                    }
                    Err(RecvError::Closed) => break (close::GOING_AWAY, "the server leaves"),
                };
                if !is_sent {
                    return;
                }
            }
            message = socket.recv() => match message {
                None => return,
                Some(message) => {
                    if let Err(farewell) = hear(console, message) {
                        if farewell != GONE {
                            console.sockets.malformed.fetch_add(1, Ordering::Relaxed);
                        }
                        break farewell;
                    }
                }
            },
            () = session.ended() => break SIGNED_OUT,
            () = stopped(&mut stopping) => {
                // The goodbye is among these.
                while let Ok(text) = frames.try_recv() {
                    if !send(&mut socket, Message::Text(text)).await {
                        return;
                    }
                }
                break (close::RESTART, "the server restarts");
            }
        }
    };
    drop((frames, session));
    part(console, socket, farewell).await;
}

/// Says goodbye.
async fn part(console: &Console, mut socket: WebSocket, (code, reason): Farewell) {
    let mut stopping = console.stopping.clone();
    if code != GONE.0
        && send(&mut socket, Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await
    {
        tokio::select! {
            () = let_it_arrive(&mut socket) => {}
            () = stopped(&mut stopping) => {}
        }
    }
}

/// Closing a connection while the client still sends resets it, and a reset overtakes the close code: wait
/// for the client's answer, or, where reading is over because of an error, for a moment.
async fn let_it_arrive(socket: &mut WebSocket) {
    let answered = async { while let Some(Ok(_)) = socket.recv().await {} };
    if tokio::time::timeout(CLOSE_WITHIN, answered).await.is_ok() {
        tokio::time::sleep(CLOSE_WITHIN / 4).await;
    }
}

async fn stopped(stopping: &mut tokio::sync::watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Takes in what a client says; else says goodbye (0: it is gone already).
fn hear(console: &Console, message: Result<Message, axum::Error>) -> Result<(), Farewell> {
    match message {
        Ok(Message::Text(text)) => match serde_json::from_str(&text) {
            Ok(ClientMessage::Report { attempts, connected_ms, delays_ms }) => {
                if delays_ms.len() > MAX_REPORTED_DELAYS {
                    return Err((close::INVALID, "a report holds at most 100 delays"));
                }
                console.sockets.report(attempts, connected_ms, &delays_ms);
                Ok(())
            }
            Err(_) => Err((close::INVALID, "not a message of rad.v1+json")),
        },
        Ok(Message::Binary(_)) => Err((close::UNSUPPORTED, "rad.v1+json is text")),
        Ok(Message::Ping(_) | Message::Pong(_)) => Ok(()),
        Ok(Message::Close(_)) => Err(GONE),
        Err(error) => Err(broken(error)),
    }
}

/// What a client is told whose bytes are no messages.
fn broken(error: axum::Error) -> Farewell {
    match error.into_inner().downcast().as_deref() {
        Ok(tungstenite::Error::Capacity(_)) => (close::TOO_BIG, "a message is at most 8 KiB"),
        Ok(tungstenite::Error::Utf8(_)) => (close::INVALID, "a text must be UTF-8"),
        Ok(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))
        | Ok(tungstenite::Error::Io(_)) => GONE,
        _ => (close::PROTOCOL_ERROR, "not WebSocket"),
    }
}

async fn greet(socket: &mut WebSocket, hello: Hello) -> bool {
    match serde_json::to_string(&Frame::Hello(Box::new(hello))) {
        Ok(text) => send(socket, Message::Text(text.into())).await,
        Err(_) => false,
    }
}

/// Whether the message went out.
async fn send(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(())))
}
