//! That the OpenAPI document says what the handlers do. `tests/documents.rs` compares what they answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::stage::{
    CREDENTIALS, Client, DEVICES, GROUPS, LOCATIONS, OWN_ORIGIN, Stage, USERS, new_user,
};
use crate::access::Permission;
use crate::api::{openapi, resources};

const PATH: &str = "/api/v1/openapi.json";

/// Rows of a list are spared the devices that a batch named, and only a dry run has results.
const LEFT_OUT: [&str; 2] = ["Batch.devices", "Batch.results"];

/// A method of a path, and what the document says of it.
struct Operation {
    method: String,
    path: String,
    said: Value,
}

fn document() -> Value {
    serde_json::from_str(&openapi()).unwrap()
}

fn operations() -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, said) in item.as_object().unwrap() {
            found.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                said: said.clone(),
            });
        }
    }
    found
}

impl Operation {
    fn name(&self) -> &str {
        self.said["operationId"].as_str().unwrap()
    }

    /// The path with identifiers that nothing has.
    fn path_to_nothing(&self) -> String {
        let mut path = self.path.clone();
        while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
            path.replace_range(from..=to, "00000000-0000-4000-8000-000000000009");
        }
        path
    }

    /// The permissions that it names, for whoever has logged in and is no superuser.
    fn permissions(&self) -> Option<Vec<String>> {
        self.roles().filter(|roles| *roles != ["superuser"])
    }

    fn roles(&self) -> Option<Vec<String>> {
        let requirements = self.said["security"].as_array()?;
        let roles = requirements.iter().find_map(|it| it["token"].as_array())?;
        let roles = roles.iter().map(|role| role.as_str().unwrap().to_owned());
        Some(roles.collect())
    }

    /// The fields of a JSON body.
    fn fields(&self, document: &Value) -> Option<Vec<String>> {
        let schema = &self.said["requestBody"]["content"]["application/json"]["schema"];
        schema["$ref"]
            .is_string()
            .then(|| fields_of(schema, document))
    }
}

/// The properties of a schema, also of those that it refers to and is put together of.
fn fields_of(schema: &Value, document: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return fields_of(document.pointer(&reference[1..]).unwrap(), document);
    }
    let own = schema["properties"].as_object().into_iter().flatten();
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.map(|(name, _)| name.clone())
        .chain(parts.flat_map(|part| fields_of(part, document)))
        .collect()
}

#[test]
fn every_operation_is_described_once_under_its_handlers_name() {
    let tags = document()["tags"].clone();
    let tags: Vec<&Value> = tags
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| &tag["name"])
        .collect();
    let mut names = BTreeSet::new();
    for operation in operations() {
        let (name, said) = (operation.name(), &operation.said);
        assert!(names.insert(name.to_owned()), "{name} is there twice");
        assert!(
            said["summary"].as_str().is_some_and(|it| !it.is_empty()),
            "{name}: no summary"
        );
        assert!(
            tags.contains(&&said["tags"][0]),
            "{name}: its tag is not in TAGS"
        );
        let body = &said["requestBody"]["content"]["application/json"];
        assert!(
            body.is_null() || body["example"].is_object(),
            "{name}: no example of a body"
        );
        let schema = body["schema"]["$ref"].as_str().unwrap_or("Body");
        assert!(
            schema.ends_with("Body") || schema.ends_with("BodyInPart"),
            "{name}: the struct of a body is called …Body, not {schema}"
        );
        assert!(
            operation.path.ends_with('/') || operation.path == PATH,
            "{}: the slash at the end is canonical",
            operation.path
        );
        for (status, response) in said["responses"].as_object().unwrap() {
            let is_said = response["$ref"].is_string() || response["description"] != "";
            assert!(is_said, "{name}: {status} says nothing");
        }
    }
}

