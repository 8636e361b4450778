//! The cookie of a session.
//!
//! Over TLS its name begins with `__Host-`: browsers take such a cookie from this very host alone, so that no
//! neighbour under the same domain can plant one (RFC 6265bis §4.1.3).

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};

use super::secret::Secret;

const NAME: &str = "rad_session";
const SECURE_NAME: &str = "__Host-rad_session";

/// How cookies are written and read.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    /// Whether they go over TLS only.
    pub secure: bool,
    pub life: Duration,
}

impl Cookies {
    fn name(self) -> &'static str {
        if self.secure { SECURE_NAME } else { NAME }
    }

    /// What the browser sent; the first if there are several, as servers do.
    #[must_use]
    pub fn read(self, headers: &HeaderMap) -> Option<&str> {
        let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name()).map(|(_, value)| value)
    }

    /// Gives the browser the id of its session.
    #[must_use]
    pub fn set(self, id: &Secret) -> Option<HeaderValue> {
        self.header(id.reveal(), self.life.as_secs())
    }

    /// Takes it back.
    #[must_use]
    pub fn clear(self) -> Option<HeaderValue> {
        self.header("", 0)
    }

    fn header(self, value: &str, max_age_s: u64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name();
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Cookies = Cookies { secure: false, life: Duration::from_hours(12) };
    const SECURE: Cookies = Cookies { secure: true, ..PLAIN };

    fn read(cookies: Cookies, lines: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        cookies.read(&headers).map(str::to_owned)
    }

    #[test]
    fn scripts_and_other_sites_do_not_get_it_and_over_tls_no_neighbour_can_set_it() {
        let id = Secret::draw("").unwrap();
        let plain = PLAIN.set(&id).unwrap();
        let attributes = "; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200";
        assert_eq!(plain.to_str().unwrap(), format!("rad_session={}{attributes}", id.reveal()));
        let secure = SECURE.set(&id).unwrap();
        assert_eq!(
            secure.to_str().unwrap(),
            format!("__Host-rad_session={}{attributes}; Secure", id.reveal())
        );
        assert!(SECURE.clear().unwrap().to_str().unwrap().contains("session=; Path=/"));
        assert!(SECURE.clear().unwrap().to_str().unwrap().contains("Max-Age=0"));
    }

    #[test]
    fn it_is_found_among_others_and_only_under_its_own_name() {
        let lines = ["theme=dark; rad_session=one; x=", "rad_mode=legacy"];
        assert_eq!(read(PLAIN, &lines).as_deref(), Some("one"));
        assert_eq!(read(SECURE, &lines), None, "over TLS the plain name is not believed");
        assert_eq!(read(SECURE, &["a=1;__Host-rad_session=two"]).as_deref(), Some("two"));
        assert_eq!(read(PLAIN, &["xrad_session=1; rad_sessions=2; rad_session"]), None);
        assert_eq!(read(PLAIN, &[]), None);
    }
}
