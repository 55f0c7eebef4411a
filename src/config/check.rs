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
    if !(least..=most).contains(&value) {
        problems.add(
            section,
            key,
            format!("{value} is not from {least} to {most}"),
        );
    }
}
