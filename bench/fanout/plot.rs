//! The medians of a table's first column as bars: an SVG.

use std::fmt::Write as _;

use super::report::Table;

const WIDTH: f64 = 420.0;
const LABEL: f64 = 130.0;
const ROW: f64 = 26.0;
const HEAD: f64 = 52.0;

/// A bar a server, the shortest first; ours in another colour.
pub fn bars(table: &Table) -> String {
    let columns = table.scenario.columns();
    let column = &columns[0];
    let medians = table.medians(column);
    let highest = medians
        .iter()
        .map(|it| it.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut y = HEAD;
    let mut bars = String::new();
    for (name, value) in &medians {
        let length = (value / highest * WIDTH).max(1.0);
        let colour = if *name == "fleetwire" {
            "#c2410c"
        } else {
            "#64748b"
        };
        let (middle, digits) = (y + ROW / 2.0 + 1.0, column.digits);
        // Writing to a text cannot fail.
        writeln!(
            bars,
            "<text x='{:.0}' y='{middle:.0}' text-anchor='end'>{name}</text>\n\
             <rect x='{LABEL:.0}' y='{:.0}' width='{length:.1}' height='{:.0}' fill='{colour}'/>\n\
             <text x='{:.1}' y='{middle:.0}'>{value:.digits$}</text>",
            LABEL - 8.0,
            y + 3.0,
            ROW - 8.0,
            LABEL + length + 6.0,
        )
        .ok();
        y += ROW;
    }
    let (width, height) = (LABEL + WIDTH + 90.0, y + 10.0);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0} {height:.0}' \
         font-family='sans-serif' font-size='12' dominant-baseline='middle'>\n\
         <rect width='100%' height='100%' fill='white'/>\n\
         <text x='10' y='18' font-size='14'>{}</text>\n\
         <text x='10' y='38' fill='#475569'>{}, median of {} rounds</text>\n{bars}</svg>\n",
        table.scenario.title(),
        column.title,
        table.rounds.len(),
    )
}
