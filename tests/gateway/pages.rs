//! OpenWISP's own pages in a real browser, served by Django behind nginx, which sends `/ws/` where an
//! operator would send it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::{Stage, filled};
use crate::clients::in_repository;
use crate::guides::terminal::{Browser, Desk};
use crate::support::openwisp::Django;
use crate::support::{Credential, Nginx, eventually};

/// nginx as docker-openwisp has it, with our snippet.
fn locations(stage: &Stage, sockets: SocketAddr) -> String {
    let snippet = in_repository("packaging/openwisp/nginx/docker-openwisp.conf");
    let snippet = std::fs::read_to_string(snippet).unwrap();
    let pages = stage.openwisp.address();
    format!(
        "location / {{\n    proxy_pass http://{pages};\n    proxy_set_header Host $http_host;\n}}\n{}",
        snippet.replace("websocket:8002", &sockets.to_string())
    )
}

/// A browser in which somebody is logged in.
struct Page {
    browser: Browser,
    asked: usize,
}

impl Page {
    async fn open(stage: &mut Stage, nginx: SocketAddr, path: &str) -> Self {
        let directory = stage.openwisp.directory();
        let desk = Desk::new(directory, directory, Vec::new());
        let url = format!("http://{nginx}/admin/login/");
        let browser = Browser::open(&desk, &url);
        let mut page = Self { browser, asked: 0 };
        let cookie = stage.openwisp.django.cookie("session('root')").await;
        let Credential::Cookie(cookie) = cookie else {
            unreachable!("a cookie")
        };
        let go = format!(
            "document.cookie = 'sessionid={cookie}; path=/'; location.href = {:?}",
            filled(path)
        );
        page.browser.paste(&go).await;
        page
    }

    /// What an expression is worth in the page; null while the page has not what it asks for.
    async fn look(&mut self, expression: &str) -> Value {
        self.asked += 1;
        let mark = format!("answer {}:", self.asked);
        let code = format!(
            "{{ let it = null; try {{ it = {expression} }} catch (error) {{}} \
             console.log({mark:?} + JSON.stringify(it ?? null)) }}"
        );
        self.browser.paste(&code).await;
        let terminal = &self.browser.terminal;
        eventually("the page answers", async || {
            let printed = terminal.printed();
            let line = printed.lines().find_map(|line| line.strip_prefix(&mark))?;
            serde_json::from_str(line).ok()
        })
        .await
    }

    /// Lets the browser go on.
    async fn breathe(&self) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// Has OpenWISP do something again and again, always a little different, until the page shows it: how
    /// soon its socket is open is the page's own affair.
    async fn shows(
        &mut self,
        django: &mut Django,
        expression: &str,
        step: impl Fn(u32) -> (String, Value),
    ) {
        // What Django has put into the page is not what a socket brings.
        while self.look(expression).await.is_null() {
            self.breathe().await;
        }
        for number in 1.. {
            let (code, expected) = step(number);
            django.run(&code).await;
            for _ in 0..20 {
                if self.look(expression).await == expected {
                    return;
                }
                self.breathe().await;
            }
            let printed = self.browser.terminal.printed();
            assert!(number < 30, "never seen: {expected}\n{printed}");
        }
    }
}

/// Both pages, with `/ws/` sent to `sockets`.
pub async fn follow_what_happens(stage: &mut Stage, sockets: SocketAddr) {
    let locations = locations(stage, sockets);
    let nginx = Nginx::start(stage.openwisp.directory(), &locations).await;

    let name = format!("told by {sockets}");
    let code = format!("command({name:?}, 'bus-1')");
    let command = stage.openwisp.django.run(&code).await;
    let command = command.as_str().unwrap().to_owned();
    let path = "/admin/config/device/{device bus-1}/change/";
    let mut page = Page::open(stage, nginx.address(), path).await;
    // Of the row the page renews what it finds, which in OpenWISP Controller 1.3 the status is not.
    let row = format!(
        "document.querySelector('input[value=\"{command}\"]').parentElement\
         .querySelector('fieldset .field-output_data .readonly').innerText"
    );
    let django = &mut stage.openwisp.django;
    page.shows(django, &row, |number| {
        let output = format!("ended {number}");
        (format!("report({name:?}, {output:?})"), output.into())
    })
    .await;
    page.browser.close().await;

    let path = "/admin/geo/location/{location mobile-metro-transit}/change/";
    let mut page = Page::open(stage, nginx.address(), path).await;
    // The one marker of the one map.
    let marker = "(() => { const map = Object.values(window).find((it) => it instanceof L.Map); \
                  let at = null; map.eachLayer((it) => { if (it._latlng) at = [it._latlng.lng, it._latlng.lat] }); \
                  return at })()";
    let django = &mut stage.openwisp.django;
    page.shows(django, marker, |number| {
        let longitude = 12.0 + f64::from(number) / 16.0;
        let code = format!("move('mobile-metro-transit', {longitude}, 41.5)");
        (code, serde_json::json!([longitude, 41.5]))
    })
    .await;
    page.browser.close().await;
}
