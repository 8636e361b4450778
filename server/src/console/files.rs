//! The files that pages load, compressed once and kept.
//!
//! The WebAssembly is most of what a first visit costs. Brotli makes it a fifth smaller at its highest
//! quality than at one that is fast enough for each answer, but that takes seconds: so the first visitor of
//! a file gets a quick one while the small one is made, and everybody after gets the small one. Nothing is
//! compressed before somebody asks, so that a start costs nothing.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{Extensions, HeaderMap, HeaderValue, Response, StatusCode, Version, header};
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use tokio::sync::{Mutex, OnceCell};

/// Names do not change with content: the browser asks each time, and is told if nothing changed.
pub const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// Brotli while nothing better is there, and for good.
const QUICK: i32 = 5;
const BEST: i32 = 11;
/// Larger files are not kept.
const MAX_KEPT: u64 = 8 << 20;
/// A build for development serves files as they are: its compressor is not optimised and its WebAssembly is
/// large, so that compressing would take longer than it could ever save on loopback.
const COMPRESSES: bool = !cfg!(debug_assertions);

/// Files of a folder.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
    kept: RwLock<HashMap<PathBuf, Arc<Kept>>>,
    /// Held while the best is made of a file: each takes tens of megabytes.
    turn: Arc<Mutex<()>>,
}

/// What tells whether a file on disk is still the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    length: u64,
}

#[derive(Debug)]
struct Kept {
    stamp: Stamp,
    kind: HeaderValue,
    /// Names the content.
    hash: String,
    plain: Bytes,
    gzip: OnceCell<Bytes>,
    quick: OnceCell<Bytes>,
    best: OnceLock<Bytes>,
    is_improved: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Files {
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), kept: RwLock::default(), turn: Arc::default() }
    }

    /// The answer to a request for a file; none if there is no such file, or none that is worth keeping.
    pub async fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
        let path = relative(path)?;
        let kind = mime_guess::from_path(&path).first().filter(compresses)?;
        let kept = self.current(path, kind.as_ref()).await.ok()??;
        if let Some(held) = headers.get(header::IF_NONE_MATCH).and_then(|tags| kept.held(tags.to_str().ok()?))
        {
            return kept.response(StatusCode::NOT_MODIFIED, &held).body(Body::empty()).ok();
        }
        let encoding = if COMPRESSES { accepted(headers) } else { Encoding::Identity };
        let (body, suffix) =
            Kept::body(&kept, encoding, &self.turn).await.unwrap_or((kept.plain.clone(), ""));
        let tag = format!("\"{}{suffix}\"", kept.hash);
        let mut response = kept
            .response(StatusCode::OK, &tag)
            .header(header::CONTENT_TYPE, &kept.kind)
            .header(header::CONTENT_LENGTH, body.len());
        response = match suffix {
            "" => response,
            GZIP => response.header(header::CONTENT_ENCODING, "gzip"),
            _ => response.header(header::CONTENT_ENCODING, "br"),
        };
        response.body(Body::from(body)).ok()
    }

    /// The file as it is on disk now.
    async fn current(&self, path: PathBuf, kind: &str) -> io::Result<Option<Arc<Kept>>> {
        let on_disk = self.root.join(&path);
        let Some(stamp) = Stamp::of(&on_disk).await? else { return Ok(None) };
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
        if let Some(kept) = kept.filter(|kept| kept.stamp == stamp) {
            return Ok(Some(kept));
        }
        let plain = Bytes::from(tokio::fs::read(&on_disk).await?);
        let fresh = Arc::new(Kept::new(stamp, kind, plain));
        // A file that is being written right now is answered with, but not kept.
        if Stamp::of(&on_disk).await? != Some(stamp) || fresh.plain.len() as u64 != stamp.length {
            return Ok(Some(fresh));
        }
        // Whoever else read it meanwhile has it compressed already.
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        match kept.get(&path).filter(|kept| kept.stamp == stamp) {
            Some(kept) => return Ok(Some(Arc::clone(kept))),
            None => kept.insert(path, Arc::clone(&fresh)),
        };
        Ok(Some(fresh))
    }
}

