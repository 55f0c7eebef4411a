//! Through a server somewhere: asked for over REST, followed over its WebSocket.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, bail, ensure};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, Lines, duplex};
use tokio::task::JoinSet;

use super::printer::last_line;
use super::rest::Rest;
use super::{Ended, Snapshot, Wanted};
use crate::cli::output::note;
use crate::cli::watch::feed::Feed;
use crate::cli::watch::follow::{FollowError, News, Server, follow};
use crate::event::{CommandId, DeviceId, Timestamp};

const DEVICES: &str = "/api/v1/controller/device/";

/// Bytes on their way from the feed to who reads its lines.
const PIPE_BYTES: usize = 64 * 1024;

/// A command that may be asked of a server.
pub(super) struct Ready {
    rest: Rest,
    feed: Feed,
    /// Of the device's commands, in REST.
    commands: String,
    body: Value,
}

/// A command on a server, and the feed of its device.
pub(super) struct Remote {
    rest: Rest,
    /// Of the command, in REST.
    path: String,
    id: CommandId,
    lines: Lines<BufReader<DuplexStream>>,
    /// The one task that follows the feed.
    feed: JoinSet<FollowError>,
}

/// What is needed of a device or a command in an answer.
#[derive(Deserialize)]
struct Named {
    id: DeviceId,
    name: String,
}

#[derive(Deserialize)]
struct Made {
    id: CommandId,
    created: Timestamp,
}

/// What is needed of a message of the feed.
#[derive(Deserialize)]
struct Message {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    id: CommandId,
    output: String,
    status: String,
}

impl Ready {
    /// Finds the device, and whether its commands may be followed.
    pub(super) async fn find(
        url: &str,
        token: &str,
        device: &str,
        wanted: &Wanted,
    ) -> anyhow::Result<Self> {
        let rest = Rest::new(url, token)?;
        let device = find(&rest, device).await?;
        let feed = format!("/ws/controller/device/{device}/command");
        let feed = Feed::new(url, &feed, token)?;
        // Asked first: nothing is to run that cannot be watched.
        feed.check().await?;
        Ok(Self {
            rest,
            feed,
            commands: format!("{DEVICES}{device}/command/"),
            body: json!({"type": wanted.kind, "input": wanted.input}),
        })
    }

    /// Asks the server to run it.
    pub(super) async fn ask(self) -> anyhow::Result<Remote> {
        let Self { rest, feed, .. } = self;
        let made = rest.post(&self.commands, Some(&self.body)).await?;
        let made = Made::deserialize(&made.expect()?);
        let made = made.context("the server's answer is no command")?;
        let (mut writer, reader) = duplex(PIPE_BYTES);
        let mut following = JoinSet::new();
        following.spawn(async move {
            let tell = |news: News<'_>| {
                if let News::Lost(..) = news {
                    note(&news.to_string());
                }
            };
            // With all that it has printed since it was made.
            let since = Some(made.created);
            match follow(&feed, Server::WasThere, since, &mut writer, tell).await {
                Ok(never) => match never {},
                Err(error) => error,
            }
        });
        Ok(Remote {
            path: format!("{}{}/", self.commands, made.id),
            rest,
            id: made.id,
            lines: BufReader::new(reader).lines(),
            feed: following,
        })
    }
}

impl Remote {
    pub(super) async fn next(&mut self) -> anyhow::Result<Snapshot> {
        loop {
            let Some(line) = self.lines.next_line().await? else {
                let error = match self.feed.join_next().await {
                    Some(Ok(error)) => anyhow::Error::new(error),
                    _ => anyhow!("the feed has ended"),
                };
                let id = self.id;
                return Err(error.context(format!("cannot follow the command {id} any more")));
            };
            // Whatever else comes is not for us.
            if let Ok(Message { data }) = serde_json::from_str(&line)
                && data.id == self.id
            {
                return Ok(snapshot(data));
            }
        }
    }

    pub(super) async fn cancel(&self) -> anyhow::Result<()> {
        let path = format!("{}cancel/", self.path);
        let answer = self.rest.post(&path, None).await?;
        if answer.status == StatusCode::CONFLICT {
            // It has ended; that is on its way.
            return Ok(());
        }
        answer.expect().map(drop)
    }

    pub(super) async fn whole(&self) -> anyhow::Result<Value> {
        self.rest.get(&self.path).await
    }
}

/// A device's id: the text itself, or that of the one device of this name. A device that is added
/// meanwhile shifts the list, so that one may be seen on two pages.
async fn find(rest: &Rest, text: &str) -> anyhow::Result<DeviceId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let mut found = BTreeSet::new();
    for page in 1.. {
        let answer = rest
            .get(&format!("{DEVICES}?page_size=100&page={page}"))
            .await?;
        let devices = Vec::<Named>::deserialize(&answer["results"])
            .context("the server's answer is no list of devices")?;
        let namesakes = devices.into_iter().filter(|device| device.name == text);
        found.extend(namesakes.map(|device| device.id));
        if answer["next"].is_null() {
            break;
        }
    }
    ensure!(
        found.len() < 2,
        "\"{text}\" names {} devices: use the id",
        found.len()
    );
    match found.pop_first() {
        Some(id) => Ok(id),
        None => bail!("the server shows no device \"{text}\" to who has this token"),
    }
}

fn snapshot(data: Data) -> Snapshot {
    let ended = match data.status.as_str() {
        "success" => Some(Ended::Success),
        "failed" => Some(Ended::Failed(exit_code(&data.output))),
        _ => None,
    };
    Snapshot {
        output: data.output,
        ended,
    }
}

/// The code that the last line of a failed command names (section 5 of the WebSocket API).
fn exit_code(output: &str) -> Option<i32> {
    let (_, last) = last_line(output);
    last.strip_prefix("exit code: ")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers with these pages, one connection each.
    async fn server(pages: Vec<Value>) -> Rest {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for page in pages {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = BufReader::new(&mut stream).lines();
                while head.next_line().await.unwrap() != Some(String::new()) {}
                let body = page.to_string();
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        Rest::new(&base, "token").unwrap()
    }

    fn page(devices: &[(&DeviceId, &str)], next: Option<&str>) -> Value {
        let row = |(id, name): &(&DeviceId, &str)| json!({"id": id, "name": name});
        json!({"results": devices.iter().map(row).collect::<Vec<_>>(), "next": next})
    }

    #[tokio::test]
    async fn a_device_that_is_seen_on_two_pages_is_one() {
        let [bus, other] = [DeviceId::random(), DeviceId::random()];
        let first = page(&[(&other, "Bus 2"), (&bus, "Bus 1")], Some("2"));
        let again = [first.clone(), page(&[(&bus, "Bus 1")], None)];
        let rest = server(again.into()).await;
        assert_eq!(find(&rest, "Bus 1").await.unwrap(), bus);
        let two = [first, page(&[(&other, "Bus 1")], None)];
        let error = find(&server(two.into()).await, "Bus 1").await.unwrap_err();
        assert!(error.to_string().contains("2 devices"), "{error}");
    }
}
