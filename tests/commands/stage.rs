//! A server and the routers that it reaches.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::watcher::{Watcher, is_final, text};
use super::witness::Witness;
use crate::support::ssh::{self, Account};
use crate::support::{Client, Credential, Engine, Seed, Server, eventually, free_address};

pub const DEVICES: &str = "/api/v1/controller/device/";
pub const CREDENTIALS: &str = "/api/v1/controller/credential/";

/// A server, its superuser, and one organization.
pub struct Stage {
    pub server: Server,
    pub token: Credential,
    pub root: Client,
    pub organization: String,
    pub witness: Witness,
}

/// A device that commands can be asked of.
pub struct Router {
    pub id: String,
    pub connection: String,
}

impl Router {
    pub fn path(&self) -> String {
        format!("{DEVICES}{}/", self.id)
    }

    /// The list of its commands.
    pub fn commands(&self) -> String {
        format!("{}command/", self.path())
    }

    pub fn command(&self, id: &str) -> String {
        format!("{}{id}/", self.commands())
    }

    pub fn connection(&self) -> String {
        format!("{}connection/{}/", self.path(), self.connection)
    }
}

impl Stage {
    pub async fn set_up() -> Self {
        Self::set_up_on(Engine::Sqlite, &[]).await
    }

    pub async fn set_up_on(engine: Engine, settings: &[(&str, &str)]) -> Self {
        Self::set_up_with(engine, settings, "").await
    }

    /// With a configuration file besides.
    pub async fn set_up_with(
        engine: Engine,
        settings: &[(&str, &str)],
        configuration: &str,
    ) -> Self {
        // A busy machine is not a dead router; later ones win.
        let patient = [
            ("COMMANDS__CONNECT_TIMEOUT_S", "20"),
            ("COMMANDS__AUTHENTICATION_TIMEOUT_S", "20"),
            ("COMMANDS__TIMEOUT_S", "60"),
        ];
        let mut server = Server::prepare(engine, &[&patient, settings].concat()).await;
        if !configuration.is_empty() {
            server.file("fleetwire.toml", configuration);
        }
        server.run().await;
        let seed = Seed(&server);
        let organization = seed.organization("Alpha");
        let token = seed.root();
        Self {
            root: server.client(&token),
            token,
            organization,
            witness: Witness::new(),
            server,
        }
    }

    /// A credential's id; `params` as REST takes them.
    pub async fn credential(&self, name: &str, params: Value) -> String {
        let body = json!({"name": name, "organization": self.organization, "params": params});
        let made = self.root.post(CREDENTIALS, &body).await.expect(201);
        text(&made, "id")
    }

    /// A device at these addresses that is logged in to with this credential.
    pub async fn router_with(&self, name: &str, addresses: &[&str], credential: &str) -> Router {
        let body = json!({"name": name, "organization": self.organization, "addresses": addresses});
        let device = self.root.post(DEVICES, &body).await.expect(201);
        let id = text(&device, "id");
        let connection = self.connect(&id, credential).await;
        Router { id, connection }
    }

    /// Lets a device use a credential; the connection's id.
    pub async fn connect(&self, device: &str, credential: &str) -> String {
        let path = format!("{DEVICES}{device}/connection/");
        let body = json!({"credentials": credential});
        let made = self.root.post(&path, &body).await.expect(201);
        text(&made, "id")
    }

    /// A device at these addresses that is logged in to with the account of the tests.
    pub async fn router_at(&self, name: &str, addresses: &[&str]) -> Router {
        let credential = self.credential(name, password()).await;
        self.router_with(name, addresses, &credential).await
    }

    /// A device that is this SSH server.
    pub async fn router(&self, name: &str, device: &ssh::Server) -> Router {
        self.router_at(name, &[&device.address().to_string()]).await
    }

    pub async fn watch(&self, router: &Router) -> Watcher {
        Watcher::open(&self.server, &router.id, &self.token).await
    }

    /// Asks for a custom command; its id.
    pub async fn ask(&self, router: &Router, line: &str) -> String {
        self.ask_for(router, &custom(line)).await
    }

    pub async fn ask_for(&self, router: &Router, body: &Value) -> String {
        let asked = self.root.post(&router.commands(), body).await.expect(201);
        assert_eq!(asked["status"], "in-progress");
        text(&asked, "id")
    }

    /// Asks for a command's end.
    pub async fn cancel(&self, router: &Router, id: &str) -> Value {
        let path = format!("{}cancel/", router.command(id));
        self.root.post(&path, &json!({})).await.expect(202)
    }

    /// The command as it is now.
    pub async fn seen(&self, router: &Router, id: &str) -> Value {
        self.root.get(&router.command(id)).await.expect(200)
    }

    /// The command once this much has been saved of what it printed.
    pub async fn saved(&self, router: &Router, id: &str, output: &str) {
        eventually("the output is saved", async || {
            (self.seen(router, id).await["output"] == output).then_some(())
        })
        .await;
    }

    /// The command after its end.
    pub async fn ended(&self, router: &Router, id: &str) -> Value {
        eventually("the command ends", async || {
            Some(self.seen(router, id).await).filter(is_final)
        })
        .await
    }

    /// Asks for a custom command, and answers with how it ended.
    pub async fn run(&self, router: &Router, line: &str) -> Value {
        let id = self.ask(router, line).await;
        self.ended(router, &id).await
    }
}

/// The body that asks for a custom command.
pub fn custom(line: &str) -> Value {
    json!({"type": "custom", "input": {"command": line}})
}

/// How the account of the tests logs in.
pub fn password() -> Value {
    let account = Account::of_the_tests();
    json!({"username": account.user, "password": account.password})
}

/// An address that nobody listens at.
pub fn closed_address() -> SocketAddr {
    free_address()
}

/// What a command says of how it ended: its status, exit code and output.
pub fn outcome(command: &Value) -> (&str, &Value, &str) {
    (
        command["status"].as_str().unwrap(),
        &command["exit_code"],
        command["output"].as_str().unwrap(),
    )
}
