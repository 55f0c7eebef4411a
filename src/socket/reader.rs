//! Reads what a client sends: control frames are understood, data is thrown away.
//!
//! Written against RFC 6455, section 5. Nothing of a data frame's payload is kept, looked at or
//! even unmasked, so a message of any size costs no memory.

/// The largest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_PAYLOAD: u64 = 125;

/// A complete control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// To be answered with a pong of the same payload.
    Ping(Vec<u8>),
    /// A sign of life.
    Pong,
    /// The client ends the connection, with its code if it gave one.
    Close(Option<u16>),
}

/// How a client broke the framing; each ends the connection with 1002.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Section 5.1: a client must mask.
    #[error("a frame was not masked")]
    Unmasked,
    /// Section 5.2: no extension was negotiated that would give them a meaning.
    #[error("a reserved bit was set")]
    ReservedBit,
    /// Section 5.2.
    #[error("the opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// Section 5.5.
    #[error("a control frame was fragmented")]
    FragmentedControl,
    /// Section 5.5.
    #[error("a control frame was longer than 125 bytes")]
    LongControl,
    /// Section 5.4: a continuation of nothing, or a new message inside another.
    #[error("a fragment was out of place")]
    MisplacedFragment,
    /// Section 5.2: the shortest form must be used, and the highest bit must be 0.
    #[error("a payload's length was not written in its shortest form")]
    Length,
    /// Sections 5.5.1 and 7.4.
    #[error("a close frame had a payload that is no status code and UTF-8 text")]
    ClosePayload,
}

/// The state between two reads. Small: an idle socket keeps one.
#[derive(Debug, Default)]
pub struct FrameReader {
    state: State,
    /// Whether a fragmented message is open.
    in_message: bool,
}

