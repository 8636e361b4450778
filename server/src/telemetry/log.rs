//! Log lines: one JSON object each, written by one thread.
//!
//! A worker formats into a buffer of its own and hands it over when it is full or a moment old, so that a
//! request never waits for a slow terminal. When the writer cannot keep up, whole buffers are thrown away
//! and counted, because a gateway that stops for its log is worse than a gap in the log.

mod event;
mod json;
mod pretty;

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use crate::config::LogFormat;

/// How many buffers may wait for the writer.
const WAITING: usize = 256;

/// Tells the writer to stop.
const END: Vec<u8> = Vec::new();

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warn,
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A field's value.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    Text(&'a str),
    Display(&'a dyn std::fmt::Display),
    Count(u64),
    /// Milliseconds, shown to the microsecond.
    Micros(u64),
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => text.fmt(f),
            Self::Display(value) => value.fmt(f),
            Self::Count(count) | Self::Micros(count) => count.fmt(f),
        }
    }
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    pub level: Level,
    pub event: &'static str,
    pub fields: &'a [(&'static str, Value<'a>)],
}

/// Where lines go. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    format: LogFormat,
    writer: Option<SyncSender<Vec<u8>>>,
}

/// The thread that writes; joined at the end, so that the last lines are not lost.
#[derive(Debug)]
pub struct Writer {
    running: Option<(SyncSender<Vec<u8>>, JoinHandle<()>)>,
}

impl Log {
    /// A log to standard output, and its writer.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn to_stdout(format: LogFormat) -> std::io::Result<(Self, Writer)> {
        if format == LogFormat::Off {
            return Ok((Self::off(), Writer { running: None }));
        }
        let (sender, receiver) = sync_channel(WAITING);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&receiver))?;
        Ok((Self { format, writer: Some(sender.clone()) }, Writer { running: Some((sender, thread)) }))
    }

    /// A log that writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { format: LogFormat::Off, writer: None }
    }

    #[must_use]
    pub fn is_off(&self) -> bool {
        self.writer.is_none()
    }

    /// Formats a line into a buffer.
    pub fn format(&self, line: &Line<'_>, into: &mut Vec<u8>) {
        match self.format {
            LogFormat::Json => json::write(line, SystemTime::now(), into),
            LogFormat::Pretty => pretty::write(line, SystemTime::now(), into),
            LogFormat::Off => {}
        }
    }

    /// Writes a line at once: for what happens seldom.
    pub fn line(&self, line: &Line<'_>) {
        let mut buffer = Vec::with_capacity(256);
        self.format(line, &mut buffer);
        self.send(buffer);
    }

    /// Hands a buffer over; `false` if it had to be thrown away.
    pub fn send(&self, buffer: Vec<u8>) -> bool {
        let Some(writer) = self.writer.as_ref().filter(|_| !buffer.is_empty()) else { return true };
        !matches!(writer.try_send(buffer), Err(TrySendError::Full(_)))
    }
}

impl Writer {
    /// Waits until everything is written that was sent before.
    pub fn finish(self) {
        if let Some((sender, thread)) = self.running {
            let _ = sender.send(END);
            let _ = thread.join();
        }
    }
}

fn write(receiver: &Receiver<Vec<u8>>) {
    let mut out = std::io::stdout().lock();
    while let Ok(buffer) = receiver.recv() {
        if buffer == END {
            break;
        }
        // Who reads our output may be gone; the gateway goes on.
        let _ = out.write_all(&buffer);
        let _ = out.flush();
    }
}
