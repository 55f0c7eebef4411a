//! What keys and channels are called, and on which host each lies.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::event::Timestamp;
use crate::openwisp::settings::LayerKind;

/// The place of `name` among `hosts` hosts: the low 12 bits of its CRC-32, spread over them
/// (`_consistent_hash` of `channels_redis/utils.py`).
pub(super) fn host_of(name: &str, hosts: usize) -> usize {
    const PLACES: usize = 4096;
    let place = crc32fast::hash(name.as_bytes()) as usize % PLACES;
    // Python divides by a fraction: for fewer than 186 hosts whole numbers say the same.
    (place * hosts / PLACES).min(hosts.saturating_sub(1))
}

/// The names that one process goes by.
#[derive(Debug)]
pub(super) struct Names {
    kind: LayerKind,
    prefix: String,
    hosts: usize,
    /// Names what is only ours.
    own: String,
    queue_host: usize,
    // A std lock around a text, never held across an await.
    process: Mutex<Process>,
}

/// What `channels_redis` calls a process: whoever reads one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// 32 hexadecimal digits.
    pub(super) id: Arc<str>,
    /// When it got its name.
    pub(super) named: Timestamp,
}

impl Names {
    /// Names that nobody had before.
    pub(super) fn new(kind: LayerKind, prefix: &str, hosts: usize) -> Self {
        let process = Process::new();
        Self {
            kind,
            prefix: prefix.to_owned(),
            hosts,
            own: Uuid::new_v4().simple().to_string(),
            queue_host: process.host(hosts),
            process: Mutex::new(process),
        }
    }

    /// The process that we are now.
    pub(super) fn process(&self) -> Process {
        self.process
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes another process of us, whose queue lies on the same host. Returns the one we were.
    pub(super) fn rename(&self) -> Process {
        let new = loop {
            let new = Process::new();
            if new.host(self.hosts) == self.queue_host {
                break new;
            }
        };
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut process, new)
    }

    /// The number of one of our [channels](Process::channel).
    pub(super) fn number(&self, channel: &str) -> Option<u64> {
        let number = channel.strip_prefix(self.process().channels().as_str())?;
        u64::from_str_radix(number, 16).ok()
    }

    /// The key of the sorted set into which senders put what is for a process.
    pub(super) fn queue(&self, process: &Process) -> String {
        format!("{}{}", self.prefix, process.channels())
    }

    /// The host of our queue.
    pub(super) fn queue_host(&self) -> usize {
        self.queue_host
    }

    /// The key of a group's members, or the channel to which a group's messages are published.
    pub(super) fn group(&self, group: &str) -> String {
        match self.kind {
            LayerKind::Core => format!("{}:group:{group}", self.prefix),
            LayerKind::PubSub => format!("{}__group__{group}", self.prefix),
        }
    }

    /// The host of that.
    pub(super) fn group_host(&self, group: &str) -> usize {
        match self.kind {
            LayerKind::Core => host_of(group, self.hosts),
            LayerKind::PubSub => host_of(&self.group(group), self.hosts),
        }
    }

    /// A key of our own that vanishes with all others of the layer.
    pub(super) fn sentinel(&self) -> String {
        format!("{}fleetwire.{}", self.prefix, self.own)
    }

    /// What the marks in our queue begin with: no message does.
    pub(super) fn mark(&self) -> String {
        format!("fleetwire.settled.{}.", self.own)
    }

    /// How many hosts there are.
    pub(super) fn hosts(&self) -> usize {
        self.hosts
    }
}

impl Process {
    fn new() -> Self {
        Self {
            id: Uuid::new_v4().simple().to_string().into(),
            named: Timestamp::now(),
        }
    }

    /// What the names of its channels begin with, and what is hashed for their host.
    fn channels(&self) -> String {
        format!("specific.{}!", self.id)
    }

    fn host(&self, hosts: usize) -> usize {
        host_of(&self.channels(), hosts)
    }

    /// The channel with which it is a member of a group: `number` tells which group.
    pub(super) fn channel(&self, number: u64) -> String {
        format!("specific.{}!{number:x}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_chosen_as_channels_redis_chooses_them() {
        // Made with its `_consistent_hash`.
        let groups = [
            ("loci.mobile-location.common", 0, 0, 2),
            (
                "config.device-5fdbde33-1887-405b-8e3b-730dd242c9aa",
                1,
                1,
                4,
            ),
            (
                "loci.mobile-location.organization.b98855de-1097-4062-8dee-557dfae218e9",
                0,
                0,
                0,
            ),
            ("specific.dba3c1469e4b4f6f91142cae9a05b9ee!", 0, 0, 2),
            ("asgi__group__loci.mobile-location.common", 1, 2, 5),
            ("größe", 1, 1, 4),
            ("", 0, 0, 0),
        ];
        for (name, two, three, seven) in groups {
            let found = [2, 3, 7].map(|hosts| host_of(name, hosts));
            assert_eq!(found, [two, three, seven], "{name}");
            assert_eq!(host_of(name, 1), 0);
        }
    }

    #[test]
    fn a_channel_tells_its_number_and_only_ours_do() {
        let ours = Names::new(LayerKind::Core, "asgi", 1);
        assert_eq!(ours.number(&ours.process().channel(0xbeef)), Some(0xbeef));
        let other = Names::new(LayerKind::Core, "asgi", 1);
        assert_eq!(ours.number(&other.process().channel(1)), None);
        let earlier = ours.rename();
        assert_eq!(ours.number(&earlier.channel(1)), None);
        for wrong in ["", "specific.", "specific.!1", "common", "specific.x!1"] {
            assert_eq!(ours.number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn another_name_keeps_the_host() {
        let names = Names::new(LayerKind::Core, "asgi", 7);
        for _ in 0..20 {
            let earlier = names.rename();
            assert_ne!(names.process().id, earlier.id);
            assert_eq!(names.process().host(7), names.queue_host());
        }
    }

    #[test]
    fn names_are_those_of_the_captures() {
        let core = Names::new(LayerKind::Core, "asgi", 1);
        assert_eq!(
            core.group("loci.mobile-location.common"),
            "asgi:group:loci.mobile-location.common"
        );
        let queue = core.queue(&core.process());
        assert!(queue.starts_with("asgispecific.") && queue.ends_with('!'));
        assert_eq!(queue.len(), "asgispecific.".len() + 33);
        let pubsub = Names::new(LayerKind::PubSub, "asgi", 1);
        assert_eq!(
            pubsub.group("loci.mobile-location.common"),
            "asgi__group__loci.mobile-location.common"
        );
    }
}
