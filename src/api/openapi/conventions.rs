//! What is the same for all handlers, added to what each says of itself.
//!
//! | a handler has | so it gets |
//! |---|---|
//! | `security(("user" = ["app.action_model"]))` | a token or the cookie; 401, 403; a sentence about the permission |
//! | `security(("user" = ["superuser"]))` | the same for what only superusers may |
//! | an identifier in its path | the parameter; 404 |
//! | the parameter `page` | 404 |
//! | a body | 400, 408, 413, and 415 where it may be JSON |
//! | `PATCH` | the body's schema (a struct whose name ends in `Body`) with nothing required |
//! | a schema within another that has a name of its own | a reference to it |
//! | `(status = 429)` and nothing more | the usual answer of that status |
//! | anything | 500, 503 |

mod refusal;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// The name that stands for "a user, however logged in" above a handler.
const USER: &str = "user";

/// The role, in place of a permission, of what only superusers may.
const SUPERUSER: &str = "superuser";

/// Completes the document.
pub fn apply(document: &mut Value) {
    let components = &mut document["components"];
    components["responses"] = refusal::components();
    components["securitySchemes"] = security_schemes();
    let mut relaxed = BTreeSet::new();
    for (path, item) in members(&mut document["paths"]) {
        let item = item.as_object_mut().expect("a path holds operations");
        for (method, operation) in item.iter_mut() {
            let operation = operation
                .as_object_mut()
                .expect("an operation is an object");
            name_permissions(operation);
            name_path_parameters(path, operation);
            if method == "patch" {
                relax_body(operation, &mut relaxed);
            }
            refuse(operation);
            arrange(operation);
        }
        put_first(item, &["get", "post", "put", "patch", "delete"]);
    }
    let schemas = &mut document["components"]["schemas"];
    refer(schemas);
    add_relaxed(schemas, relaxed);
    loosen(document);
}

/// Pages and features hold a copy of the schema of what is in them: makes it a reference.
fn refer(schemas: &mut Value) {
    let named = schemas.clone();
    for (_, schema) in members(schemas) {
        // Not the schema itself, which is a copy of that of its name.
        for part in parts(schema) {
            refer_within(part, &named);
        }
    }
}

fn refer_within(schema: &mut Value, named: &Value) {
    let name = named
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(name, named)| {
            (schema["properties"].is_object() && schema == named).then_some(name)
        });
    if let Some(name) = name {
        *schema = json!({"$ref": format!("#/components/schemas/{name}")});
        return;
    }
    for part in parts(schema) {
        refer_within(part, named);
    }
}

fn members(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

/// What a value holds, object or array.
fn parts(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Object(object) => Box::new(object.values_mut()),
        Value::Array(items) => Box::new(items.iter_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

fn security_schemes() -> Value {
    json!({
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `POST /api/v1/users/token/` or of `fleetwire token add`. `Token …` in place of `Bearer …` is understood too.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "The session that `POST /accounts/login/` began; `login.cookie_name` may call the cookie differently. Whatever is not `GET`, `HEAD` or `OPTIONS` must also carry an `Origin` of this server. A token beside it beats it.",
        },
        "device_key": {
            "type": "apiKey",
            "in": "query",
            "name": "key",
            "description": "The device's field `key`.",
        },
    })
}

/// Says who may: in the requirements, where both ways to log in need the same permissions, and in
/// words.
fn name_permissions(operation: &mut Object) {
    let Some(Value::Array(requirements)) = operation.get_mut("security") else {
        return;
    };
    let mut permissions = None;
    for requirement in std::mem::take(requirements) {
        match requirement.get(USER) {
            None => requirements.push(requirement),
            Some(roles) => {
                requirements.push(json!({ "token": roles }));
                requirements.push(json!({ "session": roles }));
                permissions = Some(roles.clone());
            }
        }
    }
    let Some(permissions) = permissions else {
        return;
    };
    let sentence = permission_sentence(&permissions);
    let description = operation.get("description").and_then(Value::as_str);
    let description = description.map_or(sentence.clone(), |text| format!("{text}\n\n{sentence}"));
    operation.insert("description".into(), description.into());
}

fn permission_sentence(permissions: &Value) -> String {
    let words: Vec<String> = permissions
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|permission| match permission.split_once(".view_") {
            Some((app, model)) => format!("`{permission}` or `{app}.change_{model}`"),
            None if permission == SUPERUSER => "a superuser".to_owned(),
            None => format!("`{permission}`"),
        })
        .collect();
    match words.as_slice() {
        [] => "Whoever is logged in may.".into(),
        words => format!("Needs {}.", words.join(" and ")),
    }
}

/// Each identifier in a path is a UUID, named after what stands before it.
fn name_path_parameters(path: &str, operation: &mut Object) {
    let mut parameters = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for pair in segments.windows(2) {
        let name = pair[1]
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        if let Some(name) = name {
            parameters.push(json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": format!("The identifier of the {}.", pair[0]),
                "schema": {"type": "string", "format": "uuid"},
            }));
        }
    }
    if let Some(Value::Array(others)) = operation.remove("parameters") {
        parameters.extend(others);
    }
    if !parameters.is_empty() {
        operation.insert("parameters".into(), parameters.into());
    }
}

