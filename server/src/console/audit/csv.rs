//! The log as a table for spreadsheets (RFC 4180): all that a filter lets through, written while it is read, so that a
//! log of any length takes the memory of a page.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body::Frame;
use tokio::sync::mpsc;

use super::super::Console;
use super::super::api::Shared;
use super::super::error::ApiError;
use super::super::take::Asked;
use super::asked::Wanted;
use crate::storage::{Filter, Kept};

/// So many entries are read and sent at a time.
const AT_ONCE: u32 = 500;

const HEAD: [&str; 11] = [
    "id",
    "time",
    "actor",
    "action",
    "object",
    "before",
    "after",
    "reason",
    "reverts",
    "reverted_by",
    "hash",
];

pub async fn export(State(console): Shared, Asked(wanted): Asked<Wanted>) -> Result<Response, ApiError> {
    let (filter, _) = wanted.read()?;
    let (sender, parts) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(failed) = write(&console, filter, &sender).await {
            // The head of the answer is gone: that it breaks off tells that it is not all.
            let _ = sender.send(Err(failed)).await;
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
    ];
    Ok((headers, Body::new(Parts(parts))).into_response())
}

/// Why a table breaks off.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the audit log could not be read")]
    Unread,
    #[error("the table could not be written")]
    Unwritten(#[from] csv::Error),
}

/// Ends early where nobody reads any more. A thread is taken only while the disk is read: a client that is slow to take
/// its table keeps none.
async fn write(
    console: &Arc<Console>,
    mut filter: Filter,
    parts: &mpsc::Sender<Result<Bytes, Failed>>,
) -> Result<(), Failed> {
    let mut table = table(&[])?;
    loop {
        let (console, wanted) = (Arc::clone(console), filter.clone());
        let read = tokio::task::spawn_blocking(move || console.storage.audit(&wanted, AT_ONCE)).await;
        let Ok(Ok(entries)) = read else { return Err(Failed::Unread) };
        table.extend(rows(&entries)?);
        if parts.send(Ok(std::mem::take(&mut table).into())).await.is_err() {
            return Ok(());
        }
        match entries.last() {
            Some(last) if entries.len() == AT_ONCE as usize => filter.before = Some(last.id),
            _ => return Ok(()),
        }
    }
}

fn rows(entries: &[Kept]) -> Result<Vec<u8>, csv::Error> {
    let number = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
    let mut writer = writer();
    for Kept { id, entry, reverted_by, hash } in entries {
        let row = [
            id.to_string(),
            time(entry.at_ms),
            entry.actor.clone(),
            entry.action.clone(),
            entry.object.clone(),
            entry.before.to_string(),
            entry.after.to_string(),
            entry.reason.clone(),
            number(entry.reverts),
            number(*reverted_by),
            hash.clone(),
        ];
        writer.write_record(row.map(harmless))?;
    }
    Ok(writer.into_inner().map_err(|error| error.into_error())?)
}

fn table(entries: &[Kept]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = writer();
    writer.write_record(HEAD)?;
    let mut table = writer.into_inner().map_err(|error| error.into_error())?;
    table.extend(rows(entries)?);
    Ok(table)
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

/// A text that spreadsheets take for a formula gets an apostrophe before it, by which they take it for a text.
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{cell}") } else { cell }
}

fn time(at_ms: u64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(at_ms);
    humantime::format_rfc3339_millis(time).to_string()
}

/// The parts of a table as they are written.
struct Parts(mpsc::Receiver<Result<Bytes, Failed>>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| part.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::storage::NewEntry;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        let entry = NewEntry {
            at_ms: 1_700_000_000_000,
            actor: "ada".to_owned(),
            action: "cache.invalidate".to_owned(),
            object: "=HYPERLINK(\"http://evil.example\")".to_owned(),
            before: json!(null),
            after: json!({"removed": 3}),
            reason: "a, \"b\"\nc".to_owned(),
            undo: None,
            reverts: None,
        };
        let kept = Kept { id: 7, entry, reverted_by: Some(9), hash: "00ff".to_owned() };
        let table = String::from_utf8(table(&[kept]).unwrap()).unwrap();
        assert_eq!(
            table,
            "id,time,actor,action,object,before,after,reason,reverts,reverted_by,hash\r\n\
             7,2023-11-14T22:13:20.000Z,ada,cache.invalidate,\"'=HYPERLINK(\"\"http://evil.example\"\")\",null,\
             \"{\"\"removed\"\":3}\",\"a, \"\"b\"\"\nc\",,9,00ff\r\n"
        );
    }
}
