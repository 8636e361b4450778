//! An answer as it is compared: read after it has gone out, and never kept.

use std::io::Read;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::rules::Rules;

/// An answer as it came.
#[derive(Debug)]
pub struct Raw {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Body,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    Whole(Vec<u8>),
    /// It has more bytes than are looked at.
    TooLong,
}

/// An answer as it is compared.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub content: Content,
}

#[derive(Debug)]
pub enum Content {
    Empty,
    Json(Value),
    Other(Vec<u8>),
    TooLong,
    /// In a coding that is not understood here.
    Coded,
}

impl Answer {
    /// Reads an answer of which at most so many bytes are looked at, packed or not.
    #[must_use]
    pub fn read(raw: Raw, rules: &Rules, most: usize) -> Self {
        let Raw { status, headers, body } = raw;
        let content = match body {
            Body::TooLong => Content::TooLong,
            Body::Whole(bytes) if bytes.is_empty() => Content::Empty,
            Body::Whole(bytes) => match unpacked(bytes, &headers, most) {
                Err(unread) => unread,
                Ok(bytes) => match document(&bytes, &headers) {
                    Some(mut document) => {
                        rules.prune(&mut document);
                        Content::Json(document)
                    }
                    None => Content::Other(bytes),
                },
            },
        };
        Self { status, headers, content }
    }
}

/// What is claimed to be JSON, and is.
fn document(bytes: &[u8], headers: &HeaderMap) -> Option<Value> {
    let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
    let essence = kind.split(';').next().unwrap_or_default().trim_end();
    let is_json = essence.ends_with("/json") || essence.ends_with("+json");
    // Deeper than 128 levels is not read.
    is_json.then(|| serde_json::from_slice(bytes).ok()).flatten()
}

/// The content without its coding.
fn unpacked(bytes: Vec<u8>, headers: &HeaderMap, most: usize) -> Result<Vec<u8>, Content> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let coding = match (codings.next(), codings.next()) {
        (None, _) => return Ok(bytes),
        (Some(coding), None) => coding.as_bytes().trim_ascii().to_ascii_lowercase(),
        _ => return Err(Content::Coded),
    };
    match coding.as_slice() {
        b"identity" => Ok(bytes),
        b"gzip" | b"x-gzip" => read(flate2::read::MultiGzDecoder::new(bytes.as_slice()), most),
        b"deflate" => read(flate2::read::ZlibDecoder::new(bytes.as_slice()), most),
        b"br" => read(brotli::Decompressor::new(bytes.as_slice(), 4_096), most),
        _ => Err(Content::Coded),
    }
}

fn read(from: impl Read, most: usize) -> Result<Vec<u8>, Content> {
    let mut bytes = Vec::new();
    from.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|_| Content::Coded)?;
    if bytes.len() > most { Err(Content::TooLong) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::HeaderValue;

    use super::*;

    const MOST: usize = 1_000;

    fn content(body: &[u8], headers: &[(&'static str, &'static str)]) -> Content {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let raw = Raw { status: StatusCode::OK, headers: map, body: Body::Whole(body.to_vec()) };
        Answer::read(raw, &Rules::default(), MOST).content
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn json_is_what_says_so_and_is_so() {
        let json = |kind| matches!(content(b"{\"a\":1}", &[("content-type", kind)]), Content::Json(_));
        assert!(json("application/json") && json("Application/Problem+JSON; charset=utf-8"));
        assert!(!json("text/plain") && !json("application/jsonp"));
        let broken = content(b"{\"a\":", &[("content-type", "application/json")]);
        assert!(matches!(broken, Content::Other(_)));
        let deep = "[".repeat(100_000);
        assert!(matches!(content(deep.as_bytes(), &[("content-type", "text/json")]), Content::Other(_)));
        assert!(matches!(content(b"", &[("content-type", "text/json")]), Content::Empty));
    }

    #[test]
    fn packed_content_is_unpacked_as_far_as_it_is_looked_at() {
        let kind = ("content-type", "application/json");
        let packed = gzip(b"{\"a\":1}");
        assert!(matches!(content(&packed, &[kind, ("content-encoding", "GZIP")]), Content::Json(_)));
        let bomb = gzip(&vec![b' '; 1 << 20]);
        assert!(matches!(content(&bomb, &[kind, ("content-encoding", "gzip")]), Content::TooLong));
        for coding in ["zstd", "gzip, br"] {
            assert!(matches!(content(&packed, &[kind, ("content-encoding", coding)]), Content::Coded));
        }
        assert!(matches!(content(b"no gzip", &[kind, ("content-encoding", "gzip")]), Content::Coded));
    }
}
