//! Who and what the captured answers are about.

use serde_json::{Value, json};

use super::shape::fits;
use super::stage::{CREDENTIALS, Client, DEVICES, LOCATIONS, PASSWORD, Stage};
use crate::event::OrganizationId;

/// What the table's paths and bodies are about.
pub struct Cast {
    stage: Stage,
    /// At `bus`, and logged in to with `credential`.
    router: String,
    router_key: String,
    /// At no location, without a login.
    parked: String,
    parked_key: String,
    foreign_device: String,
    bus: String,
    foreign_bus: String,
    credential: String,
    foreign_credential: String,
    connection: String,
}

impl Cast {
    pub async fn gather() -> Self {
        let stage = Stage::set_up().await;
        let device = async |name: &str, organization| {
            let body =
                json!({"name": name, "organization": organization, "management_ip": "127.0.0.1"});
            let made = stage.root.post(DEVICES, body).await.expect(201);
            let text = |field: &str| made[field].as_str().unwrap().to_owned();
            (text("id"), text("key"))
        };
        let (router, router_key) = device("router", stage.own).await;
        let (parked, parked_key) = device("parked", stage.own).await;
        let (foreign_device, _) = device("router", stage.other).await;
        let bus = stage.root.make(LOCATIONS, new_bus(stage.own)).await;
        let foreign_bus = stage.root.make(LOCATIONS, new_bus(stage.other)).await;
        let there = format!("{DEVICES}{router}/location/");
        stage
            .root
            .put(&there, json!({"location": bus}))
            .await
            .expect(201);
        let credential = stage.root.make(CREDENTIALS, new_login(stage.own)).await;
        let foreign_credential = stage.root.make(CREDENTIALS, new_login(stage.other)).await;
        let connections = format!("{DEVICES}{router}/connection/");
        let login = json!({"credentials": credential});
        let connection = stage.root.make(&connections, login).await;
        Self {
            stage,
            router,
            router_key,
            parked,
            parked_key,
            foreign_device,
            bus,
            foreign_bus,
            credential,
            foreign_credential,
            connection,
        }
    }

    fn client(&self, who: &str) -> Client {
        match who {
            "root" => self.stage.root.clone(),
            "operator" => self.stage.operator.clone(),
            "nobody" => self.stage.nobody.clone(),
            "bad token" => self.stage.nobody.with("authorization", "Bearer 0123"),
            _ => panic!("not in the cast: {who}"),
        }
    }

    /// Puts the cast's ids into a text.
    fn fill(&self, text: &str) -> String {
        [
            ("{own}", self.stage.own.to_string()),
            ("{other}", self.stage.other.to_string()),
            ("{router}", self.router.clone()),
            ("{router key}", self.router_key.clone()),
            ("{parked}", self.parked.clone()),
            ("{parked key}", self.parked_key.clone()),
            ("{foreign device}", self.foreign_device.clone()),
            ("{bus}", self.bus.clone()),
            ("{foreign bus}", self.foreign_bus.clone()),
            ("{credential}", self.credential.clone()),
            ("{foreign credential}", self.foreign_credential.clone()),
            ("{connection}", self.connection.clone()),
            ("{password}", PASSWORD.to_owned()),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }

    /// Plays one line of the table.
    pub async fn play(&self, (who, method, path, body, status, shape): Line) {
        let path = self.fill(&path);
        let body = match self.fill(&body.to_string()).as_str() {
            "null" => None,
            text => Some(serde_json::from_str(text).unwrap()),
        };
        let shape: Value = serde_json::from_str(&self.fill(&shape.to_string())).unwrap();
        let answer = self.client(&who).send(&method, &path, body).await;
        let told = format!("{who} {method} {path}: {} {}", answer.status, answer.text);
        assert_eq!(answer.status, status, "{told}");
        assert!(fits(&answer.json, &shape), "{told}\nis not {shape}");
        if status != 204 {
            assert_eq!(answer.header("content-type"), "application/json", "{told}");
        }
        assert!(answer.header("allow").ends_with("OPTIONS"), "{told}");
        if status == 401 {
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{told}");
        }
    }
}

/// Who, method, path, body, status, shape of the answer.
pub type Line = (String, String, String, Value, u16, Value);

fn new_bus(organization: OrganizationId) -> Value {
    json!({
        "name": "bus", "type": "outdoor", "is_mobile": true, "address": "Via dè Città 1, Roma",
        "organization": organization,
        "geometry": {"type": "Point", "coordinates": [12.512_124, 41.898_903]},
    })
}

fn new_login(organization: OrganizationId) -> Value {
    let params = json!({"username": "root", "password": "kept to itself"});
    json!({"name": "routers", "organization": organization, "params": params})
}