#[test]
fn a_row_of_the_table_is_one_path_and_a_schemas_name_one_schema() {
    let mut schemas = std::collections::BTreeMap::new();
    for (named, paths, _) in resources() {
        let paths: Vec<_> = paths.paths.keys().collect();
        assert_eq!(
            paths.len(),
            1,
            "handlers of several paths in a row: {paths:?}"
        );
        for (name, schema) in named {
            let before = schemas.insert(name.clone(), schema.clone());
            assert!(
                before.is_none_or(|before| before == schema),
                "two schemas are called {name}"
            );
        }
    }
}

#[test]
fn answers_always_have_all_their_fields() {
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        let Some(properties) = schema["properties"].as_object() else {
            continue;
        };
        if name.contains("Body") {
            continue;
        }
        let required: Vec<_> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .collect();
        for property in properties.keys() {
            let is_required = required.contains(&&json!(property));
            let field = format!("{name}.{property}");
            let may_miss = LEFT_OUT.contains(&field.as_str());
            assert!(is_required != may_miss, "{field}: required {is_required}");
        }
    }
}

#[tokio::test]
async fn the_methods_of_each_path_are_the_documented_ones() {
    let stage = Stage::set_up().await;
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let operation = operations()
            .into_iter()
            .find(|it| it.path == *path)
            .unwrap();
        let allow = stage
            .nobody
            .send("OPTIONS", &operation.path_to_nothing(), None)
            .await;
        assert_eq!(allow.status, 204, "{path}");
        let allowed: BTreeSet<_> = allow
            .header("allow")
            .split(", ")
            .filter(|method| !["HEAD", "OPTIONS"].contains(method))
            .map(str::to_lowercase)
            .collect();
        let documented: BTreeSet<_> = item.as_object().unwrap().keys().cloned().collect();
        assert_eq!(allowed, documented, "{path}");
    }
}

