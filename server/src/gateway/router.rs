//! From a path to a route: the longest prefix wins.
//!
//! A prefix matches whole segments, as in Kubernetes' Gateway API: `/search` answers `/search` and
//! `/search/x`, and not `/searching`. A look-up asks a hash table for the path and then for its parents,
//! so that its cost depends on the depth of the path and not on the number of routes.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Prefixes without a slash at their end (but for `/` itself), and their positions.
#[derive(Debug, Default)]
pub struct Router {
    routes: HashMap<Box<str>, usize, RandomState>,
    /// Length of the longest prefix: what is longer in a path need not be looked up, however long it is.
    longest: usize,
}

impl<'a> FromIterator<(&'a str, usize)> for Router {
    fn from_iter<I: IntoIterator<Item = (&'a str, usize)>>(routes: I) -> Self {
        let routes: HashMap<Box<str>, usize, RandomState> =
            routes.into_iter().map(|(path, at)| (path.into(), at)).collect();
        let longest = routes.keys().map(|path| path.len()).max().unwrap_or(0);
        Self { routes, longest }
    }
}

impl Router {
    /// The position of the route that answers `path`, and the length of its prefix.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(usize, usize)> {
        let mut prefix = match path.as_bytes().get(..=self.longest) {
            None => path,
            // The slash after the last segment that a prefix can hold.
            Some(head) => match head.iter().rposition(|byte| *byte == b'/')? {
                0 => "/",
                slash => path.get(..slash)?,
            },
        };
        loop {
            if let Some(at) = self.routes.get(prefix) {
                return Some((*at, prefix.len()));
            }
            match prefix.rfind('/')? {
                0 if prefix == "/" => return None,
                0 => prefix = "/",
                slash => prefix = &prefix[..slash],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(routes: &[&str], path: &str) -> Option<String> {
        let router: Router = routes.iter().enumerate().map(|(at, route)| (*route, at)).collect();
        router.find(path).map(|(at, _)| routes[at].to_owned())
    }

    #[test]
    fn the_longest_prefix_wins() {
        let routes = ["/", "/api", "/api/config"];
        assert_eq!(find(&routes, "/api/config/x").as_deref(), Some("/api/config"));
        assert_eq!(find(&routes, "/api/other").as_deref(), Some("/api"));
        assert_eq!(find(&routes, "/other").as_deref(), Some("/"));
        assert_eq!(find(&routes, "/").as_deref(), Some("/"));
        assert_eq!(find(&routes, "/api/").as_deref(), Some("/api"));
    }

    #[test]
    fn a_prefix_matches_whole_segments_only() {
        assert_eq!(find(&["/search"], "/searching"), None);
        assert_eq!(find(&["/search"], "/search/deep/er").as_deref(), Some("/search"));
    }

    #[test]
    fn a_path_of_many_segments_costs_no_more_than_the_longest_prefix() {
        let deep = format!("/search{}", "/".repeat(60_000));
        assert_eq!(find(&["/", "/search"], &deep).as_deref(), Some("/search"));
        assert_eq!(find(&["/search"], &"/x".repeat(30_000)), None);
        assert_eq!(find(&["/", "/a/b"], &format!("/a/{}", "b".repeat(9_000))).as_deref(), Some("/"));
    }

    #[test]
    fn what_is_no_path_matches_nothing() {
        for path in ["", "*", "example.com:443", "search"] {
            assert_eq!(find(&["/"], path), None, "{path:?}");
        }
    }
}
