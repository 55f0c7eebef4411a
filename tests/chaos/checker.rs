//! Compares what each client saw with what is in the database, what was acknowledged, and what the devices
//! have witnessed.
//!
//! It knows neither servers nor sockets: all it gets is [`Evidence`]. Its own test hands it doctored ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use uuid::Uuid;

use super::history::{Duty, History, Scope, Seen, Status, Update};

/// All that a judgement is made of.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub histories: Vec<History>,
    pub truth: Truth,
    pub acknowledged: Acknowledged,
    /// Attempts of those who have no right to be let in, and those of them that were.
    pub intrusions: Intrusions,
}

/// What is in the database when all has come to rest, and on the devices.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// The step that each location is at.
    pub steps: BTreeMap<Uuid, u32>,
    pub commands: BTreeMap<Uuid, Ended>,
    /// The lines that devices have written: how many of each mark.
    pub lines: BTreeMap<String, usize>,
}

/// A command's row. A command writes its mark as one line on its device.
#[derive(Clone, Debug)]
pub struct Ended {
    pub update: Update,
    pub mark: String,
    /// Asked for since the sockets were opened: they must know of it. Of older ones they may.
    pub is_new: bool,
}

/// What the server has said yes to.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged {
    /// Of each location: where it was before, and its last step that was acknowledged and sent.
    pub steps: BTreeMap<Uuid, Steps>,
    /// Commands by their ids.
    pub commands: BTreeSet<Uuid>,
    /// Those of them that were asked for when nothing was broken any more.
    pub late_commands: BTreeSet<Uuid>,
    /// How many reports were acknowledged.
    pub reports: usize,
    /// What was refused though it was right: the answers.
    pub refusals: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Steps {
    pub before: u32,
    pub acknowledged: u32,
    pub sent: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Intrusions {
    pub attempts: usize,
    /// How many were answered with a refusal. The others found nobody, or were told "later".
    pub refused: usize,
    pub admitted: Vec<String>,
    /// Answers that are neither: who asks for what is not there proves nothing.
    pub odd: Vec<String>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A socket that should know the last state of something does not.
    LastStateMissing {
        socket: String,
        of: Uuid,
        seen: String,
        is: String,
    },
    /// A socket was told something older after something newer.
    WentBack {
        socket: String,
        of: Uuid,
        from: String,
        to: String,
    },
    /// A socket was told something that its user may not see.
    Foreign { socket: String, of: Uuid },
    /// A message that no client could understand.
    Nonsense { socket: String, text: String },
    /// Whose right was taken away long ago is still there.
    StillIn { socket: String },
    /// Whose right was taken away long ago was told something new.
    HeardAfterwards {
        socket: String,
        of: Uuid,
        step: u32,
        told: u32,
    },
    /// Who has the right was not let in.
    ShutOut { socket: String, status: u16 },
    /// Who has no right was let in.
    LetIn { who: String },
    /// A device has witnessed a command twice.
    RanTwice { id: Uuid, lines: usize },
    /// A command ended as success, and its device knows nothing of it.
    NeverRan { id: Uuid },
    /// A command ended with the words that it was not run, and its device has witnessed it.
    RanAfterAll { id: Uuid, output: String },
    /// A command has failed that was asked for when nothing was broken any more.
    FailedAfterwards { id: Uuid, output: String },
    /// Who has no right was answered with neither a refusal nor "later".
    OddAnswer { answer: String },
    /// A command has not ended.
    Open { id: Uuid },
    /// Something was acknowledged and is not there.
    WriteLost { what: String },
    /// A location stands where nobody has reported it.
    Invented { of: Uuid, step: u32 },
    /// Something right was refused.
    Refused { answer: String },
}

/// The output of commands that no device has seen ends so.
const NOT_RUN: &str = "it was not run";

/// Everything that is wrong.
pub fn judge(evidence: &Evidence) -> Vec<Violation> {
    let mut violations = Vec::new();
    for history in &evidence.histories {
        belongs(history, &mut violations);
        keeps_order(history, &mut violations);
        hears_nothing_afterwards(history, &mut violations);
        violations.extend(missing(history, &evidence.truth, &evidence.acknowledged));
    }
    commands_ran_once(evidence, &mut violations);
    nothing_acknowledged_is_gone(evidence, &mut violations);
    let admitted = evidence.intrusions.admitted.iter();
    violations.extend(admitted.map(|who| Violation::LetIn { who: who.clone() }));
    let odd = evidence.intrusions.odd.iter();
    violations.extend(odd.map(|answer| Violation::OddAnswer {
        answer: answer.clone(),
    }));
    let refusals = evidence.acknowledged.refusals.iter();
    violations.extend(refusals.map(|answer| Violation::Refused {
        answer: answer.clone(),
    }));
    violations
}

/// What is told is within the socket's scope, and understood; its client is let in.
fn belongs(history: &History, violations: &mut Vec<Violation>) {
    let socket = || history.name.clone();
    for seen in &history.seen {
        let foreign = match (seen, &history.scope) {
            (Seen::Opened | Seen::Closed(_), _) => None,
            (Seen::Moved { location, .. }, Scope::Locations(locations)) => {
                (!locations.contains(location)).then_some(*location)
            }
            (Seen::Updated(update), Scope::Device(device)) => {
                (update.device != *device).then_some(update.id)
            }
            (Seen::Moved { location, .. }, Scope::Device(_)) => Some(*location),
            (Seen::Updated(update), Scope::Locations(_)) => Some(update.id),
            (Seen::Nonsense(text), _) => {
                violations.push(Violation::Nonsense {
                    socket: socket(),
                    text: text.clone(),
                });
                None
            }
        };
        violations.extend(foreign.map(|of| Violation::Foreign {
            socket: socket(),
            of,
        }));
    }
    if matches!(history.duty, Duty::IsOut { .. }) {
        return;
    }
    // 403 says that there is no such right; what says "later" (503) or nothing may be.
    for status in history.refused.keys().filter(|it| (400..500).contains(*it)) {
        violations.push(Violation::ShutOut {
            socket: socket(),
            status: *status,
        });
    }
}

/// Of each thing nothing older follows, also across reconnects.
fn keeps_order(history: &History, violations: &mut Vec<Violation>) {
    let mut steps: BTreeMap<Uuid, u32> = BTreeMap::new();
    let mut updates: BTreeMap<Uuid, &Update> = BTreeMap::new();
    let mut back = |of: Uuid, from: String, to: String| {
        violations.push(Violation::WentBack {
            socket: history.name.clone(),
            of,
            from,
            to,
        });
    };
    for seen in &history.seen {
        match seen {
            Seen::Moved { location, step } => {
                let before = steps.insert(*location, *step);
                if let Some(before) = before.filter(|before| before > step) {
                    back(*location, before.to_string(), step.to_string());
                }
            }
            Seen::Updated(update) => {
                if let Some(before) = updates.insert(update.id, update)
                    && !may_follow(before, update)
                {
                    back(update.id, said(before), said(update));
                }
            }
            _ => {}
        }
    }
}

/// Whose right was taken away is told nothing that was sent when that should have been known everywhere.
fn hears_nothing_afterwards(history: &History, violations: &mut Vec<Violation>) {
    let Duty::IsOut {
        told: Some(told), ..
    } = &history.duty
    else {
        return;
    };
    for (of, step) in history.steps() {
        let told = told.get(&of).copied().unwrap_or(0);
        if step > told {
            violations.push(Violation::HeardAfterwards {
                socket: history.name.clone(),
                of,
                step,
                told,
            });
        }
    }
}

/// A later snapshot was modified later, holds all that the earlier one holds, and an end is an end. Only
/// what a node had told and not yet saved when it died (a second of output) is gone with it: such a
/// command has failed.
fn may_follow(before: &Update, after: &Update) -> bool {
    let is_over = before.status != Status::InProgress;
    before.modified <= after.modified
        && (after.status == Status::Failed || after.output.starts_with(&before.output))
        && (!is_over || before == after)
}

/// The last states that a socket should have seen by the end and has not; or that it is there at all.
pub fn missing(history: &History, truth: &Truth, acknowledged: &Acknowledged) -> Vec<Violation> {
    let mut missing = Vec::new();
    match history.duty {
        Duty::Knows => {}
        Duty::Nothing | Duty::IsOut { may_stay: true, .. } => return missing,
        Duty::IsOut { .. } => {
            let socket = history.name.clone();
            let still = (!history.is_shut_out()).then_some(Violation::StillIn { socket });
            return still.into_iter().collect();
        }
    }
    let mut note = |of: Uuid, seen: Option<String>, is: String| {
        missing.push(Violation::LastStateMissing {
            socket: history.name.clone(),
            of,
            seen: seen.unwrap_or_else(|| "nothing".to_owned()),
            is,
        });
    };
    match &history.scope {
        Scope::Locations(locations) => {
            let steps = history.steps();
            for location in &**locations {
                let before = acknowledged.steps.get(location).map(|it| it.before);
                let is = truth.steps.get(location);
                let seen = steps.get(location);
                if let Some(is) = is.filter(|is| before != Some(**is) && seen != Some(*is)) {
                    note(*location, seen.map(u32::to_string), is.to_string());
                }
            }
        }
        Scope::Device(device) => {
            let updates = history.updates();
            let commands = truth.commands.values().filter(|it| it.is_new);
            let commands = commands.map(|it| &it.update);
            for is in commands.filter(|it| it.device == *device) {
                let seen = updates.get(&is.id);
                if seen != Some(&is) {
                    note(is.id, seen.map(|it| said(it)), said(is));
                }
            }
        }
    }
    missing
}

/// The devices are the witnesses.
fn commands_ran_once(evidence: &Evidence, violations: &mut Vec<Violation>) {
    for Ended { update, mark, .. } in evidence.truth.commands.values() {
        let (id, output) = (update.id, &update.output);
        let lines = evidence.truth.lines.get(mark).copied().unwrap_or(0);
        if lines > 1 {
            violations.push(Violation::RanTwice { id, lines });
        }
        match update.status {
            Status::InProgress => violations.push(Violation::Open { id }),
            Status::Success if lines == 0 => violations.push(Violation::NeverRan { id }),
            Status::Failed if lines > 0 && output.contains(NOT_RUN) => {
                violations.push(Violation::RanAfterAll {
                    id,
                    output: output.clone(),
                });
            }
            Status::Failed if evidence.acknowledged.late_commands.contains(&id) => {
                violations.push(Violation::FailedAfterwards {
                    id,
                    output: output.clone(),
                });
            }
            Status::Success | Status::Failed => {}
        }
    }
    // A success that a socket was told of is one, whatever became of the row.
    for history in &evidence.histories {
        for update in history.updates().values() {
            if !evidence.truth.commands.contains_key(&update.id) {
                violations.push(Violation::WriteLost {
                    what: format!("command {}, which {} was told of", update.id, history.name),
                });
            }
        }
    }
}

fn nothing_acknowledged_is_gone(evidence: &Evidence, violations: &mut Vec<Violation>) {
    for (location, steps) in &evidence.acknowledged.steps {
        let is = evidence.truth.steps.get(location).copied().unwrap_or(0);
        if is < steps.acknowledged {
            violations.push(Violation::WriteLost {
                what: format!(
                    "location {location}: step {} was acknowledged, and it is at {is}",
                    steps.acknowledged
                ),
            });
        }
        if is > steps.sent {
            violations.push(Violation::Invented {
                of: *location,
                step: is,
            });
        }
    }
    for id in &evidence.acknowledged.commands {
        if !evidence.truth.commands.contains_key(id) {
            violations.push(Violation::WriteLost {
                what: format!("command {id}"),
            });
        }
    }
}

fn said(update: &Update) -> String {
    let Update {
        status,
        modified,
        output,
        ..
    } = update;
    format!("{status:?} of {modified}, {output:?}")
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastStateMissing {
                socket,
                of,
                seen,
                is,
            } => write!(f, "{socket}: {of} is {is}, and the last seen was {seen}"),
            Self::WentBack {
                socket,
                of,
                from,
                to,
            } => write!(f, "{socket}: {of} went back from {from} to {to}"),
            Self::Foreign { socket, of } => write!(f, "{socket}: heard of {of}, which is foreign"),
            Self::Nonsense { socket, text } => write!(f, "{socket}: was sent {text:?}"),
            Self::StillIn { socket } => write!(f, "{socket}: is there, without a right"),
            Self::HeardAfterwards {
                socket,
                of,
                step,
                told,
            } => write!(
                f,
                "{socket}: was told step {step} of {of} long after its right had ended, at {told}"
            ),
            Self::ShutOut { socket, status } => write!(f, "{socket}: was refused with {status}"),
            Self::LetIn { who } => write!(f, "{who} was let in"),
            Self::RanTwice { id, lines } => write!(f, "command {id} ran {lines} times"),
            Self::NeverRan { id } => write!(f, "command {id} is a success and never ran"),
            Self::RanAfterAll { id, output } => write!(f, "command {id} ran, and says {output:?}"),
            Self::FailedAfterwards { id, output } => {
                write!(f, "command {id} failed with nothing broken: {output:?}")
            }
            Self::OddAnswer { answer } => write!(f, "no refusal, and no reason: {answer}"),
            Self::Open { id } => write!(f, "command {id} has not ended"),
            Self::WriteLost { what } => write!(f, "acknowledged, and not there: {what}"),
            Self::Invented { of, step } => write!(f, "{of} is at {step}, which nobody reported"),
            Self::Refused { answer } => write!(f, "refused though right: {answer}"),
        }
    }
}
