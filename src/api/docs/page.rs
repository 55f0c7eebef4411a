//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::example;
use super::schema::{anchor, described, kind, name_of};
use super::text::prose;

/// An operation of the document.
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    said: &'a Value,
}

/// The operations of a tag, in the order of the document.
fn operations<'a>(document: &'a Value, tag: &'a Value) -> impl Iterator<Item = Operation<'a>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(move |(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods
            .filter(move |(_, said)| said["tags"][0] == tag["name"])
            .map(move |(method, said)| Operation { path, method, said })
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Where a tag's section is.
fn section_of(tag: &Value) -> String {
    format!("tag-{}", text(&tag["name"]).to_lowercase())
}

/// The whole page of a document.
pub fn page(document: &Value, style: &str) -> Markup {
    let title = format!("{} REST API", text(&document["info"]["title"]));
    let tags: Vec<&Value> = document["tags"].as_array().into_iter().flatten().collect();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(style)) }
            }
            body {
                a.skip href="#operations" { "To the operations" }
                header {
                    h1 { (title) }
                    p {
                        "Version " (text(&document["info"]["version"])) " · "
                        a href="/api/v1/openapi.json" { "as an OpenAPI document" } " · "
                        a href="/" { "this server" }
                    }
                }
                (contents(document, &tags))
                main #operations {
                    section aria-label="Introduction" { (prose(&document["info"]["description"])) }
                    (credentials(document))
                    (refusals(document))
                    @for tag in &tags { (group(document, tag)) }
                    (schemas(document))
                }
            }
        }
    }
}

fn contents(document: &Value, tags: &[&Value]) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul {
                li { a href="#credentials" { "Who asks" } }
                li { a href="#refusals" { "Refusals" } }
                @for tag in tags {
                    li {
                        a href={ "#" (section_of(tag)) } { (text(&tag["name"])) }
                        ul {
                            @for operation in operations(document, tag) {
                                li { a href={ "#" (operation.name()) } { (operation.summary()) } }
                            }
                        }
                    }
                }
                li { a href="#schemas" { "Schemas" } }
            }
        }
    }
}

fn credentials(document: &Value) -> Markup {
    let schemes = document["components"]["securitySchemes"].as_object();
    html! {
        section #credentials aria-labelledby="credentials-title" {
            h2 #credentials-title { "Who asks" }
            dl {
                @for (name, scheme) in schemes.into_iter().flatten() {
                    dt { (name.replace('_', " ")) }
                    dd {
                        @match (text(&scheme["in"]), text(&scheme["name"])) {
                            ("cookie", name) => { p { "The cookie " code { (name) } "." } }
                            ("query", name) => { p { code { "?" (name) "=" } " in the URL." } }
                            _ => { p { code { "Authorization: Bearer …" } } }
                        }
                        (prose(&scheme["description"]))
                    }
                }
            }
        }
    }
}

/// The answers that operations refer to by their status.
fn refusals(document: &Value) -> Markup {
    let responses = document["components"]["responses"].as_object();
    html! {
        section #refusals aria-labelledby="refusals-title" {
            h2 #refusals-title { "Refusals" }
            dl.answers {
                @for (name, response) in responses.into_iter().flatten() {
                    dt #(refusal_anchor(name)) { (text(&response["x-status"])) }
                    dd { (answer(document, response)) }
                }
            }
        }
    }
}

fn refusal_anchor(name: &str) -> String {
    format!("refusal-{name}")
}

fn group(document: &Value, tag: &Value) -> Markup {
    let id = section_of(tag);
    html! {
        section #(id) aria-labelledby={ (id) "-title" } {
            h2 #{ (id) "-title" } { (text(&tag["name"])) }
            (prose(&tag["description"]))
            @for operation in operations(document, tag) { (operation.article(document)) }
        }
    }
}

