//! Who is on which topic, as one shard knows it.

use std::collections::HashMap;

use crate::event::Topic;

/// The subscribers of each topic, and the topics of each subscriber.
#[derive(Debug, Default)]
pub struct Roll {
    numbers: HashMap<Topic, u32>,
    /// By the number of the topic.
    topics: Vec<Members>,
    free_numbers: Vec<u32>,
    /// By the slot of the subscriber.
    places: Vec<Places>,
}

#[derive(Debug)]
struct Members {
    topic: Topic,
    slots: Vec<u32>,
}

/// Where a subscriber stands: the number of a topic, and the position among its members.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u32,
    position: u32,
}

/// Nearly every socket is on one topic: that takes no allocation.
#[derive(Debug, Default)]
enum Places {
    #[default]
    None,
    One(Place),
    Many(Box<[Place]>),
}

impl Places {
    fn as_slice(&self) -> &[Place] {
        match self {
            Self::None => &[],
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [Place] {
        match self {
            Self::None => &mut [],
            Self::One(place) => std::slice::from_mut(place),
            Self::Many(places) => places,
        }
    }
}

impl FromIterator<Place> for Places {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Self {
        let places: Vec<Place> = places.into_iter().collect();
        match places[..] {
            [] => Self::None,
            [place] => Self::One(place),
            _ => Self::Many(places.into()),
        }
    }
}

impl Roll {
    /// The slots of those on `topic`.
    #[must_use]
    pub fn members(&self, topic: Topic) -> &[u32] {
        let number = self.numbers.get(&topic);
        number.map_or(&[], |number| &self.topics[*number as usize].slots)
    }

    /// Puts the subscriber in `slot` on exactly `topics` (each named once) and returns the topics
    /// that it was on before.
    pub fn set(&mut self, slot: u32, topics: &[Topic]) -> Vec<Topic> {
        let index = slot as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, Places::default);
        }
        let before = std::mem::take(&mut self.places[index]);
        let mut left = Vec::new();
        for place in before.as_slice() {
            left.push(self.remove(*place));
        }
        self.places[index] = topics.iter().map(|topic| self.add(*topic, slot)).collect();
        left
    }

    /// The topics of the subscriber in `slot`.
    #[must_use]
    pub fn topics_of(&self, slot: u32) -> Vec<Topic> {
        let places = self.places.get(slot as usize).map(Places::as_slice);
        let topics = places.into_iter().flatten();
        topics
            .map(|place| self.topics[place.number as usize].topic)
            .collect()
    }

    fn add(&mut self, topic: Topic, slot: u32) -> Place {
        let number = if let Some(number) = self.numbers.get(&topic) {
            *number
        } else {
            let members = Members {
                topic,
                slots: Vec::new(),
            };
            let number = if let Some(number) = self.free_numbers.pop() {
                self.topics[number as usize] = members;
                number
            } else {
                self.topics.push(members);
                count(self.topics.len() - 1)
            };
            self.numbers.insert(topic, number);
            number
        };
        let slots = &mut self.topics[number as usize].slots;
        slots.push(slot);
        Place {
            number,
            position: count(slots.len() - 1),
        }
    }

    /// Takes a subscriber off a topic; the last member takes its position.
    fn remove(&mut self, place: Place) -> Topic {
        let members = &mut self.topics[place.number as usize];
        let topic = members.topic;
        members.slots.swap_remove(place.position as usize);
        if let Some(&moved) = members.slots.get(place.position as usize) {
            let places = self.places[moved as usize].as_mut_slice();
            for other in places.iter_mut().filter(|it| it.number == place.number) {
                other.position = place.position;
            }
        }
        if members.slots.is_empty() {
            // An empty topic leaves no trace.
            members.slots = Vec::new();
            self.numbers.remove(&topic);
            self.free_numbers.push(place.number);
        }
        topic
    }
}

/// Slots are numbered with 32 bits, so neither topics nor members can be more.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{LocationId, OrganizationId};

    fn location() -> Topic {
        Topic::Location(LocationId::random())
    }

    #[test]
    fn whoever_leaves_from_the_middle_takes_nobody_along() {
        let mut roll = Roll::default();
        let (fleet, bus) = (Topic::AllLocations, location());
        for slot in 0..4 {
            assert!(roll.set(slot, &[fleet, bus]).is_empty());
        }
        assert_eq!(roll.set(1, &[]), [fleet, bus]);
        assert_eq!(roll.set(3, &[bus]), [fleet, bus]);
        assert_eq!(roll.members(fleet), [0, 2]);
        let mut on_bus = roll.members(bus).to_vec();
        on_bus.sort_unstable();
        assert_eq!(on_bus, [0, 2, 3]);
        for slot in 0..4 {
            roll.set(slot, &[]);
        }
        assert!(roll.members(fleet).is_empty() && roll.members(bus).is_empty());
    }

    #[test]
    fn following_other_topics_leaves_the_old_ones() {
        let mut roll = Roll::default();
        let [a, b, c] = [0; 3].map(|_| Topic::OrgLocations(OrganizationId::random()));
        roll.set(7, &[a, b]);
        assert_eq!(roll.set(7, &[b, c]), [a, b]);
        assert!(roll.members(a).is_empty());
        assert_eq!((roll.members(b), roll.members(c)), (&[7][..], &[7][..]));
        assert_eq!(roll.topics_of(7), [b, c]);
    }

    #[test]
    fn an_empty_topic_leaves_no_trace() {
        let mut roll = Roll::default();
        for slot in 0..100 {
            roll.set(slot, &[location()]);
            roll.set(slot, &[]);
        }
        assert!(roll.numbers.is_empty());
        assert_eq!(roll.topics.len(), 1);
    }
}
