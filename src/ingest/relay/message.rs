//! What goes through a channel: events of one organization, sealed with a key that the nodes share.
//!
//! Whoever can write to Redis cannot make an event up, carry one from one organization's channel to
//! another's or read one; whoever has the key could change the database itself.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::event::{CommandId, Event, OrganizationId};
use crate::store::{Key, KeyError};

/// An event whose text is longer travels as an identifier: the tail reads the rest.
pub(super) const LARGE: usize = 16 * 1024;

/// Text of the events that are joined into one message.
const JOINED: usize = 64 * 1024;

/// The longest message that is looked into: one with all that is joined, the last event being as long as
/// may be, and sealed.
const LONGEST: usize = JOINED + LARGE + 4096;

/// Bytes of the sender, which stand before what is sealed.
const SENDER: usize = 16;

/// One committed update, or a growth of output.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    /// What its row was stamped with; 0 for what is not committed yet.
    pub change: i64,
    /// What happened; none where that is too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// The command of an event that is too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub large: Option<CommandId>,
}

/// An item on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub organization: OrganizationId,
    /// The item as JSON.
    pub text: String,
}

/// What came and was not taken.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    /// Of this very process, which knows it already.
    #[error("it is our own")]
    Own,
    #[error("it is longer than any that we send")]
    Long,
    #[error(
        "it is not sealed with secrets.key for this organization: another node has another key, or somebody else writes to hints.url"
    )]
    Seal,
    #[error("it holds no events of this organization")]
    Content,
}

