//! A way to a device that can be closed.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::within;

/// Takes connections, and leads them on to a device once it is open.
pub struct Gate {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
    taken: watch::Receiver<usize>,
}

impl Gate {
    /// One that is closed. It lasts for as long as the test.
    pub async fn before(device: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_open, opening) = watch::channel(false);
        let (count, taken) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                count.send_modify(|taken| *taken += 1);
                let mut opening = opening.clone();
                tokio::spawn(async move {
                    if opening.wait_for(|is_open| *is_open).await.is_ok() {
                        let mut device = TcpStream::connect(device).await.unwrap();
                        // How it ends is the business of the two.
                        let _ = copy_bidirectional(&mut client, &mut device).await;
                    }
                });
            }
        });
        Self {
            address,
            is_open,
            taken,
        }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// Waits until so many connections have come in all.
    pub async fn has_taken(&mut self, count: usize) {
        let taken = self.taken.wait_for(|taken| *taken >= count);
        within("a connection to the device", taken).await.unwrap();
    }
}
