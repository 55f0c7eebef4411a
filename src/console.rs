//! The web console's place: for now one page that says what this is and where its parts are.

use axum::response::Html;

/// `GET /`.
pub async fn get_front_page() -> Html<&'static str> {
    Html(FRONT_PAGE)
}

const FRONT_PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>fleetwire</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem }
  code { background: #8882; padding: .1em .3em; border-radius: .2em }
</style>
<h1>fleetwire</h1>
<p>The live channel of a network: every coordinate update is pushed over a WebSocket to whoever may
see it.</p>
<h2>Sockets</h2>
<ul>
  <li><code>/ws/loci/location/</code>: every mobile location of my organizations</li>
  <li><code>/ws/loci/location/&lt;location id&gt;/</code>: one location</li>
  <li><code>/ws/controller/device/&lt;device id&gt;/command</code>: the commands of a device</li>
</ul>
<h2>REST</h2>
<ul>
  <li><a href="/api/v1/docs/"><code>/api/v1/docs/</code></a>: all of it, described; for programs
    <a href="/api/v1/openapi.json"><code>/api/v1/openapi.json</code></a></li>
  <li><code>POST /api/v1/users/token/</code>: a user name and password for a token</li>
  <li><a href="/api/v1/controller/device/"><code>/api/v1/controller/device/</code></a></li>
  <li><a href="/api/v1/controller/location/"><code>/api/v1/controller/location/</code></a></li>
  <li><a href="/api/v1/controller/location/geojson/"><code>/api/v1/controller/location/geojson/</code></a></li>
  <li><code>PUT /api/v1/controller/device/&lt;device id&gt;/coordinates/?key=</code>: where a vehicle is</li>
</ul>
<h2>Operation</h2>
<ul>
  <li><a href="/healthz"><code>/healthz</code></a>: the process answers</li>
  <li><a href="/readyz"><code>/readyz</code></a>: it can do its work</li>
</ul>
<p>Users, organizations and devices are administered with <code>fleetwire --help</code>.</p>
</html>
"#;
