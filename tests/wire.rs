//! The WebSocket protocol from raw bytes: what RFC 6455 asks of a server, what the contract adds
//! to it, and what clients do that follow neither.

mod flood;
mod frames;
mod handshake;
mod heartbeat;
mod slow;

use crate::support::{Client, Credential, Seed, Server};

/// A server with one organization and one bus in it, and a superuser.
struct Stage {
    server: Server,
    root: Credential,
    client: Client,
    organization: String,
    bus: String,
}

impl Stage {
    async fn set_up(settings: &[(&str, &str)]) -> Self {
        let server = Server::start_with(settings).await;
        let seed = Seed(&server);
        let organization = seed.organization("Alpha");
        let flags = [
            "--mobile",
            "--point",
            "12.5,41.9",
            "--address",
            "Vía Ñandú 1",
        ];
        let bus = seed.location("Bus 1", &organization, &flags);
        let root = seed.root();
        let client = server.client(&root);
        Self {
            server,
            root,
            client,
            organization,
            bus,
        }
    }

    async fn move_bus(&self, longitude: f64, latitude: f64) {
        self.client
            .move_location(&self.bus, longitude, latitude)
            .await;
    }
}
