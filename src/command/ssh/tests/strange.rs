//! What is no SSH server, or a strange one.

use std::sync::Arc;

use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, Server as _};
use russh::{MethodKind, MethodSet};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::super::Phase;
use super::*;

const HURRY: Timeouts = Timeouts {
    connect: Duration::from_millis(300),
    authentication: Duration::from_millis(300),
};

/// Listens, and does the same with each connection.
async fn listen<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> Address
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = address_of(listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

fn nobody() -> Login {
    Login {
        username: "root".into(),
        secret: LoginSecret::Password("right".into()),
        old_algorithms: false,
    }
}

async fn error_of(address: &Address, timeouts: Timeouts) -> SshError {
    connect(address, &nobody(), None, timeouts)
        .await
        .expect_err("nobody is let in")
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = address_of(listener.local_addr().unwrap());
    drop(listener);
    let error = error_of(&address, PATIENCE).await;
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
    assert_eq!(error.to_string(), format!("{address}: connection refused"));
    assert!(error.next_address_may_help());
}

#[tokio::test]
async fn an_address_that_swallows_everything_is_given_up_in_time() {
    // Of TEST-NET-1 (RFC 5737); where there is no route, the system says so at once.
    let address = Address::parse("192.0.2.1", 22).unwrap();
    let error = error_of(&address, HURRY).await;
    match &error {
        SshError::Timeout { phase, .. } => {
            assert_eq!(*phase, Phase::Connect);
            assert_eq!(
                error.to_string(),
                "192.0.2.1:22: no connection within 0.3 s"
            );
        }
        other => assert!(matches!(other, SshError::Unreachable { .. }), "{other}"),
    }
}

#[tokio::test]
async fn an_unknown_name_is_unreachable() {
    let address = Address::parse("router.invalid", 22).unwrap();
    let error = error_of(&address, PATIENCE).await;
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn each_ip_address_of_a_name_is_tried() {
    // `localhost` may also be ::1, where nothing listens.
    let server = OpenSsh::start(&Options::default());
    let address = Address::parse("localhost", server.address().port()).unwrap();
    connect(&address, &by_password(), None, PATIENCE)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let address = listen(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let error = error_of(&address, HURRY).await;
    assert!(
        matches!(
            error,
            SshError::Timeout {
                phase: Phase::KeyExchange,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_stops_after_its_first_line_is_given_up_and_let_go() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let ended = Arc::new(std::sync::Mutex::new(Some(ended)));
    let address = listen(move |mut stream| {
        let ended = ended.lock().unwrap().take();
        async move {
            stream.write_all(b"SSH-2.0-stuck\r\n").await.unwrap();
            // Reads until the client is gone.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            drop(ended);
        }
    })
    .await;
    let error = error_of(&address, HURRY).await;
    assert!(matches!(error, SshError::Timeout { .. }), "{error}");
    tokio::time::timeout(Duration::from_secs(20), end)
        .await
        .expect("the connection was let go")
        .unwrap_err();
}

#[tokio::test]
async fn what_is_no_ssh_server_is_said_to_be_none() {
    let replies: [&[u8]; 4] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-1.5-old\r\n",
        &[0; 10_000],
        b"SSH-2.0-garbage\r\n\xff\xff\xff\xffgarbage that is no packet at all, and long",
    ];
    for reply in replies {
        let address = listen(move |mut stream| async move {
            let _ = stream.write_all(reply).await;
            // Whatever the client still says: closing with that unread would reset the connection.
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
        .await;
        let error = error_of(&address, PATIENCE).await;
        assert!(matches!(error, SshError::Negotiation { .. }), "{error}");
        let shown = error.to_string();
        assert!(shown.starts_with(&address.to_string()), "{shown}");
        assert!(!shown.contains('\n'), "{shown}");
    }
}

#[tokio::test]
async fn endless_lines_before_the_first_are_given_up_in_time() {
    let address =
        listen(
            |mut stream| async move { while stream.write_all(b"please wait\r\n").await.is_ok() {} },
        )
        .await;
    let error = error_of(&address, HURRY).await;
    assert!(
        matches!(
            error,
            SshError::Negotiation { .. } | SshError::Timeout { .. }
        ),
        "{error}"
    );
}

/// A server of russh that behaves as one test wants it.
#[derive(Clone)]
pub(super) struct Questions {
    /// Whether it never answers a password.
    is_stuck: bool,
}

impl Questions {
    /// One that takes the password `right` as the answer to a question, and nothing else.
    pub(super) async fn start() -> Address {
        Self { is_stuck: false }.serve().await
    }

    async fn serve(mut self) -> Address {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let methods = MethodSet::from(&[MethodKind::KeyboardInteractive][..]);
        let config = Arc::new(server::Config {
            methods,
            keys: vec![key],
            auth_rejection_time: Duration::ZERO,
            ..server::Config::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address_of(listener.local_addr().unwrap());
        tokio::spawn(async move { self.run_on_socket(config, &listener).await });
        address
    }
}

impl server::Server for Questions {
    type Handler = Self;

    fn new_client(&mut self, _: Option<SocketAddr>) -> Self {
        self.clone()
    }
}

impl server::Handler for Questions {
    type Error = russh::Error;

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<server::Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        if self.is_stuck {
            std::future::pending::<()>().await;
        }
        let Some(mut response) = response else {
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            });
        };
        match response.next().as_deref() {
            Some(b"right") => Ok(Auth::Accept),
            _ => Ok(Auth::reject()),
        }
    }
}

#[tokio::test]
async fn an_authentication_without_an_answer_is_given_up_in_time() {
    let address = Questions { is_stuck: true }.serve().await;
    let timeouts = Timeouts {
        authentication: Duration::from_millis(300),
        ..PATIENCE
    };
    let error = error_of(&address, timeouts).await;
    assert!(
        matches!(error, SshError::AuthenticationTimeout { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_device_that_runs_nothing_refuses() {
    // It lets in, and grants no session.
    let address = Questions::start().await;
    let session = connect(&address, &nobody(), None, PATIENCE).await.unwrap();
    let error = session.exec(&line("true")).await.err().unwrap();
    assert!(matches!(error, SshError::Refused { .. }), "{error}");
    assert!(!error.next_address_may_help());
}
