//! The step that chooses the upstream.

use std::net::IpAddr;

use http::{HeaderMap, header};

use super::client;
use super::worker::Worker;
use crate::config::Action;
use crate::rollout::{PIN_COOKIE, PIN_LEGACY, Side};

/// The upstream that is asked, and on which side of which rollout; none where nobody is. Legacy for who asks
/// for it by cookie; else as the rollout says.
pub fn choose(
    worker: &Worker,
    route: usize,
    client: IpAddr,
    headers: &HeaderMap,
) -> Option<(Option<(usize, Side)>, usize)> {
    let at = match worker.plan.routes[route].action {
        Action::Ok => return None,
        Action::Upstream(upstream) => return Some((None, upstream)),
        Action::Rollout(at) => at,
    };
    let rollout = &worker.plan.rollouts[at];
    let (side, upstream) = if is_pinned(headers) {
        (Side::Legacy, rollout.legacy())
    } else {
        match client::identity(client) {
            IpAddr::V4(address) => rollout.choose(&address.octets()),
            IpAddr::V6(address) => rollout.choose(&address.octets()),
        }
    };
    Some((Some((at, side)), upstream))
}

/// Whether a browser wants nothing but legacy.
pub fn is_pinned(headers: &HeaderMap) -> bool {
    headers.get_all(header::COOKIE).iter().any(|cookies| {
        cookies.as_bytes().split(|byte| *byte == b';').any(|cookie| {
            let mut halves = cookie.trim_ascii().splitn(2, |byte| *byte == b'=');
            halves.next() == Some(PIN_COOKIE.as_bytes()) && halves.next() == Some(PIN_LEGACY.as_bytes())
        })
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_whole_cookie_pins_to_legacy() {
        let pinned = |cookies: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(cookies).unwrap());
            is_pinned(&headers)
        };
        assert!(pinned("rad_mode=legacy"));
        assert!(pinned("a=b; rad_mode=legacy; c=d"));
        assert!(!pinned("rad_mode=candidate"));
        assert!(!pinned("x_rad_mode=legacy"));
        assert!(!pinned("rad_mode=legacy2"));
        assert!(!is_pinned(&HeaderMap::new()));
    }
}
