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
        let plain = self.tiles.replace(['{', '}'], "");
        let uri: Option<Uri> = plain.parse().ok();
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        let is_whole = ["{z}", "{x}", "{y}"]
            .iter()
            .all(|it| self.tiles.contains(it));
        // A host of many names (`{s}`) is nothing that a map or the console's policy knows.
        let host = self.tiles.split("://").nth(1).and_then(|rest| rest.split('/').next());
        let is_one_host = host.is_some_and(|host| !host.contains(['{', '}']));
        if !is_whole || !is_one_host || !matches!(scheme, Some("http" | "https")) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_those_of_one_host() {
        for (tiles, is_good) in [
            ("https://tiles.example.org/{z}/{x}/{y}.png", true),
            ("http://10.0.0.1:8080/{z}/{x}/{y}@2x.png?key=1", true),
            ("https://{s}.tiles.example.org/{z}/{x}/{y}.png", false),
            ("https://tiles.example.org/{z}/{x}.png", false),
            ("ftp://tiles.example.org/{z}/{x}/{y}.png", false),
            ("/tiles/{z}/{x}/{y}.png", false),
        ] {
            let mut problems = Problems::default();
            let tiles_attribution = String::new();
            ConsoleConfig { tiles: tiles.into(), tiles_attribution }.check(&mut problems);
            assert_eq!(problems.0.is_empty(), is_good, "{tiles}");
        }
    }
}
