//! What is on its way to a client: shared frames, and control frames between them.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{BufMut, Bytes, BytesMut};

use crate::event::Frame;
use crate::hub::CloseReason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Event,
    Ping,
    Pong,
    Close,
}

/// Frames taken for writing, the first of which may be partly written.
#[derive(Debug, Default)]
pub struct Writer {
    frames: VecDeque<(Kind, Bytes)>,
    /// Bytes of the first frame that are written.
    written: usize,
}

/// What one write to the socket achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Event frames completed by it.
    pub frames: u64,
    /// Whether it moved an event frame forward: control frames are no progress, or a client that
    /// is gone would live on by our own pings.
    pub events_moved: bool,
}

impl Writer {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes of what waits.
    pub fn waiting_bytes(&self) -> usize {
        let taken: usize = self.frames.iter().map(|(_, bytes)| bytes.len()).sum();
        taken - self.written
    }

    /// Adds event frames behind everything.
    pub fn push_events(&mut self, frames: impl IntoIterator<Item = Frame>) {
        self.frames.extend(
            frames
                .into_iter()
                .map(|frame| (Kind::Event, frame.bytes().clone())),
        );
    }

    /// Adds a ping before the events that have not begun.
    pub fn push_ping(&mut self) {
        self.push_control(Kind::Ping, 0x89, &[]);
    }

    /// Adds a pong. Only the newest ping is answered (RFC 6455, section 5.5.3), so a client that
    /// pings without reading costs one frame.
    pub fn push_pong(&mut self, payload: &[u8]) {
        self.push_control(Kind::Pong, 0x8a, payload);
    }

    /// Adds a close frame as the last one: what has not begun is dropped.
    pub fn push_close(&mut self, reason: CloseReason) {
        let text = reason.text().as_bytes();
        let mut payload = BytesMut::with_capacity(2 + text.len());
        payload.put_u16(reason.code());
        payload.put_slice(text);
        self.close_with(&payload);
    }

    /// Adds the answer to a client's close frame: its own code (RFC 6455, section 5.5.1).
    pub fn push_close_echo(&mut self, code: Option<u16>) {
        let payload = code.map(u16::to_be_bytes);
        self.close_with(payload.as_ref().map_or(&[], |code| code.as_slice()));
    }

    fn close_with(&mut self, payload: &[u8]) {
        self.frames.truncate(usize::from(self.written > 0));
        self.push_control(Kind::Close, 0x88, payload);
    }

    fn push_control(&mut self, kind: Kind, first: u8, payload: &[u8]) {
        let begun = usize::from(self.written > 0);
        let mut bytes = BytesMut::with_capacity(2 + payload.len());
        bytes.put_u8(first);
        // A control frame's payload is at most 125 bytes: ours are short, a client's was checked.
        bytes.put_u8(u8::try_from(payload.len()).unwrap_or(125));
        bytes.put_slice(payload);
        let same = self
            .frames
            .iter()
            .skip(begun)
            .position(|(other, _)| *other == kind);
        match same {
            Some(position) => self.frames[begun + position].1 = bytes.freeze(),
            None => self.frames.insert(begun, (kind, bytes.freeze())),
        }
    }

    /// Fills `slices` with what is to be written next and returns how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut skip = self.written;
        let mut filled = 0;
        for (slice, (_, bytes)) in slices.iter_mut().zip(&self.frames) {
            *slice = IoSlice::new(&bytes[skip..]);
            skip = 0;
            filled += 1;
        }
        filled
    }

    /// Notes that `bytes` were written.
    pub fn advance(&mut self, bytes: usize) -> Progress {
        let mut progress = Progress::default();
        let mut left = self.written + bytes;
        while let Some((kind, first)) = self.frames.front() {
            let is_event = *kind == Kind::Event;
            let length = first.len();
            progress.events_moved |= is_event && left > 0;
            if left < length {
                break;
            }
            left -= length;
            progress.frames += u64::from(is_event);
            self.frames.pop_front();
        }
        self.written = left;
        if self.frames.is_empty() {
            // An idle socket keeps no memory of the burst that went through it.
            self.frames = VecDeque::new();
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Frame {
        Frame::text(text)
    }

    /// Writes everything, at most `step` bytes at a time.
    fn drain(writer: &mut Writer, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !writer.is_empty() {
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = writer.slices(&mut slices);
            let bytes: Vec<u8> = slices[..filled]
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .take(step)
                .collect();
            writer.advance(bytes.len());
            out.extend(bytes);
        }
        out
    }

    #[test]
    fn frames_leave_in_order_however_small_the_steps() {
        for step in 1..12 {
            let mut writer = Writer::default();
            writer.push_events([event("one"), event("two"), event("three")]);
            assert_eq!(
                drain(&mut writer, step),
                b"\x81\x03one\x81\x03two\x81\x05three"
            );
        }
    }

    #[test]
    fn a_pong_goes_before_waiting_events_but_never_into_one_that_has_begun() {
        let mut writer = Writer::default();
        writer.push_events([event("one"), event("two")]);
        writer.advance(2);
        writer.push_pong(b"x");
        assert_eq!(drain(&mut writer, 100), b"one\x8a\x01x\x81\x03two");
    }

    #[test]
    fn only_the_newest_ping_is_answered_when_the_client_does_not_read() {
        let mut writer = Writer::default();
        writer.push_events([event("one")]);
        writer.advance(1);
        for payload in [b"a", b"b", b"c"] {
            writer.push_pong(payload);
        }
        assert_eq!(drain(&mut writer, 100), b"\x03one\x8a\x01c");
    }

    #[test]
    fn a_close_is_the_last_frame_and_drops_what_has_not_begun() {
        let mut writer = Writer::default();
        writer.push_events([event("one"), event("two")]);
        writer.advance(3);
        writer.push_close_echo(Some(1000));
        assert_eq!(drain(&mut writer, 100), b"ne\x88\x02\x03\xe8");
    }

    #[test]
    fn our_own_pings_are_no_progress() {
        let mut writer = Writer::default();
        writer.push_ping();
        assert_eq!(
            writer.advance(2),
            Progress {
                frames: 0,
                events_moved: false
            }
        );
        writer.push_events([event("one")]);
        assert_eq!(
            writer.advance(1),
            Progress {
                frames: 0,
                events_moved: true
            }
        );
        assert_eq!(
            writer.advance(4),
            Progress {
                frames: 1,
                events_moved: true
            }
        );
    }
}
