//! All pages' code in one file: without `--split`, and on the server.

use super::part::Drawn;

macro_rules! pages {
    ($($page:ident)*) => {$(
        pub async fn $page() -> Drawn {
            Ok(super::$page::page())
        }
    )*};
}

pages!(breakers limits queues cache query rollouts flags audit lab);

/// It is here already.
#[cfg(feature = "hydrate")]
pub async fn load(_path: &str) -> bool {
    true
}
