//! `packaging/grafana/` and `packaging/prometheus/`: what they ask for is what `docs/metrics.md` has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{below, quoted, rows, text_of};

const DASHBOARD: &str = "packaging/grafana/fleetwire.json";
const ALERTS: &str = "packaging/prometheus/alerts.yml";

/// The metrics of the page, each with its labels and their values.
fn described(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows = rows(below(page, "All metrics")).into_iter();
    let words = |text: &str| quoted(text).into_iter().map(str::to_owned).collect();
    rows.map(|row| (row[0].replace('`', ""), words(row[2])))
        .collect()
}

/// What Prometheus itself puts on each.
const TARGET: [&str; 2] = ["instance", "job"];

/// The metrics that an expression names, each with what stands in the braces behind it.
fn named(expression: &str) -> Vec<(String, String)> {
    let starts = expression.match_indices("fleetwire_");
    let named = starts.map(|(at, _)| {
        let rest = &expression[at..];
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
        let matchers = rest.strip_prefix('{').and_then(|it| it.split_once('}'));
        let matchers = matchers.map_or("", |(matchers, _)| matchers);
        (name.to_owned(), matchers.to_owned())
    });
    named.collect()
}

/// Everything that `key` holds, wherever it is.
fn texts_of(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(text) = object.get(key).and_then(Value::as_str) {
                found.push(text.to_owned());
            }
            object.values().for_each(|it| texts_of(it, key, found));
        }
        Value::Array(items) => items.iter().for_each(|it| texts_of(it, key, found)),
        _ => {}
    }
}

/// Checks that what expressions name is described, and answers with the metrics.
fn check(file: &str, expressions: &[String]) -> BTreeSet<String> {
    let described = described(&text_of("docs/metrics.md"));
    let mut all = BTreeSet::new();
    for expression in expressions {
        let mut labels: BTreeSet<&str> = TARGET.into();
        for (name, matchers) in named(expression) {
            let words = described.get(&name);
            let words = words.unwrap_or_else(|| panic!("{file}: there is no {name}"));
            labels.extend(words.iter().map(String::as_str));
            for matcher in matchers.split(',').filter(|it| !it.is_empty()) {
                let (label, value) = matcher.split_once(['=', '!']).unwrap();
                let label = label.trim();
                let is_known = TARGET.contains(&label) || words.contains(label);
                assert!(is_known, "{file}: {name} has no label {label}");
                let values = value.trim_start_matches(['=', '~']).trim_matches('"');
                for value in values.split('|').filter(|it| !it.starts_with('$')) {
                    let is_known = label == "job" || words.contains(value);
                    assert!(is_known, "{file}: {label} of {name} is never {value}");
                }
            }
            all.insert(name);
        }
        for by in expression.split(" by (").skip(1) {
            let (names, _) = by.split_once(')').unwrap();
            for label in names.split(',').map(str::trim) {
                assert!(labels.contains(label), "{file}: no {label} in {expression}");
            }
        }
    }
    all
}

#[test]
fn the_dashboard_shows_every_metric_and_none_that_is_not() {
    let dashboard: Value = serde_json::from_str(&text_of(DASHBOARD)).unwrap();
    let mut expressions = Vec::new();
    for key in ["expr", "query", "definition"] {
        texts_of(&dashboard, key, &mut expressions);
    }
    let shown = check(DASHBOARD, &expressions);
    let page = described(&text_of("docs/metrics.md"));
    let missing: Vec<_> = page.keys().filter(|it| !shown.contains(*it)).collect();
    assert!(missing.is_empty(), "{DASHBOARD} does not show {missing:?}");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|it| it["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[test]
fn the_alerts_are_about_what_is_to_be_watched() {
    let text = text_of(ALERTS);
    let expressions = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr: "));
    let expressions: Vec<_> = expressions.map(str::to_owned).collect();
    let alerts = text.matches("- alert: ").count();
    assert_eq!(expressions.len(), alerts, "an expression is one line");
    let alerted = check(ALERTS, &expressions);
    // What the page says is to be watched has an alert, but for what is a matter of opinion.
    let page = text_of("docs/metrics.md");
    for row in rows(below(&page, "What to watch")) {
        let watched = quoted(row[0])[0];
        let is_a_trend = [
            "fleetwire_events_published_total",
            "fleetwire_commands_running",
        ];
        let has_alert = alerted.contains(watched) || is_a_trend.contains(&watched);
        assert!(has_alert, "{ALERTS} has nothing about {watched}");
    }
}

#[test]
fn metrics_are_found_in_expressions() {
    let found = named("sum by (a) (rate(fleetwire_x_total{a=\"b\"}[5m])) / fleetwire_y");
    let expected = [("fleetwire_x_total", "a=\"b\""), ("fleetwire_y", "")];
    assert_eq!(
        found,
        expected.map(|(name, matchers)| (name.to_owned(), matchers.to_owned()))
    );
}
