//! Origins of pages outside.

use http::HeaderValue;
use url::Url;

use super::{Kind, parsed};

/// An origin in the one way in which browsers write it in `Origin`: it is compared letter by letter.
pub fn origin() -> Kind<HeaderValue> {
    let how = "write it as browsers do, scheme://host[:port] without a path, such as \"https://shop.example\"; each by \
               name, so neither \"*\" nor \"null\"";
    parsed("an origin", how, |text| {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let is_written_so = url.origin().ascii_serialization() == text && !text.contains('*');
        is_written_so.then(|| HeaderValue::from_str(text).ok())?
    })
    .hidden()
}