impl Stamp {
    /// None if it is no file, or too large a one.
    async fn of(path: &Path) -> io::Result<Option<Self>> {
        let found = tokio::fs::metadata(path).await?;
        let stamp = Self { modified: found.modified()?, length: found.len() };
        Ok((found.is_file() && stamp.length <= MAX_KEPT).then_some(stamp))
    }
}

/// What is put behind the hash in the tag: each encoding is another sequence of bytes.
const GZIP: &str = "-gzip";
const QUICK_BROTLI: &str = "-br5";
const BEST_BROTLI: &str = "-br";

impl Kept {
    fn new(stamp: Stamp, kind: &str, plain: Bytes) -> Self {
        let hash = foldhash::quality::FixedState::with_seed(0).hash_one(&plain);
        Self {
            stamp,
            kind: HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream")),
            hash: format!("{hash:016x}{:x}", plain.len()),
            plain,
            gzip: OnceCell::new(),
            quick: OnceCell::new(),
            best: OnceLock::new(),
            is_improved: AtomicBool::new(false),
        }
    }

    /// The tag that the client holds, if it is one of this content: in whichever encoding, it is current.
    fn held(&self, tags: &str) -> Option<String> {
        let tags = tags.split(',').map(str::trim);
        let is_ours = |tag: &&str| {
            let name = tag.trim_start_matches("W/").strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let suffix = name.and_then(|name| name.strip_prefix(self.hash.as_str()));
            *tag == "*"
                || suffix.is_some_and(|suffix| ["", GZIP, QUICK_BROTLI, BEST_BROTLI].contains(&suffix))
        };
        let held = tags.into_iter().find(is_ours)?;
        Some(if held == "*" { format!("\"{}\"", self.hash) } else { held.to_owned() })
    }

    fn response(&self, status: StatusCode, tag: &str) -> axum::http::response::Builder {
        Response::builder()
            .status(status)
            .header(header::ETAG, tag)
            .header(header::CACHE_CONTROL, REVALIDATE)
            .header(header::VARY, "accept-encoding")
    }

    /// The content in an encoding, with what that adds to its tag.
    async fn body(
        kept: &Arc<Self>,
        encoding: Encoding,
        turn: &Arc<Mutex<()>>,
    ) -> Option<(Bytes, &'static str)> {
        match encoding {
            Encoding::Identity => Some((kept.plain.clone(), "")),
            Encoding::Gzip => {
                let made = kept.gzip.get_or_try_init(|| off_thread(kept, gzip)).await.ok()?;
                Some((made.clone(), GZIP))
            }
            Encoding::Brotli => {
                if let Some(best) = kept.best.get() {
                    return Some((best.clone(), BEST_BROTLI));
                }
                let made = kept.quick.get_or_try_init(|| off_thread(kept, |plain| brotli(plain, QUICK)));
                let made = made.await.ok()?.clone();
                Self::improve(kept, turn);
                Some((made, QUICK_BROTLI))
            }
        }
    }

    /// Begins to make the smallest, once.
    fn improve(kept: &Arc<Self>, turn: &Arc<Mutex<()>>) {
        if kept.is_improved.swap(true, Ordering::Relaxed) {
            return;
        }
        let (kept, turn) = (Arc::clone(kept), Arc::clone(turn));
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            if let Ok(best) = off_thread(&kept, |plain| brotli(plain, BEST)).await {
                let _ = kept.best.set(best);
            }
        });
    }
}

/// Compresses where it holds up nobody. On a thread of its own, not on one of a pool: its memory, many times
/// the file, goes back to the system when it ends.
async fn off_thread(kept: &Arc<Kept>, make: fn(&[u8]) -> io::Result<Bytes>) -> io::Result<Bytes> {
    let plain = kept.plain.clone();
    let (done, made) = tokio::sync::oneshot::channel();
    let compress = move || drop(done.send(make(&plain)));
    std::thread::Builder::new().name("compress".to_owned()).spawn(compress)?;
    made.await.map_err(io::Error::other)?
}

fn brotli(plain: &[u8], quality: i32) -> io::Result<Bytes> {
    // A window larger than the file takes memory and finds nothing more.
    let window = (16..22).find(|bits| plain.len() < (1 << bits) - 16).unwrap_or(22);
    let parameters =
        BrotliEncoderParams { quality, lgwin: window, size_hint: plain.len(), ..Default::default() };
    let mut made = Vec::new();
    brotli::BrotliCompress(&mut &*plain, &mut made, &parameters)?;
    made.shrink_to_fit();
    Ok(made.into())
}