impl Outgoing {
    /// An event to be told to the other nodes; none where it is not known whose it is, or where it is growing
    /// output that is too large: then they hear when it is saved.
    pub fn of(event: &Event, change: i64) -> Option<Self> {
        let organization = event.organization()?;
        let large = match event {
            // Its JSON is not shorter.
            Event::CommandUpdated(updated) if updated.output.len() > LARGE => String::new(),
            event => event.written(),
        };
        let is_large = large.is_empty() || large.len() > LARGE;
        let text = match event {
            Event::CommandUpdated(updated) if is_large && updated.growth > 0 => return None,
            Event::CommandUpdated(updated) if is_large => {
                format!(r#"{{"change":{change},"large":"{}"}}"#, updated.id)
            }
            // A location's name and address have a bound that is far below.
            _ => format!(r#"{{"change":{change},"event":{large}}}"#),
        };
        Some(Self { organization, text })
    }
}

/// Joins items into as few messages as may be, the order within each organization kept.
pub(super) fn join(items: Vec<Outgoing>) -> Vec<(OrganizationId, String)> {
    let mut messages: Vec<(OrganizationId, String)> = Vec::new();
    let mut open: HashMap<OrganizationId, usize> = HashMap::new();
    for item in items {
        let at = open.get(&item.organization).copied();
        match at.map(|at| &mut messages[at].1) {
            Some(text) if text.len() < JOINED => {
                text.push(',');
                text.push_str(&item.text);
            }
            _ => {
                open.insert(item.organization, messages.len());
                messages.push((item.organization, format!("[{}", item.text)));
            }
        }
    }
    for (_, text) in &mut messages {
        text.push(']');
    }
    messages
}

/// A message as it is published.
pub(super) fn seal(
    key: &Key,
    sender: Uuid,
    organization: OrganizationId,
    text: &str,
) -> Result<Vec<u8>, KeyError> {
    let sealed = key.seal(text.as_bytes(), organization.0)?;
    Ok([&sender.as_bytes()[..], &sealed].concat())
}

/// The items of a message that came through the channel of `organization` to `receiver`.
pub(super) fn open(
    key: &Key,
    receiver: Uuid,
    organization: OrganizationId,
    message: &[u8],
) -> Result<Vec<Item>, Refused> {
    if message.len() > LONGEST {
        return Err(Refused::Long);
    }
    let (sender, sealed) = message
        .split_first_chunk::<SENDER>()
        .ok_or(Refused::Content)?;
    if sender == receiver.as_bytes() {
        return Err(Refused::Own);
    }
    let text = key
        .open(sealed, organization.0)
        .map_err(|_| Refused::Seal)?;
    let items: Vec<Item> = serde_json::from_slice(&text).map_err(|_| Refused::Content)?;
    let is_of_it = |item: &Item| match &item.event {
        Some(event) => event.organization() == Some(organization),
        None => item.large.is_some(),
    };
    if items.iter().all(is_of_it) {
        Ok(items)
    } else {
        Err(Refused::Content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::LocationId;
    use crate::ingest::testing::{grown, moved};

    fn ids() -> (OrganizationId, OrganizationId, Uuid, Uuid) {
        let [a, b] = [0; 2].map(|_| OrganizationId::random());
        (a, b, Uuid::new_v4(), Uuid::new_v4())
    }

    fn text(organization: OrganizationId, version: i64) -> Outgoing {
        let event = Event::LocationMoved(moved(LocationId::random(), organization, version));
        Outgoing::of(&event, version).unwrap()
    }

    #[test]
    fn events_of_an_organization_arrive_together_and_in_their_order() {
        let (key, (a, b, sender, receiver)) = (Key::random(), ids());
        let messages = join(vec![text(a, 1), text(b, 2), text(a, 3)]);
        assert_eq!(messages.len(), 2);
        let changes = |number: usize| -> Vec<i64> {
            let (organization, text) = &messages[number];
            let message = seal(&key, sender, *organization, text).unwrap();
            let items = open(&key, receiver, *organization, &message).unwrap();
            items.iter().map(|item| item.change).collect()
        };
        assert_eq!((changes(0), changes(1)), (vec![1, 3], vec![2]));
    }

    #[test]
    fn what_is_not_sealed_for_this_organization_is_refused() {
        let (key, (a, b, sender, receiver)) = (Key::random(), ids());
        let [(_, written)] = &join(vec![text(a, 1)])[..] else {
            panic!("one message");
        };
        let message = seal(&key, sender, a, written).unwrap();
        let opened = |message: &[u8], organization| open(&key, receiver, organization, message);
        assert!(opened(&message, a).is_ok());
        // Carried to another channel, written with another key, or altered.
        assert_eq!(opened(&message, b), Err(Refused::Seal));
        let other = seal(&Key::random(), sender, a, written).unwrap();
        assert_eq!(opened(&other, a), Err(Refused::Seal));
        let mut altered = message.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(opened(&altered, a), Err(Refused::Seal));
        assert_eq!(open(&key, sender, a, &message), Err(Refused::Own));
        for length in [0, 15, 16, 40] {
            assert!(opened(&message[..length], a).is_err(), "{length}");
        }
        assert_eq!(opened(&vec![0; LONGEST + 1], a), Err(Refused::Long));
        // A node that has the key and says something else all the same.
        let foreign = seal(&key, sender, b, written).unwrap();
        assert_eq!(opened(&foreign, b), Err(Refused::Content));
        for text in ["", "{}", "[{}]", r#"[{"change":1}]"#, "[1", "\u{0}"] {
            let message = seal(&key, sender, a, text).unwrap();
            assert_eq!(opened(&message, a), Err(Refused::Content), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_travels_as_an_identifier_and_as_nothing_while_it_grows() {
        let organization = OrganizationId::random();
        let of = |length: usize, growth| {
            let mut updated = grown(organization, 5, growth);
            // Each of these takes six characters in JSON.
            updated.output = "\u{1}".repeat(length);
            let told = Outgoing::of(&Event::CommandUpdated(updated.clone()), 9)?;
            let item: Item = serde_json::from_str(&told.text).unwrap();
            assert_eq!((told.organization, item.change), (organization, 9));
            assert!(told.text.len() < LARGE + 100);
            Some((item.event.is_some(), item.large == Some(updated.id)))
        };
        assert_eq!(of(2000, 0), Some((true, false)));
        assert_eq!(of(2000, 1), Some((true, false)));
        for length in [3000, LARGE, LARGE + 1] {
            assert_eq!(of(length, 0), Some((false, true)));
            assert_eq!(of(length, 1), None);
        }
    }

    #[test]
    fn messages_stay_shorter_than_what_is_looked_into() {
        let (key, (a, _, sender, _)) = (Key::random(), ids());
        let mut updated = grown(a, 5, 0);
        updated.output = "x".repeat(LARGE - 1000);
        let items =
            (0..50).filter_map(|_| Outgoing::of(&Event::CommandUpdated(updated.clone()), 1));
        let messages = join(items.collect());
        assert!(messages.len() > 1);
        for (_, text) in messages {
            assert!(seal(&key, sender, a, &text).unwrap().len() <= LONGEST);
        }
    }
}
