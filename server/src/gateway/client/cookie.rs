//! Cookies, as clients send them (RFC 6265 §5.4).

use http::HeaderMap;
use http::header::COOKIE;

/// The value of the first cookie of this name, without the space around it.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    headers.get_all(COOKIE).iter().find_map(|line| {
        // Most requests of a browser carry many, and ask for none of them.
        let mut rest = line.as_bytes();
        loop {
            let (pair, more) = rest.split_at(memchr::memchr(b';', rest).unwrap_or(rest.len()));
            if let Some(value) = value_of(pair, name.as_bytes()) {
                return Some(value);
            }
            rest = more.get(1..)?;
        }
    })
}

fn value_of<'a>(pair: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = pair.trim_ascii_start().strip_prefix(name)?;
    Some(rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name_and_the_first_one_counts() {
        let of = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            cookie(&headers, "side").map(|value| String::from_utf8(value.to_vec()).unwrap())
        };
        for (lines, value) in [
            (&["side=a"][..], Some("a")),
            (&["x=1; side=a; side=b"], Some("a")),
            (&["x=1;side=a=b;"], Some("a=b")),
            (&["x=1", " side = a "], Some("a")),
            (&["side="], Some("")),
            (&["side=ä; x=1"], Some("ä")),
            (&["xside=a; sides=b; Side=c; x=side=d; side"], None),
            (&["", ";;", "; ;"], None),
            (&[], None),
        ] {
            assert_eq!(of(lines).as_deref(), value, "{lines:?}");
        }
    }
}
