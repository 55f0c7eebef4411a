//! Following, against a server made of a list of what each connection meets.

use futures_util::SinkExt;
use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as Asked, Response as Answer,
};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use super::*;

/// What a connection meets.
enum Meets {
    /// Messages, then a close with 1001.
    Messages(Vec<&'static str>),
    /// An answer with this status.
    Status(u16),
    /// The end of the connection, before any answer.
    Nothing,
}

/// Serves the list, one connection each, and tells the query and the credential of each handshake.
async fn server(list: Vec<Meets>) -> (Feed, mpsc::Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (told, asked) = mpsc::channel(list.len());
    tokio::spawn(async move {
        for meets in list {
            let (stream, _) = listener.accept().await.unwrap();
            told.send(meet(stream, meets).await).await.unwrap();
        }
    });
    let feed = Feed::new(&base, "/ws/loci/location/", "token")
        .ok()
        .unwrap();
    (feed, asked)
}

async fn meet(stream: TcpStream, meets: Meets) -> (String, String) {
    let mut asked = (String::new(), String::new());
    let status = match &meets {
        Meets::Nothing => return asked,
        Meets::Status(status) => Some(*status),
        Meets::Messages(_) => None,
    };
    #[expect(clippy::result_large_err, reason = "the signature is the library's")]
    let answer = |request: &Asked, mut answer: Answer| {
        let credential = request.headers()["authorization"].to_str().unwrap();
        asked = (
            request.uri().query().unwrap_or_default().into(),
            credential.into(),
        );
        if let Some(status) = status {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = status.try_into().unwrap();
            return Err(refusal);
        }
        let date = "Tue, 24 Nov 2026 01:02:03 GMT".parse().unwrap();
        answer.headers_mut().insert("date", date);
        Ok(answer)
    };
    if let (Ok(mut socket), Meets::Messages(messages)) =
        (accept_hdr_async(stream, answer).await, meets)
    {
        for message in messages {
            socket.send(Message::text(message)).await.unwrap();
        }
        let frame = CloseFrame {
            code: CloseCode::Away,
            reason: "going away".into(),
        };
        socket.close(Some(frame)).await.unwrap();
        // Until the client has answered the close.
        while let Some(Ok(_)) = socket.next().await {}
    }
    asked
}

/// Follows to the end and gives the error together with the lines that were written.
async fn follow_to_the_end(feed: &Feed, since: Option<Timestamp>) -> (FollowError, Vec<String>) {
    let (mut input, output): (DuplexStream, DuplexStream) = duplex(1 << 16);
    let error = follow(feed, Server::Unknown, since, &mut input, |_| ())
        .await
        .unwrap_err();
    drop(input);
    let mut lines = BufReader::new(output).lines();
    let mut written = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        written.push(line);
    }
    (error, written)
}

#[tokio::test]
async fn a_lost_connection_is_made_anew_and_asks_for_what_was_missed() {
    let (feed, mut asked) = server(vec![
        Meets::Messages(vec![r#"{"id":1}"#, "{\n\"id\":2}"]),
        Meets::Status(503),
        Meets::Messages(vec![r#"{"id":3}"#]),
        Meets::Status(403),
    ])
    .await;
    let (error, lines) = follow_to_the_end(&feed, None).await;
    assert_eq!(lines, [r#"{"id":1}"#, r#"{ "id":2}"#, r#"{"id":3}"#]);
    assert!(
        error
            .to_string()
            .starts_with("the server refused (403 Forbidden)"),
        "{error}"
    );
    let first = asked.recv().await.unwrap();
    assert_eq!(first, (String::new(), "Bearer token".into()));
    // By the server's clock, less the margin; a slow machine may have needed a while.
    let answered: Timestamp = "2026-11-24T01:02:03Z".parse().unwrap();
    for _ in 0..2 {
        let (query, _) = asked.recv().await.unwrap();
        let since: Timestamp = query.strip_prefix("since=").unwrap().parse().unwrap();
        assert!(since >= answered.plus_seconds(-MARGIN_S) && since < answered.plus_seconds(600));
    }
}

#[tokio::test]
async fn a_connection_that_broke_while_catching_up_is_asked_the_same_again() {
    let since = "2026-11-23T12:00:00Z".parse().unwrap();
    let (feed, mut asked) = server(vec![Meets::Messages(vec!["{}"]), Meets::Status(403)]).await;
    follow_to_the_end(&feed, Some(since)).await;
    for _ in 0..2 {
        assert_eq!(
            asked.recv().await.unwrap().0,
            "since=2026-11-23T12:00:00.000000Z"
        );
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_ends_it_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let feed = Feed::new(&base, "/", "token").ok().unwrap();
    let (error, _) = follow_to_the_end(&feed, None).await;
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot connect to {base}/: ")),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_was_there_is_waited_for_from_the_first() {
    let (feed, _asked) = server(vec![Meets::Nothing, Meets::Status(403)]).await;
    let (mut input, _output) = duplex(64);
    let lost = std::cell::Cell::new(0);
    let count = |news: News<'_>| lost.set(lost.get() + i32::from(matches!(news, News::Lost(..))));
    let error = follow(&feed, Server::WasThere, None, &mut input, count)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("403"), "{error}");
    assert_eq!(lost.get(), 1);
}

#[tokio::test]
async fn a_closed_output_ends_it() {
    let (feed, _asked) = server(vec![Meets::Messages(vec!["{}"])]).await;
    let (mut input, output) = duplex(64);
    drop(output);
    let error = follow(&feed, Server::Unknown, None, &mut input, |_| ())
        .await
        .unwrap_err();
    assert!(
        matches!(error, FollowError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    );
}
