//! axum with tokio-tungstenite, as its documentation has it: a task a socket, a broadcast channel, `send`.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::broadcast::{self, Sender};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::super::client::protocol::{SAMPLE_ACCEPT, controlled};
use super::{Kind, Running, start_ours};

/// The arguments that start it.
pub const USUAL: &str = "axum";
pub const TUNED: &str = "axum-tuned";

/// Messages that a slow task may be behind.
const CAPACITY: usize = 4096;

/// With its defaults, or with small buffers.
pub struct Axum {
    pub is_tuned: bool,
}

impl Kind for Axum {
    fn name(&self) -> &'static str {
        if self.is_tuned { TUNED } else { USUAL }
    }

    fn start(&self) -> Result<Running> {
        start_ours(&[self.name()], "/", Vec::new())
    }
}

/// Who listens, and how their sockets are made.
struct Hub {
    messages: Sender<Utf8Bytes>,
    config: WebSocketConfig,
}

/// Serves it.
pub fn serve(is_tuned: bool) -> Result<()> {
    let usual = WebSocketConfig::default();
    let config = if is_tuned {
        usual.read_buffer_size(1024).write_buffer_size(0)
    } else {
        usual
    };
    let hub = Arc::new(Hub {
        messages: broadcast::channel(CAPACITY).0,
        config,
    });
    Runtime::new()?.block_on(async {
        let sockets = TcpListener::bind("127.0.0.1:0").await?;
        let publishers = TcpListener::bind("127.0.0.1:0").await?;
        println!("{} {}", sockets.local_addr()?, publishers.local_addr()?);
        let messages = hub.messages.clone();
        tokio::spawn(async move {
            while let Ok((publisher, _)) = publishers.accept().await {
                tokio::spawn(publish(publisher, messages.clone()));
            }
        });
        let router = Router::new().route("/", get(upgrade)).with_state(hub);
        let sockets = axum::serve::ListenerExt::tap_io(sockets, |stream| {
            // One that has ended meanwhile is noticed when it is read.
            stream.set_nodelay(true).ok();
        });
        axum::serve(sockets, router).await?;
        Ok(())
    })
}

/// What axum's extractor does.
async fn upgrade(
    State(hub): State<Arc<Hub>>,
    mut request: Request,
) -> Result<Response, Infallible> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgraded.await {
            let (stream, role) = (TokioIo::new(upgraded), Role::Server);
            let socket = WebSocketStream::from_raw_socket(stream, role, Some(hub.config)).await;
            follow(socket, &hub.messages).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-accept", SAMPLE_ACCEPT),
    ] {
        let value = http::HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// Sends what is published until the client has gone.
async fn follow(
    mut socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    messages: &Sender<Utf8Bytes>,
) {
    let mut messages = messages.subscribe();
    loop {
        tokio::select! {
            message = messages.recv() => {
                // Behind by more than the channel holds, it goes on with what is there.
                let Ok(message) = message else { continue };
                if socket.send(Message::Text(message)).await.is_err() {
                    return;
                }
            }
            heard = socket.next() => {
                if !matches!(heard, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}

async fn publish(mut publisher: TcpStream, messages: Sender<Utf8Bytes>) -> Result<()> {
    let mut heard = Vec::with_capacity(64 * 1024);
    while publisher.read_buf(&mut heard).await? > 0 {
        let mut at = 0;
        while let Some((_, message, length)) = controlled(&heard[at..]) {
            // An error says that nobody listens.
            messages.send(std::str::from_utf8(message)?.into()).ok();
            at += length;
        }
        heard.drain(..at);
    }
    Ok(())
}
