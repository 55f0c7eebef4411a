//! What is a legal value but makes no sense: collected by the sections, placed by the loader.

/// What is wrong with which key.
#[derive(Debug)]
pub(super) struct Problem {
    /// The section, its key, and what is named below that.
    pub(super) path: Vec<String>,
    pub(super) reason: String,
}

/// All that is wrong, so that a person sees it in one go.
#[derive(Debug, Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    pub(super) fn add(
        &mut self,
        section: &'static str,
        key: &'static str,
        reason: impl Into<String>,
    ) {
        self.add_within(section, &[key], reason);
    }

    /// Something wrong below a key that holds a table.
    pub(super) fn add_within(&mut self, section: &str, path: &[&str], reason: impl Into<String>) {
        let path = [section].into_iter().chain(path.iter().copied());
        self.0.push(Problem {
            path: path.map(str::to_owned).collect(),
            reason: reason.into(),
        });
    }
}

/// Days that may be named for how long something is kept.
pub(super) const A_CENTURY: u64 = 36_525;

/// What is wrong with a number that should be in `least..=most`, if anything is.
pub(super) fn out_of_range(value: u64, least: u64, most: u64) -> Option<String> {
    let is_inside = (least..=most).contains(&value);
    (!is_inside).then(|| format!("{value} is not from {least} to {most}"))
}

/// Refuses a number outside of `least..=most`: zero intervals would spin, and instants that far
/// away cannot be reckoned with.
pub(super) fn between(
    problems: &mut Problems,
    section: &'static str,
    key: &'static str,
    value: u64,
    least: u64,
    most: u64,
) {
    if let Some(reason) = out_of_range(value, least, most) {
        problems.add(section, key, reason);
    }
}
