//! What was published, and what became of it.

use std::ops::Range;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::latency::Latencies;
use crate::message;

/// A message on its way.
struct Sent {
    content: Range<usize>,
    at: Instant,
    /// Sockets that have not got it.
    missing: usize,
}

/// The messages of one measurement.
pub struct Journal {
    /// The number of the first.
    base: usize,
    bytes: Vec<u8>,
    sent: Vec<Sent>,
    pub delivered: usize,
    /// Deliveries that others overtook: they never came.
    pub lost: usize,
    /// From publishing to the arrival at a socket.
    pub latencies: Latencies,
    /// From publishing to the arrival at the last of them.
    pub lasts: Latencies,
}

impl Journal {
    /// An empty one, whose first message is `base`.
    pub fn new(base: usize) -> Self {
        Self {
            base,
            bytes: Vec::new(),
            sent: Vec::new(),
            delivered: 0,
            lost: 0,
            latencies: Latencies::default(),
            lasts: Latencies::default(),
        }
    }

    /// How many were published.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// The number of the next.
    pub fn next(&self) -> usize {
        self.base + self.sent.len()
    }

    /// Writes down one more that goes to `sockets`: its number and its content.
    pub fn publish(&mut self, frame: usize, sockets: usize) -> (usize, &[u8]) {
        let (number, begin) = (self.next(), self.bytes.len());
        message::append(&mut self.bytes, number, frame);
        let content = begin..self.bytes.len();
        self.sent.push(Sent {
            content: content.clone(),
            at: Instant::now(),
            missing: sockets,
        });
        (number, &self.bytes[content])
    }

    /// A socket that expects message `next` (counted from the first of this journal) got `payload`:
    /// what it expects then. Other content, an older message and an unknown one are errors.
    pub fn arrived(&mut self, next: usize, payload: &[u8], now: Instant) -> Result<usize> {
        let is_next = |sent: &Sent| self.bytes[sent.content.clone()] == *payload;
        let index = if self.sent.get(next).is_some_and(is_next) {
            next
        } else {
            let number = message::number(payload).context("no message of this benchmark")?;
            // Of a measurement that did not wait for it any more.
            let Some(index) = number.checked_sub(self.base) else {
                return Ok(next);
            };
            ensure!(index >= next, "message {number} came late or twice");
            let sent = self.sent.get(index).context("a message from the future")?;
            ensure!(is_next(sent), "message {number} came with other content");
            self.lost += index - next;
            index
        };
        self.delivered += 1;
        let sent = &mut self.sent[index];
        sent.missing = sent.missing.saturating_sub(1);
        let delay = now.saturating_duration_since(sent.at);
        self.latencies.add(delay);
        if sent.missing == 0 {
            self.lasts.add(delay);
        }
        Ok(index + 1)
    }

    /// Whether this message was published in this measurement.
    pub fn has(&self, number: usize) -> bool {
        (self.base..self.next()).contains(&number)
    }

    /// Which message this is, for a reader that may skip some; other content is an error.
    pub fn check(&self, payload: &[u8]) -> Result<usize> {
        let number = message::number(payload).context("no message of this benchmark")?;
        let sent = number
            .checked_sub(self.base)
            .and_then(|index| self.sent.get(index));
        if let Some(sent) = sent {
            ensure!(
                self.bytes[sent.content.clone()] == *payload,
                "message {number} came with other content"
            );
        }
        Ok(number)
    }
}
