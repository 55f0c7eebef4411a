//! Attempts to get at rights that one does not have: `escalation.json` says who tries what, and how it
//! is refused. After each nothing has changed, and no password that was sent is written anywhere.

use std::fmt::Write as _;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GROUPS, ORGANIZATIONS, Stage, TOKEN, USERS, text};
use crate::conformance::Names;
use crate::support::{Client, Credential, PASSWORD};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[expect(dead_code, reason = "for readers of the table")]
    about: String,
    attempts: Vec<Attempt>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Attempt {
    who: String,
    rule: String,
    method: String,
    path: String,
    body: Option<Value>,
    raw: Option<String>,
    status: u16,
    #[serde(default)]
    says: String,
}

const PEOPLE: [&str; 9] = [
    "boss", "dormant", "shared", "stranger", "staffer", "chief", "manager", "clerk", "helper",
];
/// What the manager lacks.
const MORE: &str = "config.delete_device";
/// What all secrets of the table begin with.
const SECRET: &str = "t0psecret";

/// A house with everybody in it whom the table tells of.
struct House {
    stage: Stage,
    names: Names,
    tokens: Vec<(&'static str, String)>,
}

impl House {
    async fn build() -> Self {
        let stage = Stage::set_up_with(&[("LOG__LEVEL", "trace")]).await;
        let off = stage.seed().organization("Off");
        let mut names = Names::default();
        for (name, id) in [("own", &stage.own), ("other", &stage.other), ("off", &off)] {
            names.set(name, id);
        }
        for name in ["Powers", "Crew", "Mixed", "Mine", "Free"] {
            let gives = if name == "Powers" {
                MORE
            } else {
                "geo.view_location"
            };
            let group = stage
                .server
                .cli(&["group", "add", name, "--permission", gives]);
            names.set(name, &text(&group["id"]));
        }
        let operators = stage.server.cli(&["group", "show", "Operator"]);
        names.set("Operator", &text(&operators["id"]));
        let mut house = Self {
            stage,
            names,
            tokens: Vec::new(),
        };
        house.let_in();
        let server = &house.stage.server;
        server.cli(&["user", "set", "dormant", "--inactive"]);
        server.cli(&["org", "set", "off", "--inactive"]);
        house
    }

    fn let_in(&mut self) {
        let seed = self.stage.seed();
        let everything = rights(&["user", "group", "organization", "organizationuser"]);
        let less = rights(&["user", "organizationuser"]);
        let helper = "--permission=openwisp_users.change_user --permission=geo.view_location";
        for (name, flags, rights) in [
            ("member", "--member {own} --group Crew", ""),
            (
                "boss",
                "--manages {own} --permission config.delete_device",
                "",
            ),
            ("dormant", "--manages {own} --group Powers", ""),
            (
                "shared",
                "--member {own} --manages {other} --group Mixed",
                "",
            ),
            ("stranger", "--manages {other}", ""),
            ("staffer", "--staff --member {own}", ""),
            ("chief", "--superuser --member {own}", ""),
            (
                "manager",
                "--staff --manages {own} --manages {off} --group Mine",
                &*everything,
            ),
            ("clerk", "--manages {own}", &less),
            ("helper", "--staff --manages {own}", helper),
        ] {
            let flags = format!("{flags} --email={name}@example.org {rights}");
            let flags = self.names.fill(&flags);
            let id = seed.user(name, &flags.split_whitespace().collect::<Vec<_>>());
            self.names.set(name, &id);
        }
        for name in ["manager", "clerk", "helper", "operator", "member"] {
            let Credential::Token(token) = seed.token(name) else {
                unreachable!()
            };
            self.tokens.push((name, token));
        }
    }

    async fn client(&self, who: &str) -> Client {
        let server = &self.stage.server;
        match who {
            "root" => self.stage.root.clone(),
            "nobody" => self.stage.nobody.clone(),
            "with a token of its own making" => {
                server.client(&Credential::Token("0123456789".repeat(4)))
            }
            "foreign page" => {
                let session = self.stage.nobody.session("root").await;
                let client = server.client(&session);
                client.with_header("origin", "http://evil.example.org")
            }
            name => {
                let known = self.tokens.iter().find(|(known, _)| *known == name);
                let (_, token) = known.unwrap_or_else(|| panic!("not in the house: {name}"));
                server.client(&Credential::Token(token.clone()))
            }
        }
    }

    /// Everything that somebody could have changed.
    async fn state(&self) -> Value {
        let all = async |path: &str| {
            let path = format!("{path}?page_size=100");
            self.stage.root.get(&path).await.expect(200)
        };
        json!([
            all(USERS).await,
            all(GROUPS).await,
            all(ORGANIZATIONS).await
        ])
    }

    async fn try_it(&self, attempt: &Attempt, number: usize) {
        let secret = format!("{SECRET}-{number}");
        let fill = |text: &str| self.names.fill(text).replace("{secret}", &secret);
        let body = match (&attempt.raw, &attempt.body) {
            (Some(raw), _) => Some(fill(raw)),
            (None, body) => body.as_ref().map(|body| fill(&body.to_string())),
        };
        let method = Method::from_bytes(attempt.method.as_bytes()).unwrap();
        let path = format!("/api/v1/users/{}", fill(&attempt.path));
        let client = self.client(&attempt.who).await;
        let answer = client.send(method, &path, body).await;
        let told = format!(
            "{} {}: {} {}",
            attempt.who, attempt.rule, answer.status, answer.text
        );
        assert_eq!(answer.status, attempt.status, "{told}");
        assert!(answer.text.contains(&attempt.says), "{told}");
        assert!(!answer.text.contains(SECRET), "{told}");
    }
}

/// Flags that give every right over these models, and to see locations.
fn rights(models: &[&str]) -> String {
    let mut flags = "--permission=geo.view_location".to_owned();
    for model in models {
        for action in ["add", "change", "delete", "view"] {
            let _ = write!(flags, " --permission=openwisp_users.{action}_{model}");
        }
    }
    flags
}

#[tokio::test]
async fn whoever_reaches_for_more_rights_is_refused_and_nothing_changes() {
    let table: Table = serde_json::from_str(include_str!("escalation.json")).unwrap();
    let house = House::build().await;
    let before = house.state().await;
    for (number, attempt) in table.attempts.iter().enumerate() {
        house.try_it(attempt, number).await;
        let after = house.state().await;
        assert_eq!(after, before, "{} {}", attempt.who, attempt.rule);
    }
    for name in PEOPLE.into_iter().filter(|name| *name != "dormant") {
        let login = json!({"username": name, "password": PASSWORD});
        house.stage.nobody.post(TOKEN, &login).await.expect(200);
    }
    // Neither in the log nor in the database, of which the audit log is a part.
    let server = &house.stage.server;
    let nowhere = [] as [std::path::PathBuf; 0];
    assert_eq!(server.files_with(SECRET), nowhere);
    for (name, token) in &house.tokens {
        assert_eq!(server.files_with(token), nowhere, "the token of {name}");
    }
    assert!(
        server.log().contains("a request was refused"),
        "the log says nothing at all"
    );
}