#[derive(Debug)]
enum State {
    /// Collecting a header: at most 2 bytes, 8 of length and 4 of mask.
    Header { bytes: [u8; 14], have: usize },
    /// Throwing away the rest of a data frame's payload.
    Data { left: u64 },
    /// Collecting a control frame's payload, unmasked as it comes.
    Control {
        opcode: Opcode,
        mask: [u8; 4],
        length: usize,
        payload: Vec<u8>,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Header {
            bytes: [0; 14],
            have: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Data,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(bits: u8) -> Result<Self, FramingError> {
        match bits {
            0 => Ok(Self::Continuation),
            1 | 2 => Ok(Self::Data),
            8 => Ok(Self::Close),
            9 => Ok(Self::Ping),
            10 => Ok(Self::Pong),
            reserved => Err(FramingError::ReservedOpcode(reserved)),
        }
    }

    fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl FrameReader {
    /// Consumes `input` up to and including the next complete control frame, which is returned, or
    /// all of it.
    ///
    /// # Errors
    /// When the framing is broken; nothing that follows has a meaning then.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Control>, FramingError> {
        loop {
            match &mut self.state {
                State::Header { bytes, have } => {
                    if !fill_header(bytes, have, input)? {
                        return Ok(None);
                    }
                    let bytes = *bytes;
                    self.begin_frame(&bytes)?;
                }
                State::Data { left } => {
                    let skipped = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(input.len());
                    *input = &input[skipped..];
                    *left -= skipped as u64;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::default();
                }
                State::Control {
                    opcode,
                    mask,
                    length,
                    payload,
                } => {
                    let wanted = (*length - payload.len()).min(input.len());
                    for byte in &input[..wanted] {
                        payload.push(byte ^ mask[payload.len() % 4]);
                    }
                    *input = &input[wanted..];
                    if payload.len() < *length {
                        return Ok(None);
                    }
                    let control = control(*opcode, std::mem::take(payload))?;
                    self.state = State::default();
                    return Ok(Some(control));
                }
            }
        }
    }

    /// A header is complete: what follows is a payload of its kind.
    fn begin_frame(&mut self, bytes: &[u8; 14]) -> Result<(), FramingError> {
        let opcode = Opcode::parse(bytes[0] & 0x0f)?;
        let length = payload_length(bytes)?;
        let fin = bytes[0] & 0x80 != 0;
        if opcode.is_control() {
            let mask_at = header_length(bytes[1]) - 4;
            let mut mask = [0; 4];
            mask.copy_from_slice(&bytes[mask_at..mask_at + 4]);
            // At most 125: checked as soon as the first two bytes were there.
            let length = usize::from(bytes[1] & 0x7f);
            self.state = State::Control {
                opcode,
                mask,
                length,
                payload: Vec::new(),
            };
            return Ok(());
        }
        if (opcode == Opcode::Continuation) != self.in_message {
            return Err(FramingError::MisplacedFragment);
        }
        self.in_message = !fin;
        self.state = State::Data { left: length };
        Ok(())
    }
}

/// Moves bytes of `input` into a header; true when it is complete. What is wrong with its first
/// two bytes is said as soon as they are there.
fn fill_header(
    bytes: &mut [u8; 14],
    have: &mut usize,
    input: &mut &[u8],
) -> Result<bool, FramingError> {
    loop {
        let wanted = if *have < 2 {
            2
        } else {
            header_length(bytes[1])
        };
        if *have == wanted {
            return Ok(true);
        }
        let taken = (wanted - *have).min(input.len());
        if taken == 0 {
            return Ok(false);
        }
        bytes[*have..*have + taken].copy_from_slice(&input[..taken]);
        *have += taken;
        *input = &input[taken..];
        if *have == 2 {
            check_start(bytes[0], bytes[1])?;
        }
    }
}

/// What the first two bytes of a frame must be.
fn check_start(first: u8, second: u8) -> Result<(), FramingError> {
    if first & 0x70 != 0 {
        return Err(FramingError::ReservedBit);
    }
    let opcode = Opcode::parse(first & 0x0f)?;
    if second & 0x80 == 0 {
        return Err(FramingError::Unmasked);
    }
    if opcode.is_control() {
        if first & 0x80 == 0 {
            return Err(FramingError::FragmentedControl);
        }
        if u64::from(second & 0x7f) > CONTROL_PAYLOAD {
            return Err(FramingError::LongControl);
        }
    }
    Ok(())
}

/// Bytes of the whole header, mask included, by its second byte.
fn header_length(second: u8) -> usize {
    match second & 0x7f {
        126 => 2 + 2 + 4,
        127 => 2 + 8 + 4,
        _ => 2 + 4,
    }
}

fn payload_length(bytes: &[u8; 14]) -> Result<u64, FramingError> {
    let (length, shortest) = match bytes[1] & 0x7f {
        126 => (u64::from(u16::from_be_bytes([bytes[2], bytes[3]])), 126),
        127 => {
            let mut wide = [0; 8];
            wide.copy_from_slice(&bytes[2..10]);
            (u64::from_be_bytes(wide), 1 << 16)
        }
        short => (u64::from(short), 0),
    };
    if length < shortest || length >> 63 == 1 {
        return Err(FramingError::Length);
    }
    Ok(length)
}

fn control(opcode: Opcode, payload: Vec<u8>) -> Result<Control, FramingError> {
    match opcode {
        Opcode::Ping => Ok(Control::Ping(payload)),
        Opcode::Close => close_code(&payload).map(Control::Close),
        _ => Ok(Control::Pong),
    }
}

/// The code of a close frame, if it has one that may be on the wire (RFC 6455, section 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, FramingError> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let allowed = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            if allowed && std::str::from_utf8(reason).is_ok() {
                Ok(Some(code))
            } else {
                Err(FramingError::ClosePayload)
            }
        }
        [_] => Err(FramingError::ClosePayload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame with the mask 1, 2, 3, 4.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(u8::try_from(0x80 | length).unwrap()),
            length @ 126..=65_535 => {
                bytes.push(0xfe);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                bytes.push(0xff);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.extend(
            payload
                .iter()
                .enumerate()
                .map(|(i, byte)| byte ^ [1, 2, 3, 4][i % 4]),
        );
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<Control>, FramingError> {
        let (mut reader, mut input, mut found) = (FrameReader::default(), bytes, Vec::new());
        while let Some(control) = reader.read(&mut input)? {
            found.push(control);
        }
        assert!(input.is_empty());
        Ok(found)
    }

    #[test]
    fn data_of_every_length_is_thrown_away_and_the_ping_behind_it_found() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 200_000] {
            let mut bytes = frame(0x82, &vec![7; length]);
            bytes.extend(frame(0x89, b"alive?"));
            assert_eq!(
                read_all(&bytes).unwrap(),
                [Control::Ping(b"alive?".to_vec())]
            );
        }
    }

    #[test]
    fn cut_anywhere_the_same_is_read() {
        let mut bytes = frame(0x01, b"begin");
        bytes.extend(frame(0x89, b"between the fragments"));
        bytes.extend(frame(0x80, &[9; 300]));
        bytes.extend(frame(0x88, &[0x03, 0xe8, b'b', b'y', b'e']));
        let whole = read_all(&bytes).unwrap();
        assert_eq!(whole.last(), Some(&Control::Close(Some(1000))));
        for cut in 0..bytes.len() {
            let (mut reader, mut found) = (FrameReader::default(), Vec::new());
            for mut part in [&bytes[..cut], &bytes[cut..]] {
                while let Some(control) = reader.read(&mut part).unwrap() {
                    found.push(control);
                }
            }
            assert_eq!(found, whole, "cut at {cut}");
        }
    }

    #[test]
    fn text_that_is_no_utf8_is_data_like_any_other() {
        assert_eq!(read_all(&frame(0x81, &[0xff, 0xfe])).unwrap(), []);
    }

    #[test]
    fn each_breach_of_framing_is_named() {
        let cases = [
            (vec![0x81, 0x01, b'x'], FramingError::Unmasked),
            (frame(0xc1, b""), FramingError::ReservedBit),
            (frame(0x83, b""), FramingError::ReservedOpcode(3)),
            (frame(0x8b, b""), FramingError::ReservedOpcode(11)),
            (frame(0x09, b""), FramingError::FragmentedControl),
            (frame(0x89, &[0; 126]), FramingError::LongControl),
            (frame(0x80, b""), FramingError::MisplacedFragment),
            (
                [frame(0x01, b""), frame(0x81, b"")].concat(),
                FramingError::MisplacedFragment,
            ),
            (vec![0x82, 0xfe, 0, 125, 0, 0, 0, 0], FramingError::Length),
            (
                vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
                FramingError::Length,
            ),
            (frame(0x88, &[3]), FramingError::ClosePayload),
            (
                frame(0x88, &1005_u16.to_be_bytes()),
                FramingError::ClosePayload,
            ),
            (frame(0x88, &[0x03, 0xe8, 0xff]), FramingError::ClosePayload),
        ];
        for (bytes, error) in cases {
            assert_eq!(read_all(&bytes), Err(error));
        }
    }

    #[test]
    fn a_breach_in_the_first_two_bytes_is_told_without_waiting_for_more() {
        let mut reader = FrameReader::default();
        assert_eq!(
            reader.read(&mut &[0x81, 0x7f][..]),
            Err(FramingError::Unmasked)
        );
    }
}