#[tokio::test]
async fn who_may_is_who_is_documented() {
    let stage = Stage::set_up().await;
    let all: BTreeSet<String> = operations()
        .iter()
        .filter_map(Operation::permissions)
        .flatten()
        .collect();
    for operation in operations() {
        let Operation { method, path, .. } = &operation;
        let target = operation.path_to_nothing();
        // A log-in reads its body before it knows who asks.
        let nobody = stage.nobody.send(method, &target, Some(json!({}))).await;
        let needs_login = operation.said["security"].is_array();
        assert_eq!(
            nobody.status == 401,
            needs_login,
            "{method} {path}: {}",
            nobody.text
        );
        let Some(permissions) = operation.permissions() else {
            continue;
        };
        let named: Vec<&str> = permissions.iter().map(String::as_str).collect();
        let user = stage
            .add_manager(&format!("may {}", operation.name()), &named)
            .await;
        let answer = user.send(method, &target, Some(json!({}))).await;
        assert!(
            ![401, 403].contains(&answer.status),
            "{method} {path}: {}",
            answer.text
        );
        for missing in &named {
            let change = missing.replace(".view_", ".change_");
            let others: Vec<&str> = all
                .iter()
                .map(String::as_str)
                .filter(|other| other != missing && *other != change)
                .collect();
            let name = format!("may not {}", operation.name());
            let user = stage.add_manager(&name, &others).await;
            let answer = user.send(method, &target, Some(json!({}))).await;
            assert_eq!(
                answer.status, 403,
                "{method} {path} without {missing}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn what_is_for_superusers_is_refused_to_who_has_every_permission() {
    let stage = Stage::set_up().await;
    let every: Vec<String> = Permission::all().map(|it| it.to_string()).collect();
    let every: Vec<&str> = every.iter().map(String::as_str).collect();
    let user = stage.add_manager("may all but everything", &every).await;
    let for_superusers = |it: &Operation| it.roles().is_some_and(|roles| roles == ["superuser"]);
    for operation in operations().into_iter().filter(for_superusers) {
        let path = operation.path_to_nothing();
        let asked = |client: Client| {
            let (method, path) = (operation.method.clone(), path.clone());
            async move { client.send(&method, &path, Some(json!({}))).await.status }
        };
        assert_eq!(asked(user.clone()).await, 403, "{}", operation.name());
        assert_ne!(asked(stage.root.clone()).await, 403, "{}", operation.name());
    }
}

#[test]
fn every_permission_is_one_that_there_is() {
    for operation in operations() {
        for permission in operation.permissions().unwrap_or_default() {
            assert!(
                permission.parse::<Permission>().is_ok(),
                "{}: {permission}",
                operation.name()
            );
        }
    }
}

/// A list of a list is right for no field: what is read is told to be wrong.
#[tokio::test]
async fn every_documented_field_of_a_body_is_read() {
    let stage = Stage::set_up().await;
    let document = document();
    let device = stage.add_router("router").await;
    let connections = stage
        .root
        .get(&format!("{device}connection/"))
        .await
        .expect(200);
    let key = stage.root.get(&device).await.expect(200)["key"].clone();
    let credential = stage.add_credential("other").await;
    let place =
        json!({"name": "Depot", "type": "outdoor", "is_mobile": true, "organization": stage.own});
    let location = stage.root.make(LOCATIONS, place).await;
    let body = json!({"location": location});
    stage
        .root
        .put(&format!("{device}location/"), body)
        .await
        .expect(201);
    let feature = json!({"geometry": {"type": "Point", "coordinates": [1, 2]}});
    let coordinates = format!("{device}coordinates/?key={}", key.as_str().unwrap());
    stage.nobody.put(&coordinates, feature).await.expect(200);
    let connection = connections["results"][0]["id"].as_str().unwrap();
    let user = stage.root.make(USERS, new_user("ada")).await;
    let group = stage.root.make(GROUPS, json!({"name": "group"})).await;
    for operation in operations() {
        let Some(fields) = operation.fields(&document) else {
            continue;
        };
        let path = operation
            .path
            .replace(&format!("{DEVICES}{{id}}/"), &device)
            .replace("{connection_id}", connection)
            .replace(
                &format!("{CREDENTIALS}{{id}}"),
                &format!("{CREDENTIALS}{credential}"),
            )
            .replace(
                &format!("{LOCATIONS}{{id}}"),
                &format!("{LOCATIONS}{location}"),
            )
            .replace(&format!("{USERS}{{id}}"), &format!("{USERS}{user}"))
            .replace(&format!("{GROUPS}{{id}}"), &format!("{GROUPS}{group}"))
            .replace("organization/{id}", &format!("organization/{}", stage.own))
            .replace(
                "/coordinates/",
                &format!("/coordinates/?key={}", key.as_str().unwrap()),
            );
        let mut body = json!({});
        for property in fields {
            body[property] = json!([[]]);
        }
        let runs = ["create_command", "create_batch"].contains(&operation.name());
        if runs {
            // What is right for `input` only the type knows.
            body["type"] = json!("custom");
        }
        let answer = stage
            .root
            .with("origin", OWN_ORIGIN)
            .send(&operation.method, &path, Some(body.clone()))
            .await;
        let errors = answer.expect(400);
        for property in body.as_object().unwrap().keys() {
            let is_right = property == "type" && runs;
            assert!(
                is_right || !errors[property].is_null(),
                "{}: {property} is not read: {errors}",
                operation.name()
            );
        }
    }
}

#[tokio::test]
async fn the_document_is_for_everybody_and_kept_by_browsers() {
    let stage = Stage::set_up().await;
    let answer = stage.nobody.get(PATH).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, openapi());
    assert_eq!(answer.header("content-type"), "application/json");
    let tag = answer.header("etag").to_owned();
    let known = stage.nobody.with("if-none-match", &tag).get(PATH).await;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    assert_eq!(known.header("etag"), tag);
    let head = stage.nobody.send("HEAD", PATH, None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    stage.nobody.post(PATH, json!({})).await.expect(405);
}
