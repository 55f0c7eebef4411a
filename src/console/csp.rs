//! What the console's pages may load: their own files, and the tiles that the operator named.

use http::HeaderValue;
use http::uri::Uri;

use crate::config::ConsoleConfig;

/// The Content-Security-Policy. Nothing in it is `unsafe-`: no script or style stands in a page, and
/// no text becomes one.
pub fn policy(config: &ConsoleConfig) -> HeaderValue {
    let tiles = origin(&config.tiles).unwrap_or_default();
    // MapLibre makes images of what it has fetched (`blob:`), and its style has two as `data:`.
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; worker-src 'self'; \
         connect-src 'self'{tiles}; img-src 'self' data: blob:{tiles}; font-src 'self'; \
         manifest-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self'"
    );
    HeaderValue::try_from(policy).expect("an origin has visible characters only")
}

/// The origin of a tile server's URL, behind a blank. `None` where there is none.
fn origin(tiles: &str) -> Option<String> {
    // Braces are no part of a URI; what is before the path is all that counts here.
    let end = tiles.find("://").map(|at| at + 3)?;
    let host_end = tiles[end..].find('/').map_or(tiles.len(), |at| end + at);
    let uri: Uri = tiles[..host_end].parse().ok()?;
    Some(format!(" {}://{}", uri.scheme_str()?, uri.authority()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_origin_of_a_tile_server_is_let_in() {
        for (tiles, expected) in [
            ("", None),
            (
                "https://tiles.example.org/{z}/{x}/{y}.png",
                Some(" https://tiles.example.org"),
            ),
            (
                "http://10.0.0.1:8080/{z}/{x}/{y}@2x.png?key=1",
                Some(" http://10.0.0.1:8080"),
            ),
            ("/tiles/{z}/{x}/{y}.png", None),
        ] {
            assert_eq!(origin(tiles).as_deref(), expected, "{tiles}");
        }
    }

    #[test]
    fn nothing_unsafe_is_allowed() {
        let policy = policy(&ConsoleConfig::default());
        let policy = policy.to_str().unwrap();
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("script-src 'self';"), "{policy}");
        assert!(policy.contains("connect-src 'self';"), "{policy}");
    }
}
