//! `docs/scaling.md`: its tables are what its formulae make of its constants, and what it names is there.

use std::collections::{BTreeMap, BTreeSet};

use super::{below, quoted, rows, text_of};

const PAGE: &str = "docs/scaling.md";

/// The constants by name, in bytes and seconds.
struct Constants(BTreeMap<String, f64>);

impl Constants {
    fn read(page: &str) -> Self {
        let rows = rows(below(page, "What one of each costs")).into_iter();
        let constants = rows.map(|row| {
            let value: f64 = number(row[1]);
            let unit = match row[2] {
                "B" => 1.0,
                "MiB" => 1024.0 * 1024.0,
                "µs" => 1e-6,
                "ms" => 1e-3,
                unit => panic!("{PAGE}: {} has an unknown unit, {unit}", row[0]),
            };
            (row[0].replace('`', ""), value * unit)
        });
        Self(constants.collect())
    }

    fn get(&self, name: &str) -> f64 {
        let constant = self.0.get(name);
        *constant.unwrap_or_else(|| panic!("{PAGE} has no constant {name}"))
    }
}

/// A row of the table of sizes: what is asked for, and by how many nodes.
struct Size {
    sockets: f64,
    /// Reports a second, of all devices together.
    reports: f64,
    /// Messages a second to each socket.
    messages: f64,
    nodes: f64,
    is_redis: bool,
}

impl Size {
    /// Of a row: its first five cells.
    fn read(row: &[&str]) -> Self {
        Self {
            sockets: number(row[0]),
            messages: number(row[1]),
            reports: number(row[2]),
            nodes: number(row[3]),
            is_redis: match row[4] {
                "Redis" => true,
                "NOTIFY" => false,
                hints => panic!("{PAGE}: hints come by {hints}"),
            },
        }
    }

    /// The other cells, by the formulae of the page.
    fn needs(&self, constants: &Constants) -> Vec<f64> {
        let of = |name| constants.get(name);
        let by = |notify, redis| of(if self.is_redis { redis } else { notify });
        let each = self.sockets / self.nodes;
        // Each device reports every ten seconds.
        let located = self.reports * 10.0;
        let memory = of("node_memory")
            + each * (of("socket_memory") + of("socket_kernel"))
            + located * of("location_memory");
        let cores = each * (of("socket_idle") + self.messages * of("delivery"))
            + self.reports / self.nodes * of("report_node")
            + self.reports * by("heard_notify", "heard_redis");
        let megabits = each * self.messages * of("message_bytes") * 8.0 / 1e6;
        let owners = if self.is_redis {
            self.sockets / 10.0 * of("owner_postgres")
        } else {
            0.0
        };
        let postgres = self.reports
            * (by("report_notify", "report_redis") + self.nodes * by("told_notify", "told_redis"))
            + self.nodes * of("node_postgres")
            + self.sockets / 300.0 * of("lease_postgres")
            + owners;
        let return_all = self.sockets * of("handshake_postgres");
        vec![
            memory / f64::from(1_u32 << 30),
            cores,
            megabits,
            postgres,
            return_all,
        ]
    }
}

fn number(text: &str) -> f64 {
    text.replace(',', "").parse().unwrap()
}

/// With two digits that count.
fn shown(value: f64) -> String {
    let digits = value.log10().floor();
    let unit = 10_f64.powf(digits - 1.0);
    let rounded = (value / unit).round() * unit;
    if unit < 1.0 {
        let places = format!("{:.0}", 1.0 - digits).parse().unwrap();
        format!("{rounded:.places$}")
    } else {
        let plain = format!("{rounded:.0}");
        let groups: Vec<&str> = plain
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|it| std::str::from_utf8(it).unwrap())
            .collect();
        groups.join(",")
    }
}

#[test]
fn the_sizes_follow_from_the_constants() {
    let page = text_of(PAGE);
    let constants = Constants::read(&page);
    let rows = rows(below(&page, "Sizes, worked out"));
    assert!(rows.len() >= 4);
    for row in rows {
        let needs = Size::read(&row).needs(&constants);
        let needs: Vec<String> = needs.into_iter().map(shown).collect();
        assert_eq!(row[5..], needs, "{PAGE}: {row:?}");
    }
}

#[test]
fn settings_and_metrics_that_it_names_are_there() {
    let page = text_of(PAGE);
    let (settings, metrics) = (text_of("docs/settings.md"), text_of("docs/metrics.md"));
    let mut sections = BTreeSet::new();
    for part in settings.split("\n## `[").skip(1) {
        sections.insert(part.split(']').next().unwrap());
    }
    let mut count = 0;
    for name in quoted(&page) {
        let key = name.split_once('.').filter(|(it, _)| sections.contains(it));
        if let Some((section, key)) = key {
            let key = key.split(' ').next().unwrap();
            let part = below(&settings, &format!("`[{section}]`"));
            assert!(part.contains(&format!("`{key}`")), "no setting {name}");
            count += 1;
        } else if name.starts_with("fleetwire_") {
            assert!(metrics.contains(&format!("`{name}`")), "no metric {name}");
            count += 1;
        }
    }
    assert!(count > 10, "{PAGE} says what to turn and what to look at");
}

#[test]
fn numbers_are_shown_with_two_digits() {
    let all = [0.034, 0.98, 1.0, 9.96, 12.4, 128.0, 1_234_567.0].map(shown);
    assert_eq!(
        all,
        ["0.034", "0.98", "1.0", "10.0", "12", "130", "1,200,000"]
    );
}
