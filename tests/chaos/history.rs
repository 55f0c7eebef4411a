//! What one socket's client saw, in the order in which it saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use uuid::Uuid;

/// What a socket may hear of, and must.
#[derive(Clone, Debug)]
pub enum Scope {
    /// Moves of these locations; a watcher of one location has one of them.
    Locations(Arc<BTreeSet<Uuid>>),
    /// Updates of the commands of this device.
    Device(Uuid),
}

/// A client's notes about its socket, over all its connections.
#[derive(Clone, Debug)]
pub struct History {
    /// Who it was, for the words of a violation.
    pub name: String,
    pub scope: Scope,
    pub duty: Duty,
    pub seen: Vec<Seen>,
    /// How often a handshake was refused, by its status.
    pub refused: BTreeMap<u16, usize>,
}

/// What a client has to be in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// One that knows the last state of everything in its scope.
    #[default]
    Knows,
    /// Nothing: it has stopped reading for good.
    Nothing,
    /// One that is shut out: its user's right was taken away. `told` is the step of the last report of each
    /// location that was sent while it might still be told; not known while the right is being taken away.
    /// A fleet's socket `may_stay` when its user has lost the organization: it follows that, and hears no more.
    IsOut {
        told: Option<Arc<BTreeMap<Uuid, u32>>>,
        may_stay: bool,
    },
}

/// One thing that a client saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// The handshake was accepted; all but the first asked for what was missed.
    Opened,
    /// The end of a connection: the close frame's code, or none where it just ended.
    Closed(Option<u16>),
    /// A location moved. Vehicles number their reports: the step is that number.
    Moved { location: Uuid, step: u32 },
    /// A command was updated.
    Updated(Update),
    /// A message that is none of these.
    Nonsense(String),
}

/// A command as a message shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub id: Uuid,
    pub device: Uuid,
    /// In the contract's form, which sorts as the instants do.
    pub modified: String,
    pub status: Status,
    pub output: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    InProgress,
    Success,
    Failed,
}

/// How who may not listen is refused.
const FORBIDDEN: u16 = 403;

/// A vehicle's step is its longitude in these units.
pub const STEPS_A_DEGREE: u32 = 100_000;

/// The longitude that says this step.
pub fn longitude(step: u32) -> f64 {
    f64::from(step) / f64::from(STEPS_A_DEGREE)
}

/// The step that a longitude says; none for what no vehicle reports.
pub fn step(longitude: f64) -> Option<u32> {
    let step = (longitude * f64::from(STEPS_A_DEGREE)).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in the range that is asked for first"
    )]
    (0.0..=18_000_000.0).contains(&step).then_some(step as u32)
}

#[derive(Deserialize)]
struct Moved<'a> {
    #[serde(borrow)]
    id: &'a str,
    geometry: Geometry,
}

#[derive(Deserialize)]
struct Geometry {
    coordinates: (f64, f64),
}

#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    id: Uuid,
    device: Uuid,
    output: String,
    status: Status,
    modified: String,
}

impl Seen {
    /// What a message says to a client with this scope.
    pub fn of(scope: &Scope, text: &str) -> Self {
        let read = match scope {
            Scope::Locations(_) => Self::moved(text),
            Scope::Device(_) => Self::updated(text),
        };
        read.unwrap_or_else(|| Self::Nonsense(text.chars().take(500).collect()))
    }

    fn moved(text: &str) -> Option<Self> {
        let moved: Moved = serde_json::from_str(text).ok()?;
        Some(Self::Moved {
            location: Uuid::parse_str(moved.id).ok()?,
            step: step(moved.geometry.coordinates.0)?,
        })
    }

    fn updated(text: &str) -> Option<Self> {
        let Envelope { data } = serde_json::from_str(text).ok()?;
        Some(Self::Updated(Update {
            id: data.id,
            device: data.device,
            modified: data.modified,
            status: data.status,
            output: data.output,
        }))
    }
}

impl History {
    pub fn new(name: String, scope: Scope) -> Self {
        Self {
            name,
            scope,
            duty: Duty::Knows,
            seen: Vec::new(),
            refused: BTreeMap::new(),
        }
    }

    /// How many messages it has brought.
    pub fn events(&self) -> usize {
        let is_event = |seen: &&Seen| !matches!(seen, Seen::Opened | Seen::Closed(_));
        self.seen.iter().filter(is_event).count()
    }

    /// How often the client came back.
    pub fn reconnects(&self) -> usize {
        let opened = self.seen.iter().filter(|seen| **seen == Seen::Opened);
        opened.count().saturating_sub(1)
    }

    /// Whether its client is shut out: its socket was ended, and it was refused when it came back.
    pub fn is_shut_out(&self) -> bool {
        let is_end = |seen: &&Seen| matches!(seen, Seen::Opened | Seen::Closed(_));
        let last = self.seen.iter().rfind(is_end);
        last != Some(&Seen::Opened) && self.refused.contains_key(&FORBIDDEN)
    }

    /// The last step that it brought of each location.
    pub fn steps(&self) -> BTreeMap<Uuid, u32> {
        let moves = self.seen.iter().filter_map(|seen| match seen {
            Seen::Moved { location, step } => Some((*location, *step)),
            _ => None,
        });
        moves.collect()
    }

    /// The last that it brought of each command.
    pub fn updates(&self) -> BTreeMap<Uuid, &Update> {
        let updates = self.seen.iter().filter_map(|seen| match seen {
            Seen::Updated(update) => Some((update.id, update)),
            _ => None,
        });
        updates.collect()
    }
}
