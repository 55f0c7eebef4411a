//! What is read from a socket: signs of life, control frames, and data that is thrown away.

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::Socket;
use crate::hub::CloseReason;
use crate::socket::reader::Control;
use crate::socket::shard::busy::Closing;
use crate::socket::shard::ended::Ended;
use crate::socket::shard::kit::Kit;
use crate::socket::shard::outcome::Read;
use crate::socket::shard::pace::Pace;

impl Socket {
    /// Reads what has come, within the inbound rate.
    pub fn read_in(&mut self, kit: &mut Kit) -> Result<Read, Ended> {
        let closing = self.busy.as_ref().and_then(|busy| busy.closing);
        if closing.is_some_and(|it| !it.has_written) {
            return Ok(Read::All);
        }
        let mut buffer = std::mem::take(&mut kit.inbound);
        let read = self.read_into(&mut buffer, closing, kit);
        kit.inbound = buffer;
        let read = read?;
        if let Some(busy) = &self.busy
            && !busy.writer.is_empty()
            && !busy.is_blocked
        {
            self.write_out(kit)?;
        }
        Ok(read)
    }

    fn read_into(
        &mut self,
        buffer: &mut [u8],
        closing: Option<Closing>,
        kit: &mut Kit,
    ) -> Result<Read, Ended> {
        let step = kit.now / Pace::INBOUND_STEP;
        loop {
            if self.inbound_step != step {
                (self.inbound_step, self.inbound_left) = (step, kit.pace.inbound_step_bytes);
            }
            if self.inbound_left == 0 {
                return Ok(Read::Throttled);
            }
            let most = buffer.len().min(self.inbound_left as usize);
            match recv(&self.stream, &mut buffer[..most], RecvFlags::empty()) {
                Ok((0, _)) => return Err(Ended::Lost),
                Ok((read, _)) => {
                    self.inbound_left -= u32::try_from(read).unwrap_or(self.inbound_left);
                    self.life.hear(kit.tick);
                    let bytes = &buffer[..read];
                    match closing {
                        None => self.take_in(bytes, kit)?,
                        Some(closing) => self.wait_for_close(closing, bytes)?,
                    }
                }
                Err(Errno::AGAIN) => return Ok(Read::All),
                Err(Errno::INTR) => {}
                Err(_) => return Err(Ended::Lost),
            }
        }
    }

    /// Throws data away and answers control frames.
    pub fn take_in(&mut self, mut bytes: &[u8], kit: &mut Kit) -> Result<(), Ended> {
        kit.tally.ignored(bytes.len());
        loop {
            match self.reader.read(&mut bytes) {
                Ok(None) => return Ok(()),
                Ok(Some(Control::Ping(payload))) => {
                    self.busy_or_new(kit).writer.push_pong(&payload);
                }
                Ok(Some(Control::Pong)) => {}
                Ok(Some(Control::Close(code))) => {
                    self.busy_or_new(kit).writer.push_close_echo(code);
                    return Err(Ended::ByClient);
                }
                Err(error) => {
                    tracing::debug!(%error, "a client broke the framing");
                    return Err(Ended::Closed(CloseReason::ProtocolError));
                }
            }
        }
    }

    /// Looks in `bytes` for the client's answer to our close frame.
    fn wait_for_close(&mut self, closing: Closing, mut bytes: &[u8]) -> Result<(), Ended> {
        if closing.ended.is_by_client_or_unframed() {
            return Ok(());
        }
        loop {
            match self.reader.read(&mut bytes) {
                Ok(Some(Control::Close(_))) | Err(_) => return Err(closing.ended),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
            }
        }
    }
}
