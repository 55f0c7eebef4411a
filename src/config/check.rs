//! What is a legal value but makes no sense: collected by the sections, placed by the loader.

/// What is wrong with which key.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
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
        self.0.push(Problem {
            section,
            key,
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
