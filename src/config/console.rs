//! `[console]`: the web console.

use http::uri::Uri;
use serde::{Deserialize, Serialize};

use super::check::Problems;

/// The web console.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConsoleConfig {
    /// URL of raster tiles with `{z}`, `{x}` and `{y}`; empty for the map that needs no network.
    pub tiles: String,
    /// Whose tiles they are, as the map says it.
    pub tiles_attribution: String,
}

impl ConsoleConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.tiles.is_empty() {
            return;
        }
        // What is filled in stands in the path: of a host with a hole the policy could name no origin.
        let (host, path) = split(&self.tiles);
        let plain = host.to_owned() + &path.replace(['{', '}'], "");
        let uri: Option<Uri> = plain.parse().ok();
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        let is_whole = ["{z}", "{x}", "{y}"]
            .iter()
            .all(|it| self.tiles.contains(it));
        if !is_whole || !matches!(scheme, Some("http" | "https")) {
            problems.add(
                "console",
                "tiles",
                format!(
                    "\"{}\" is no URL of tiles such as https://tiles.example.org/{{z}}/{{x}}/{{y}}.png; \
                     leave it empty for the map that needs no network",
                    self.tiles
                ),
            );
        }
    }
}

/// A URL's beginning with its host, and the path with what follows it.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url[host..]
        .find(['/', '?'])
        .map_or(url.len(), |at| host + at);
    url.split_at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_may_load_from_is_a_url_of_tiles() {
        for (tiles, is_right) in [
            ("", true),
            ("https://tiles.example.org/{z}/{x}/{y}.png", true),
            ("http://10.0.0.1:8080/{z}/{x}/{y}@2x.png?key=1", true),
            ("https://tiles.example.org/{z}/{x}.png", false),
            ("ftp://tiles.example.org/{z}/{x}/{y}.png", false),
            ("/{z}/{x}/{y}.png", false),
            // Usual elsewhere; MapLibre knows no such thing.
            ("https://{s}.tiles.example.org/{z}/{x}/{y}.png", false),
            ("https://tiles.example.org?tile={z}/{x}/{y}", true),
        ] {
            let config = ConsoleConfig {
                tiles: tiles.into(),
                ..ConsoleConfig::default()
            };
            let mut problems = Problems::default();
            config.check(&mut problems);
            assert_eq!(problems.0.is_empty(), is_right, "{tiles}");
        }
    }
}
