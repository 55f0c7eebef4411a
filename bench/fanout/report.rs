//! The figures as a Markdown table: medians, and of paired ratios the lowest and the highest too.

use std::collections::BTreeMap;
use std::fmt;

use super::scenario::{Column, Sample, Scenario, Shows};

/// The server that the others are compared with.
const OURS: &str = "fleetwire";

/// What every server needed in one round.
pub type Round<'a> = BTreeMap<&'a str, Sample>;

/// All rounds of a scenario.
pub struct Table<'a> {
    pub scenario: &'a dyn Scenario,
    pub rounds: Vec<Round<'a>>,
    /// Servers that do not take so many sockets.
    pub too_small: Vec<&'a str>,
}

impl<'a> Table<'a> {
    pub fn new(scenario: &'a dyn Scenario) -> Self {
        Self {
            scenario,
            rounds: Vec::new(),
            too_small: Vec::new(),
        }
    }

    /// The servers, by their medians of a column.
    pub fn medians(&self, column: &Column) -> Vec<(&'a str, f64)> {
        let names = self.rounds.first().into_iter().flat_map(|it| it.keys());
        let mut medians: Vec<(&str, f64)> = names
            .map(|name| (*name, spread(self.values(name, column)).1))
            .collect();
        medians.sort_by(|one, other| one.1.total_cmp(&other.1));
        medians
    }

    fn values(&self, name: &str, column: &Column) -> Vec<f64> {
        let samples = self.rounds.iter().filter_map(|round| round.get(name));
        samples.map(column.of).collect()
    }

    /// Of each round, fleetwire's value by that of `name`.
    fn ratios(&self, name: &str, column: &Column) -> Vec<f64> {
        let (ours, theirs) = (self.values(OURS, column), self.values(name, column));
        ours.iter().zip(theirs).map(|(a, b)| a / b).collect()
    }

    fn cells(&self, name: &str, column: &Column) -> String {
        let digits = column.digits;
        let (lowest, median, highest) = spread(self.values(name, column));
        match column.shows {
            Shows::Median => format!("{median:.digits$}"),
            Shows::Spread => format!("{median:.digits$} ({lowest:.digits$}, {highest:.digits$})"),
            Shows::Ratio => {
                let (lowest, ratio, highest) = spread(self.ratios(name, column));
                let ratio = if name == OURS || ratio.is_nan() {
                    String::new()
                } else {
                    format!("{ratio:.3} ({lowest:.3}, {highest:.3})")
                };
                format!("{median:.digits$} | {ratio}")
            }
        }
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let columns = self.scenario.columns();
        writeln!(f, "### {}\n", self.scenario.title())?;
        write!(f, "| server |")?;
        for column in &columns {
            write!(f, " {} |", column.title)?;
            if column.shows == Shows::Ratio {
                write!(f, " {OURS} / it |")?;
            }
        }
        let ratios = columns.iter().filter(|it| it.shows == Shows::Ratio);
        writeln!(
            f,
            "\n|{}",
            "---|".repeat(1 + columns.len() + ratios.count())
        )?;
        for (name, _) in self.medians(&columns[0]) {
            write!(f, "| {name} |")?;
            for column in &columns {
                write!(f, " {} |", self.cells(name, column))?;
            }
            writeln!(f)?;
        }
        let rounds = self.rounds.len();
        writeln!(
            f,
            "\nMedians of {rounds} rounds; ratios are paired: median (lowest, highest)."
        )?;
        for name in &self.too_small {
            writeln!(f, "{name} is not measured with so many sockets.")?;
        }
        Ok(())
    }
}

/// One round in a line: the first column of each server.
pub fn line(scenario: &dyn Scenario, round: &Round) -> String {
    let columns = scenario.columns();
    let column = &columns[0];
    let digits = column.digits;
    let servers = round.iter();
    let servers = servers.map(|(name, it)| format!("{name} {:.digits$}", (column.of)(it)));
    format!(
        "{}: {}",
        column.title,
        servers.collect::<Vec<_>>().join(", ")
    )
}

/// The lowest, the median and the highest.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    match (values.first(), values.last()) {
        (Some(lowest), Some(highest)) => (*lowest, values[values.len() / 2], *highest),
        _ => (f64::NAN, f64::NAN, f64::NAN),
    }
}
