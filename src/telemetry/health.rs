//! How a part that runs beside the requests is, for whoever asks whether this node is ready.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use prometheus_client::metrics::gauge::Gauge;

/// Told by the part itself, asked by readiness.
#[derive(Debug)]
pub struct Health {
    /// 1 while it is well, else 0.
    gauge: Gauge,
    /// A part that says nothing for longer is not well; `None` for one that speaks only when something
    /// changes.
    patience: Option<Duration>,
    // A std lock around two fields.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    heard: Instant,
    /// What is wrong, and since when.
    trouble: Option<(&'static str, Instant)>,
}

impl Health {
    /// Of a part that is not well before it says so: `why` tells what it has not done yet. What it says
    /// goes to `gauge` as well. Where it speaks regularly, a silence longer than `patience` is trouble.
    #[must_use]
    pub fn new(gauge: Gauge, why: &'static str, patience: Option<Duration>) -> Self {
        gauge.set(0);
        let now = Instant::now();
        Self {
            gauge,
            patience,
            state: Mutex::new(State {
                heard: now,
                trouble: Some((why, now)),
            }),
        }
    }

    /// The same of a part that no gauge is for.
    #[must_use]
    pub fn uncounted(why: &'static str, patience: Option<Duration>) -> Self {
        Self::new(Gauge::default(), why, patience)
    }

    /// It does its work.
    pub fn is_well(&self) {
        let mut state = self.state();
        state.heard = Instant::now();
        state.trouble = None;
        self.gauge.set(1);
    }

    /// It does not: `why` says so in a few words for whoever asks, who may be anybody.
    pub fn is_ill(&self, why: &'static str) {
        let mut state = self.state();
        let now = Instant::now();
        state.heard = now;
        let since = state.trouble.map_or(now, |(_, since)| since);
        state.trouble = Some((why, since));
        self.gauge.set(0);
    }

    /// What is wrong, in a sentence that says for how long; `None` while nothing is.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble_at(Instant::now())
    }

    fn trouble_at(&self, now: Instant) -> Option<String> {
        let state = self.state();
        if let Some((why, since)) = state.trouble {
            let seconds = now.saturating_duration_since(since).as_secs();
            return Some(format!("{why} ({seconds} s)"));
        }
        let silence = now.saturating_duration_since(state.heard);
        let is_over = self.patience.is_some_and(|patience| silence > patience);
        is_over.then(|| format!("no sign of life ({} s)", silence.as_secs()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_well_once_it_says_so_and_ill_for_as_long_as_it_is() {
        let gauge = Gauge::default();
        let health = Health::new(gauge.clone(), "not begun", None);
        let in_s = |seconds| health.trouble_at(Instant::now() + Duration::from_secs(seconds));
        assert_eq!(in_s(0), Some("not begun (0 s)".into()));
        health.is_well();
        assert_eq!((in_s(1000), gauge.get()), (None, 1));
        health.is_ill("away");
        health.is_ill("still away");
        assert_eq!(in_s(7), Some("still away (7 s)".into()));
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn one_that_should_speak_and_does_not_is_not_well() {
        let health = Health::new(Gauge::default(), "", Some(Duration::from_secs(15)));
        health.is_well();
        let in_s = |seconds| health.trouble_at(Instant::now() + Duration::from_secs(seconds));
        assert_eq!(in_s(14), None);
        assert_eq!(in_s(17), Some("no sign of life (17 s)".into()));
    }
}