impl Operation<'_> {
    fn name(&self) -> &str {
        text(&self.said["operationId"])
    }

    fn summary(&self) -> &str {
        text(&self.said["summary"])
    }

    fn article(&self, document: &Value) -> Markup {
        let title = format!("{}-title", self.name());
        html! {
            article #(self.name()) aria-labelledby=(title) {
                h3 #(title) { (self.summary()) " " a.here href={ "#" (self.name()) } aria-label="Link to this operation" { "#" } }
                p.request { span class={ "method " (self.method) } { (self.method.to_uppercase()) } " " code { (Self::breakable(self.path)) } }
                (prose(&self.said["description"]))
                (self.who())
                (self.parameters())
                (self.body(document))
                h4 { "Example" }
                pre tabindex="0" { code { (example::curl(document, self.path, self.method, self.said)) } }
                (self.answers(document))
            }
        }
    }

    /// A path that may be broken behind each slash, on a narrow screen.
    fn breakable(path: &str) -> Markup {
        html! { @for piece in path.split_inclusive('/') { (piece) wbr; } }
    }

    fn who(&self) -> Markup {
        let requirements = self.said["security"].as_array().into_iter().flatten();
        let schemes: Vec<String> = requirements
            .filter_map(|requirement| requirement.as_object()?.keys().next())
            .map(|name| name.replace('_', " "))
            .collect();
        html! {
            p.who {
                @if schemes.is_empty() { "For everybody." }
                @else { "Shown: " a href="#credentials" { (schemes.join(" or ")) } "." }
            }
        }
    }

    fn parameters(&self) -> Markup {
        let parameters = self.said["parameters"].as_array();
        html! {
            @if let Some(parameters) = parameters {
                h4 { "Parameters" }
                dl {
                    @for parameter in parameters {
                        dt {
                            code { @if parameter["in"] == "query" { "?" } (text(&parameter["name"])) }
                            " " span.kind { "in the " (text(&parameter["in"])) ", " (kind(&parameter["schema"])) }
                            @if parameter["required"] == true { " " span.required { "required" } }
                        }
                        dd { (prose(&parameter["description"])) }
                    }
                }
            }
        }
    }

    fn body(&self, document: &Value) -> Markup {
        let content = self.said["requestBody"]["content"].as_object();
        html! {
            @if let Some(content) = content {
                h4 { "Body" }
                @for (media_type, content) in content {
                    p { (kind(&content["schema"])) " as " code { (media_type) } }
                    @if let Some(schema) = target(document, &content["schema"]) {
                        details { summary { "Fields" } (described(schema)) }
                    }
                }
            }
        }
    }

    fn answers(&self, document: &Value) -> Markup {
        let responses = self.said["responses"].as_object();
        let (usual, own): (Vec<_>, Vec<_>) = responses
            .into_iter()
            .flatten()
            .partition(|(_, response)| response["$ref"].is_string());
        html! {
            h4 { "Answers" }
            dl.answers {
                @for (status, response) in own {
                    dt { (status) }
                    dd { (answer(document, response)) }
                }
            }
            p.refusals {
                "Refusals: "
                @for (at, (status, response)) in usual.iter().enumerate() {
                    @if at > 0 { ", " }
                    a href={ "#" (refusal_anchor(name_of(text(&response["$ref"])))) } { (status) }
                }
            }
        }
    }
}

/// What a reference is to.
fn target<'a>(document: &'a Value, schema: &Value) -> Option<&'a Value> {
    let reference = schema["$ref"].as_str()?;
    document.pointer(reference.trim_start_matches('#'))
}

fn answer(document: &Value, response: &Value) -> Markup {
    let headers = response["headers"].as_object();
    let contents = response["content"].as_object();
    html! {
        (prose(&response["description"]))
        @if let Some(headers) = headers {
            p.kind {
                "With "
                @for (at, name) in headers.keys().enumerate() {
                    @if at > 0 { ", " }
                    code { (name) }
                }
                "."
            }
        }
        @for (media_type, content) in contents.into_iter().flatten() {
            p.kind { (kind(&content["schema"])) " as " code { (media_type) } }
            @if media_type == "application/json" {
                details {
                    summary { "Example" }
                    pre tabindex="0" { code { (format!("{:#}", example::of_content(document, content))) } }
                }
            }
        }
    }
}

fn schemas(document: &Value) -> Markup {
    let schemas = document["components"]["schemas"].as_object();
    html! {
        section #schemas aria-labelledby="schemas-title" {
            h2 #schemas-title { "Schemas" }
            @for (name, schema) in schemas.into_iter().flatten() {
                article #(anchor(name)) aria-labelledby={ (anchor(name)) "-title" } {
                    h3 #{ (anchor(name)) "-title" } { (name) }
                    (described(schema))
                }
            }
        }
    }
}