/// Points a body at the schema in which nothing is required.
fn relax_body(operation: &mut Object, relaxed: &mut BTreeSet<String>) {
    let Some(body) = operation.get_mut("requestBody") else {
        return;
    };
    for (_, content) in members(&mut body["content"]) {
        relax_references(&mut content["schema"], relaxed);
    }
}

/// Only schemas of bodies are relaxed: half a position, say, is none.
fn relax_references(value: &mut Value, relaxed: &mut BTreeSet<String>) {
    if let Some(Value::String(reference)) = value.get_mut("$ref")
        && reference.ends_with(BODY_SUFFIX)
    {
        relaxed.insert(name_of(reference).to_owned());
        reference.push_str(RELAXED_SUFFIX);
    }
    for part in parts(value) {
        relax_references(part, relaxed);
    }
}

const BODY_SUFFIX: &str = "Body";
const RELAXED_SUFFIX: &str = "InPart";

fn name_of(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

fn add_relaxed(schemas: &mut Value, mut wanted: BTreeSet<String>) {
    while let Some(name) = wanted.pop_first() {
        if schemas.get(format!("{name}{RELAXED_SUFFIX}")).is_some() {
            continue;
        }
        let mut schema = schemas[&name].clone();
        require_nothing(&mut schema);
        relax_references(&mut schema, &mut wanted);
        schemas[name + RELAXED_SUFFIX] = schema;
    }
}

/// Also of what a struct is put together from.
fn require_nothing(schema: &mut Value) {
    if let Value::Object(schema) = schema {
        schema.remove("required");
        schema
            .get_mut("allOf")
            .into_iter()
            .flat_map(parts)
            .for_each(require_nothing);
    }
}

/// What is one of several need not be none of the others: half a location may be half of either of
/// its forms.
fn loosen(value: &mut Value) {
    if let Value::Object(object) = value
        && let Some(choices) = object.remove("oneOf")
    {
        object.insert("anyOf".into(), choices);
    }
    for part in parts(value) {
        loosen(part);
    }
}

/// Adds the answers that are no success.
fn refuse(operation: &mut Object) {
    let mut statuses = vec![500, 503];
    let security = operation.get("security").and_then(Value::as_array);
    if security.is_some_and(|requirements| !requirements.is_empty()) {
        statuses.extend([401, 403]);
    }
    for parameter in operation
        .get("parameters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if parameter["in"] == "path" || parameter["name"] == "page" {
            statuses.push(404);
        } else if parameter["in"] == "query" && parameter["name"] != "page_size" {
            statuses.push(400);
        }
    }
    if let Some(body) = operation.get("requestBody") {
        statuses.extend([400, 408, 413]);
        if body["content"].get("application/json").is_some() {
            statuses.push(415);
        }
    }
    let responses = operation["responses"]
        .as_object_mut()
        .expect("an operation has responses");
    for status in statuses {
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({}));
    }
    for (status, response) in responses.iter_mut() {
        let response = response.as_object_mut().expect("a response is an object");
        match refusal::reference(status) {
            Some(usual) if response.is_empty() => *response = usual,
            _ if !response.contains_key("description") => {
                response.insert("description".into(), refusal::reason(status).into());
            }
            _ => {}
        }
    }
    responses.sort_keys();
}

/// Puts the members in the order in which a person reads them. The first line of a handler's comment
/// is a sentence there, and a heading here.
fn arrange(operation: &mut Object) {
    if let Some(Value::String(summary)) = operation.get_mut("summary") {
        *summary = summary.trim_end_matches('.').to_owned();
    }
    put_first(
        operation,
        &[
            "operationId",
            "tags",
            "summary",
            "description",
            "security",
            "parameters",
            "requestBody",
        ],
    );
}

/// Puts these members before all others.
fn put_first(object: &mut Object, names: &[&str]) {
    let mut rest = std::mem::take(object);
    for name in names {
        if let Some(value) = rest.remove(*name) {
            object.insert((*name).into(), value);
        }
    }
    object.append(&mut rest);
}