fn gzip(plain: &[u8]) -> io::Result<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain)?;
    let mut made = encoder.finish()?;
    made.shrink_to_fit();
    Ok(made.into())
}

/// Whether an answer may be compressed on the way out: a file has been, as far as it is worth it. It has a strong tag,
/// which would no longer be true; a weak one stands for the content in every encoding.
pub fn is_no_file(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    headers.get(header::ETAG).is_none_or(|tag| tag.as_bytes().starts_with(b"W/"))
}

/// The path within the folder; none if it leads out of it.
fn relative(path: &str) -> Option<PathBuf> {
    let path = percent_encoding::percent_decode_str(path.trim_start_matches('/')).decode_utf8().ok()?;
    let path = Path::new(path.as_ref());
    let is_inside = path.components().all(|part| match part {
        Component::Normal(name) => !name.as_encoded_bytes().contains(&0),
        _ => false,
    });
    (is_inside && path.file_name().is_some()).then(|| path.to_owned())
}

/// Whether a kind of file becomes smaller.
fn compresses(kind: &mime_guess::Mime) -> bool {
    let name = kind.subtype().as_str();
    kind.type_() == "text"
        || kind.suffix().is_some_and(|suffix| suffix == "xml" || suffix == "json")
        || matches!(name, "wasm" | "javascript" | "json" | "xml")
}

/// What the client likes best; of what it likes equally, the smaller.
fn accepted(headers: &HeaderMap) -> Encoding {
    let weight = |wanted: &[&str]| {
        let lists =
            headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
        let items = lists.flat_map(|list| list.split(','));
        let weights = items.filter_map(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
            let is_wanted = wanted.iter().any(|wanted| name.trim().eq_ignore_ascii_case(wanted));
            let weight = weight.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?;
            is_wanted.then(|| weight.trim().parse::<f32>().ok())?
        });
        weights.fold(None, |most: Option<f32>, weight| Some(most.map_or(weight, |most| most.max(weight))))
    };
    let any = weight(&["*"]).unwrap_or(0.0);
    let (brotli, gzip) = (weight(&["br"]).unwrap_or(any), weight(&["gzip", "x-gzip"]).unwrap_or(any));
    if brotli > 0.0 && brotli >= gzip {
        Encoding::Brotli
    } else if gzip > 0.0 {
        Encoding::Gzip
    } else {
        Encoding::Identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_what_the_client_likes_best() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            accepted(&headers)
        };
        assert_eq!(of("gzip, deflate, br, zstd"), Encoding::Brotli);
        assert_eq!(of("gzip, deflate"), Encoding::Gzip);
        assert_eq!(of("br;q=0.5, gzip;q=0.8"), Encoding::Gzip);
        assert_eq!(of("br;q=0, gzip"), Encoding::Gzip);
        assert_eq!(of("BR ; q=0.1"), Encoding::Brotli);
        assert_eq!(of("*"), Encoding::Brotli);
        assert_eq!(of("identity"), Encoding::Identity);
        assert_eq!(of("br;q=x"), Encoding::Identity);
        assert_eq!(accepted(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn a_path_stays_within_the_folder() {
        assert_eq!(relative("/pkg/a%20b.js"), Some(PathBuf::from("pkg/a b.js")));
        for outside in [
            "/../Cargo.toml",
            "/pkg/%2e%2e/%2e%2e/x.css",
            "/%2Fetc/passwd",
            "//",
            "/",
            "/a%00.css",
            "/%ff.js",
        ] {
            assert_eq!(relative(outside), None, "{outside}");
        }
    }

    #[test]
    fn what_is_compressed_already_is_left_alone() {
        let is = |name: &str| mime_guess::from_path(name).first().is_some_and(|kind| compresses(&kind));
        for name in ["a.wasm", "a.js", "a.css", "a.svg", "a.json", "a.html", "a.webmanifest", "a.txt"] {
            assert!(is(name), "{name}");
        }
        for name in ["a.png", "a.woff2", "a.jpg", "a.mp4", "a"] {
            assert!(!is(name), "{name}");
        }
    }
}
