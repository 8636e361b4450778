//! The form of a path by which its route is found.
//!
//! `//search` and `/%73earch` reach most upstreams as `/search`: whoever writes them must not get around
//! that route's limits. Escaped unreserved characters are equivalent to the characters themselves
//! (RFC 3986 §6.2.2.2); that an empty segment is none is what most servers hold. The upstream gets the path
//! as it was written.

use std::borrow::Cow;

/// The path has the segments `.` or `..`, encoded or not. An upstream that resolves them would serve another
/// route than the one whose limits were asked; clients resolve them before they send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// The path without escapes that mean nothing, and without empty segments.
pub fn canonical(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    let bytes = path.as_bytes();
    let is_plain = !bytes.windows(2).any(|pair| matches!(pair, b"//" | b"/." | [b'%' | b'\\', _]));
    if is_plain {
        return Ok(Cow::Borrowed(path));
    }
    let canonical =
        String::from_utf8(Pieces::of(path).map(|(byte, _)| byte).collect()).map_err(|_| Ambiguous)?;
    // What some upstreams take for a slash, too.
    let resolved = canonical.replace("%2f", "/").replace("%2F", "/").replace("%5c", "/").replace("%5C", "/");
    if resolved.split(['/', '\\']).any(|segment| segment == "." || segment == "..") {
        return Err(Ambiguous);
    }
    Ok(if canonical == path { Cow::Borrowed(path) } else { Cow::Owned(canonical) })
}

/// How long the beginning of `path` is whose canonical form has `length` bytes.
pub fn written_length(path: &str, length: usize) -> usize {
    match length.checked_sub(1).map(|last| Pieces::of(path).nth(last)) {
        Some(piece) => piece.map_or(path.len(), |(_, end)| end),
        None => 0,
    }
}

/// The bytes of the canonical form, and where each ends in the path as it was written.
struct Pieces<'a> {
    path: &'a [u8],
    at: usize,
}

impl<'a> Pieces<'a> {
    fn of(path: &'a str) -> Self {
        Self { path: path.as_bytes(), at: 0 }
    }
}

impl Iterator for Pieces<'_> {
    type Item = (u8, usize);

    fn next(&mut self) -> Option<(u8, usize)> {
        let byte = *self.path.get(self.at)?;
        let byte = match byte {
            b'%' => match escaped(self.path.get(self.at + 1..self.at + 3)) {
                Some(byte) => {
                    self.at += 2;
                    byte
                }
                None => byte,
            },
            b'/' => {
                while self.path.get(self.at + 1) == Some(&b'/') {
                    self.at += 1;
                }
                byte
            }
            _ => byte,
        };
        self.at += 1;
        Some((byte, self.at))
    }
}

/// The unreserved character that two hexadecimal digits stand for.
fn escaped(digits: Option<&[u8]>) -> Option<u8> {
    let &[high, low] = digits? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = digit(high)? << 4 | digit(low)?;
    (byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')).then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_path_finds_the_same_route() {
        for path in ["/api/search", "//api/search", "/api///search", "/%61pi/se%61rch", "/ap%69//s%65arch"] {
            assert_eq!(canonical(path).unwrap(), "/api/search", "{path}");
        }
    }

    #[test]
    fn an_escape_that_means_something_stays() {
        for path in [
            "/a%2Fb",
            "/a%20b",
            "/a%3fb",
            "/100%",
            "/100%z1",
            "/%e4",
            "/.well-known/x",
            "/a.b/..c/...",
            "*",
            "",
        ] {
            assert!(matches!(canonical(path), Ok(Cow::Borrowed(same)) if same == path), "{path}");
        }
    }

    #[test]
    fn dot_segments_are_refused_in_every_spelling() {
        for path in [
            "/a/../b",
            "/a/..",
            "/./a",
            "/a/%2e%2E/b",
            "/a/.%2e/b",
            "/a%2f..%2Fb",
            "/a/..%5cb",
            "/a\\..\\b",
            "//..//",
        ] {
            assert_eq!(canonical(path), Err(Ambiguous), "{path}");
        }
    }

    #[test]
    fn a_prefix_is_as_long_as_it_was_written() {
        assert_eq!(written_length("/api/x", 4), 4);
        assert_eq!(written_length("//api/x", 4), 5);
        assert_eq!(written_length("/%61pi//x", 4), 6);
        assert_eq!(written_length("//", 1), 2);
        assert_eq!(written_length("/a", 0), 0);
        assert_eq!(written_length("/a", 9), 2);
    }
}
