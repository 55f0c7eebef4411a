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
