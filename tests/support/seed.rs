//! What a server is filled with, by its own command line.

use serde_json::Value;

use super::{Client, Credential, Server};

/// The password of every seeded user.
pub const PASSWORD: &str = "correct horse battery";

/// A device and the key that it authenticates itself with.
#[derive(Clone, Debug)]
pub struct Device {
    pub id: String,
    pub key: String,
}

/// Makes things by the command line of a server.
pub struct Seed<'a>(pub &'a Server);

impl Seed<'_> {
    /// An organization's id.
    pub fn organization(&self, name: &str) -> String {
        id(&self.0.cli(&["org", "add", name]))
    }

    /// A user with [`PASSWORD`]; `flags` are those of `user add`.
    pub fn user(&self, name: &str, flags: &[&str]) -> String {
        let arguments = [&["user", "add", name, "--password-stdin"], flags].concat();
        id(&self.0.cli_with_input(&arguments, &format!("{PASSWORD}\n")))
    }

    /// A new token of a user.
    pub fn token(&self, user: &str) -> Credential {
        let answer = self.0.cli(&["token", "add", user]);
        Credential::Token(text(&answer["token"]))
    }

    /// A user as [`Seed::user`] makes it, and a token of it.
    pub fn user_with_token(&self, name: &str, flags: &[&str]) -> Credential {
        self.user(name, flags);
        self.token(name)
    }

    /// A superuser's token.
    pub fn root(&self) -> Credential {
        self.user_with_token("root", &["--superuser", "--staff"])
    }

    pub fn device(&self, name: &str, organization: &str) -> Device {
        let answer = self.0.cli(&["device", "add", name, "--org", organization]);
        Device {
            id: id(&answer),
            key: text(&answer["key"]),
        }
    }

    /// A credential of an organization: root's login with a password.
    pub fn credential(&self, name: &str, organization: &str, password: &str) {
        let arguments = [
            &["credential", "add", name, "--org", organization][..],
            &["--username", "root", "--password-stdin"],
        ];
        self.0
            .cli_with_input(&arguments.concat(), &format!("{password}\n"));
    }

    /// A location's id; `flags` are those of `location add`.
    pub fn location(&self, name: &str, organization: &str, flags: &[&str]) -> String {
        let arguments = [&["location", "add", name, "--org", organization], flags].concat();
        id(&self.0.cli(&arguments))
    }
}

impl Device {
    /// The path that the device reports its coordinates to.
    pub fn coordinates_path(&self) -> String {
        format!(
            "/api/v1/controller/device/{}/coordinates/?key={}",
            self.id, self.key
        )
    }
}

impl Client {
    /// Moves a location, which must succeed.
    pub async fn move_location(&self, id: &str, longitude: f64, latitude: f64) {
        let body = serde_json::json!({"geometry": super::point(longitude, latitude)});
        self.patch(&format!("/api/v1/controller/location/{id}/"), &body)
            .await
            .expect(200);
    }

    /// The session of a user with [`PASSWORD`], as a browser gets it.
    pub async fn session(&self, username: &str) -> Credential {
        let answer = self.log_in(username, PASSWORD).await;
        answer.session()
    }
}

fn id(answer: &Value) -> String {
    text(&answer["id"])
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}
