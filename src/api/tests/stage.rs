//! What the tests play on: the router over a real database in a directory of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::access::{Permission, password};
use crate::api;
use crate::app::App;
use crate::config::Config;
use crate::event::OrganizationId;
use crate::store::{Engine, NewAccount};

/// What every user of the stage logs in with.
pub const PASSWORD: &str = "correct horse battery";
/// How the stage's clients address the server.
pub const OWN_ORIGIN: &str = "http://ow.test";

pub const DEVICES: &str = "/api/v1/controller/device/";
pub const CREDENTIALS: &str = "/api/v1/controller/credential/";
pub const LOCATIONS: &str = "/api/v1/controller/location/";
pub const USERS: &str = "/api/v1/users/user/";
pub const GROUPS: &str = "/api/v1/users/group/";
pub const ORGANIZATIONS: &str = "/api/v1/users/organization/";
pub const ME: &str = "/api/v1/users/me/";
pub const TOKEN: &str = "/api/v1/users/token/";
pub const LOGIN: &str = "/accounts/login/";
pub const LOGOUT: &str = "/accounts/logout/";

/// Two organizations, a superuser `root` and an operator `operator` of the first.
pub struct Stage {
    pub app: Arc<App>,
    pub own: OrganizationId,
    pub other: OrganizationId,
    pub root: Client,
    pub operator: Client,
    pub nobody: Client,
    // Removed when the stage is.
    _directory: TempDir,
}

/// Somebody with certain headers.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null when the text is no JSON.
    pub json: Value,
}

/// A user to be made, who belongs nowhere.
pub fn new_user(name: &str) -> Value {
    json!({"username": name, "password": PASSWORD, "email": format!("{name}@example.org")})
}

/// A body with other fields, or with some more.
pub fn with(mut body: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

impl Stage {
    pub async fn set_up() -> Self {
        Self::set_up_with(Config::default()).await
    }

    pub async fn set_up_with(config: Config) -> Self {
        let directory = TempDir::new().unwrap();
        let engine = Engine::Sqlite {
            directory: directory.path().to_owned(),
        };
        let app = Arc::new(App::open(config, &engine, directory.path()).await.unwrap());
        let router = api::routes().with_state(Arc::clone(&app));
        let own = app.store.add_organization("Own").await.unwrap().id;
        let other = app.store.add_organization("Other").await.unwrap().id;
        let nobody = Client {
            router,
            headers: vec![("host", "ow.test".into())],
        };
        let mut stage = Self {
            root: nobody.clone(),
            operator: nobody.clone(),
            nobody,
            app,
            own,
            other,
            _directory: directory,
        };
        let group = stage.app.store.find_group("Operator").await.unwrap();
        let root = NewAccount {
            is_superuser: true,
            ..NewAccount::default()
        };
        stage.root = stage.add_user("root", root).await;
        let operator = NewAccount {
            groups: vec![group.id],
            manages: vec![own],
            ..NewAccount::default()
        };
        stage.operator = stage.add_user("operator", operator).await;
        stage
    }

    /// A staff user, and a client with a token of that user.
    pub async fn add_user(&self, name: &str, new: NewAccount) -> Client {
        let new = NewAccount {
            username: name.into(),
            password_hash: Some(password::hash_blocking(PASSWORD).unwrap()),
            is_staff: true,
            ..new
        };
        let account = self.app.store.add_user(&new).await.unwrap();
        let (_, secret) = self.app.store.add_token(account.id, "test").await.unwrap();
        self.nobody
            .with("authorization", &format!("Bearer {secret}"))
    }

    /// A manager of the first organization who has just these permissions.
    pub async fn add_manager(&self, name: &str, permissions: &[&str]) -> Client {
        let permissions: Vec<Permission> = permissions
            .iter()
            .map(|permission| permission.parse().unwrap())
            .collect();
        let new = NewAccount {
            permissions,
            manages: vec![self.own],
            ..NewAccount::default()
        };
        self.add_user(name, new).await
    }

    /// A manager of the first organization with the rights of the group `Administrator`.
    pub async fn administrator(&self) -> Client {
        let group = self.app.store.find_group("Administrator").await.unwrap();
        let new = NewAccount {
            groups: vec![group.id],
            manages: vec![self.own],
            ..NewAccount::default()
        };
        self.add_user("administrator", new).await
    }

    /// The id of a user.
    pub async fn id_of(&self, username: &str) -> String {
        let account = self.app.store.find_user(username).await.unwrap();
        account.id.to_string()
    }

    /// A device of the first organization: its path.
    pub async fn add_device(&self, name: &str) -> String {
        let body = json!({"name": name, "organization": self.own});
        format!("{DEVICES}{}/", self.root.make(DEVICES, body).await)
    }

    /// A credential of the first organization, with a password: its id.
    pub async fn add_credential(&self, name: &str) -> String {
        let params = json!({"username": "root", "password": "kept to itself"});
        let body = json!({"name": name, "organization": self.own, "params": params});
        self.root.make(CREDENTIALS, body).await
    }

    /// A device that commands may run on: its path.
    pub async fn add_router(&self, name: &str) -> String {
        let device = self.add_device(name).await;
        let login = json!({"credentials": self.add_credential(name).await});
        self.root.make(&format!("{device}connection/"), login).await;
        device
    }

    /// A browser that `username` has logged in with.
    pub async fn browser(&self, username: &str) -> Client {
        let fields = json!({"username": username, "password": PASSWORD});
        let answer = self.nobody.send("POST", LOGIN, Some(fields)).await;
        self.nobody
            .with("cookie", &answer.cookie())
            .with("origin", OWN_ORIGIN)
    }
}

impl Client {
    /// The same client with a header more, or another value of one it had.
    pub fn with(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(other, _)| *other != name);
        client.headers.push((name, value.to_owned()));
        client
    }

    /// The same client with a header less.
    pub fn without(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(other, _)| *other != name);
        client
    }

    /// Sends a request with JSON, or without a body.
    pub async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        match body {
            None => self.send_text(method, path, None, "").await,
            Some(json) => {
                let text = json.to_string();
                self.send_text(method, path, Some("application/json"), &text)
                    .await
            }
        }
    }

    /// Sends a request with whatever body.
    pub async fn send_text(
        &self,
        method: &str,
        path: &str,
        media_type: Option<&str>,
        body: &str,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        answer(
            &self.router,
            request.body(Body::from(body.to_owned())).unwrap(),
        )
        .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None).await
    }

    /// The id of what a POST to `path` made.
    pub async fn make(&self, path: &str, body: Value) -> String {
        let made = self.post(path, body).await.expect(201);
        made["id"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    /// The JSON, if this is the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Name and value of the cookie that was set.
    pub fn cookie(&self) -> String {
        self.header("set-cookie")
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    }
}

async fn answer(router: &Router, mut request: Request) -> Answer {
    let peer: SocketAddr = "192.0.2.7:40000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(bytes.into()).unwrap();
    let json = serde_json::from_str(&text).unwrap_or_default();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text,
        json,
    }
}
