//! The bytes of a message on the wire.

use bytes::{BufMut, Bytes, BytesMut};

/// One WebSocket text frame (RFC 6455, section 5.2), unfragmented and, as a server's, unmasked:
/// the same bytes for every subscriber, so they are made once and shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// The frame around one text message.
    #[must_use]
    pub fn text(message: &str) -> Self {
        const FIN_TEXT: u8 = 0x81;
        let length = message.len();
        let mut bytes = BytesMut::with_capacity(length + 10);
        bytes.put_u8(FIN_TEXT);
        // The three forms of a payload's length; each `try_from` is the choice of its arm.
        if let Ok(short @ ..=125) = u8::try_from(length) {
            bytes.put_u8(short);
        } else if let Ok(medium) = u16::try_from(length) {
            bytes.put_u8(126);
            bytes.put_u16(medium);
        } else {
            bytes.put_u8(127);
            bytes.put_u64(length as u64);
        }
        bytes.put_slice(message.as_bytes());
        Self(bytes.freeze())
    }

    /// What is written to the socket.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Bytes on the wire, header included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_takes_the_shortest_of_its_three_forms() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::text(&"x".repeat(length));
            assert_eq!(&frame.bytes()[..header.len()], header);
            assert_eq!(frame.size(), header.len() + length);
        }
    }
}
