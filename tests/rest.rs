//! The REST interface from outside: OpenWISP's paths, shapes, status codes and tenancy, and a clear
//! answer to whatever else comes.

mod bad_input;
mod commands;
mod connections;
mod coordinates;
mod credentials;
mod devices;
mod escalation;
mod locations;
mod login;
mod meanwhile;
mod operation;
mod people;
mod proxies;
mod setup;

use serde_json::{Value, json};

use crate::support::{Client, Credential, Engine, Seed, Server};

const DEVICES: &str = "/api/v1/controller/device/";
const CREDENTIALS: &str = "/api/v1/controller/credential/";
const LOCATIONS: &str = "/api/v1/controller/location/";
const USERS: &str = "/api/v1/users/user/";
const GROUPS: &str = "/api/v1/users/group/";
const ORGANIZATIONS: &str = "/api/v1/users/organization/";
const ME: &str = "/api/v1/users/me/";
const TOKEN: &str = "/api/v1/users/token/";

/// Two tenants, an operator of the first, and clients for each kind of user.
struct Stage {
    server: Server,
    own: String,
    other: String,
    root: Client,
    operator: Client,
    nobody: Client,
}

impl Stage {
    async fn set_up() -> Self {
        Self::set_up_with(&[]).await
    }

    async fn set_up_with(settings: &[(&str, &str)]) -> Self {
        Self::set_up_on(Engine::Sqlite, settings).await
    }

    async fn set_up_on(engine: Engine, settings: &[(&str, &str)]) -> Self {
        let mut server = Server::prepare(engine, settings).await;
        server.run().await;
        let seed = Seed(&server);
        let own = seed.organization("Own");
        let other = seed.organization("Other");
        let root = server.client(&seed.root());
        let flags = ["--staff", "--group", "Operator", "--manages", &own];
        let operator = server.client(&seed.user_with_token("operator", &flags));
        let nobody = server.client(&Credential::Nobody);
        Self {
            server,
            own,
            other,
            root,
            operator,
            nobody,
        }
    }

    fn seed(&self) -> Seed<'_> {
        Seed(&self.server)
    }

    /// A credential of the first tenant with this password: its id.
    async fn credential(&self, name: &str, password: &str) -> String {
        let params = json!({"username": "root", "password": password});
        let body = json!({"name": name, "organization": self.own, "params": params});
        let made = self.root.post(CREDENTIALS, &body).await.expect(201);
        text(&made["id"])
    }

    /// A device of the first tenant that commands may be asked of, though it is nowhere to be
    /// reached: its id.
    async fn router(&self, name: &str) -> String {
        let device = self.seed().device(name, &self.own);
        let login = json!({"credentials": self.credential(name, "kept to itself").await});
        let path = format!("{}connection/", one(DEVICES, &device.id));
        self.root.post(&path, &login).await.expect(201);
        device.id
    }

    /// A token client of a user with these flags.
    fn client_of(&self, name: &str, flags: &[&str]) -> Client {
        self.server
            .client(&self.seed().user_with_token(name, flags))
    }
}

/// The keys of an object, in order.
fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

/// A text of an answer.
fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Checks a timestamp: UTC with microseconds and `Z`.
fn assert_timestamp(value: &Value) {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("no timestamp: {value}"));
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    assert!(
        parsed.is_ok() && text.len() == 27 && text.ends_with('Z'),
        "{text}"
    );
}

/// The path of one device or location.
fn one(list: &str, id: &str) -> String {
    format!("{list}{id}/")
}

/// An id that nothing has.
const NOBODYS_ID: &str = "00000000-0000-4000-8000-000000000009";
