//! What is left of a body when its request has been refused.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// What is read and thrown away behind a refusal at most: so much, and so long.
const THROW_AWAY_BYTES: usize = 64 * 1024 * 1024;
const THROW_AWAY_WITHIN: Duration = Duration::from_secs(10);

/// Around every handler: when the request was refused with its body still (partly) unread, the rest
/// is read and thrown away before the answer goes out. Otherwise the connection would end with
/// bytes on their way, and the client would see a reset in place of the answer.
pub async fn read_to_the_end(request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let waits_for_continue = request.headers().contains_key(EXPECT);
    let (back, mut unread) = oneshot::channel();
    let request = request.map(|body| {
        Body::new(Returning {
            body: Some(body),
            back: Some(back),
            is_coming: !waits_for_continue,
        })
    });
    let response = next.run(request).await;
    let is_refusal = response.status().is_client_error() || response.status().is_server_error();
    // Behind a 408 is somebody who has been waited for already.
    if is_refusal
        && response.status() != StatusCode::REQUEST_TIMEOUT
        && let Ok(body) = unread.try_recv()
    {
        // Too much or too slow: then the answer goes out as well as it can.
        let _ = timeout(THROW_AWAY_WITHIN, throw_away(body)).await;
    }
    response
}

async fn throw_away(mut body: Body) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > THROW_AWAY_BYTES {
            return;
        }
    }
}

/// A request's body that, dropped before its end, is given back.
struct Returning {
    /// There until dropped.
    body: Option<Body>,
    back: Option<oneshot::Sender<Body>>,
    /// Whether the client sends it without being told to continue, or was told.
    is_coming: bool,
}

impl HttpBody for Returning {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_coming = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for Returning {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && self.is_coming
            && !body.is_end_stream()
        {
            // Nobody waits for it when the connection is gone.
            let _ = back.send(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::put;
    use futures_util::stream;
    use tower::ServiceExt;

    use super::*;

    const PIECE: &[u8] = &[b' '; 1 << 16];

    /// A body of so many pieces, and how many of them were read.
    fn body(pieces: usize) -> (Body, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let pieces = stream::iter((0..pieces).map(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(PIECE)
        }));
        (Body::from_stream(pieces), read)
    }

    /// Sends a body to a handler that reads its first piece, or nothing, and answers with `status`.
    async fn send(status: u16, reads: bool, request: Request) -> u16 {
        let status = StatusCode::from_u16(status).unwrap();
        let handler = async move |request: Request| {
            if reads {
                request.into_body().frame().await;
            }
            status
        };
        let router: Router = Router::new()
            .route("/", put(handler))
            .layer(from_fn(read_to_the_end));
        router.oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn a_refused_body_is_read_to_its_end_before_the_answer() {
        for reads in [false, true] {
            for status in [401, 404, 413, 500] {
                let (body, read) = body(100);
                let request = Request::put("/").body(body).unwrap();
                assert_eq!(send(status, reads, request).await, status);
                assert_eq!(read.load(Ordering::Relaxed), 100);
            }
        }
    }

    #[tokio::test]
    async fn an_endless_body_is_not_read_for_ever() {
        let (body, read) = body(usize::MAX);
        let request = Request::put("/").body(body).unwrap();
        assert_eq!(send(413, true, request).await, 413);
        let bytes = read.load(Ordering::Relaxed) * PIECE.len();
        assert!(
            (THROW_AWAY_BYTES..=THROW_AWAY_BYTES + 3 * PIECE.len()).contains(&bytes),
            "{bytes}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_does_not_hold_the_answer_back_for_ever() {
        let stalled = stream::pending::<Result<&'static [u8], Infallible>>();
        let request = Request::put("/").body(Body::from_stream(stalled)).unwrap();
        assert_eq!(send(401, false, request).await, 401);
    }

    #[tokio::test]
    async fn what_need_not_come_is_not_asked_for() {
        // Accepted: whatever is left is the server's business. Waiting for "100 Continue": nothing is
        // on its way, and reading would ask for it.
        for (status, expect) in [(200, None), (401, Some("100-continue"))] {
            let (body, read) = body(100);
            let mut request = Request::put("/").body(body).unwrap();
            if let Some(expect) = expect {
                request
                    .headers_mut()
                    .insert(EXPECT, http::HeaderValue::from_static(expect));
            }
            assert_eq!(send(status, false, request).await, status);
            assert_eq!(read.load(Ordering::Relaxed), 0);
        }
    }
}
