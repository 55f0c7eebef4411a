//! A way to a PostgreSQL that a test can trouble.

use std::net::SocketAddr;
use std::path::PathBuf;

use reqwest::Url;
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Leads each connection on to the server of `url`, whose socket is in the file system, as `lead` does it. Answers
/// where it takes them.
pub async fn way_to<F>(
    url: &Url,
    lead: impl Fn(TcpStream, UnixStream) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let folder = url.host_str().unwrap().replace("%2F", "/");
    let port = url.query_pairs().find(|(name, _)| name == "port");
    let port = port.map_or_else(|| "5432".to_owned(), |(_, port)| port.into_owned());
    let socket = PathBuf::from(folder).join(format!(".s.PGSQL.{port}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(lead(client, server));
        }
    });
    address
}

/// The URL of the same database by the way at `address`.
pub fn url_by(url: &Url, address: SocketAddr) -> String {
    format!("postgres://{}@{address}{}", url.username(), url.path())
}
