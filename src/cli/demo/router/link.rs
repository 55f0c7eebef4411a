//! One SSH connection to a router: who may log in, and what a channel may be asked for.

use std::collections::HashSet;
use std::net::{Shutdown, TcpStream as StdTcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, run_stream};
use russh::{Channel, ChannelId, Error, MethodKind, MethodSet, Pty};
use tokio::net::TcpStream;

use super::channel;
use super::machine::Machine;

/// Serves a connection to its end; dropped before, the connection is cut without a word.
pub(super) async fn serve(stream: TcpStream, config: Arc<Config>, machine: Arc<Machine>) {
    // Who connects and disappears, or speaks no SSH, is no news.
    let Ok(descriptor) = stream.as_fd().try_clone_to_owned() else {
        return;
    };
    let _cord = Cord(descriptor.into());
    let link = Link {
        machine,
        busy: HashSet::new(),
    };
    if let Ok(session) = run_stream(config, stream, link).await {
        let _ = session.await;
    }
}

/// A second hand on a connection, whose first is in a task that only the connection's end ends.
struct Cord(StdTcpStream);

impl Drop for Cord {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

struct Link {
    machine: Arc<Machine>,
    /// The channels that have their command.
    busy: HashSet<ChannelId>,
}

impl Link {
    /// One command a channel; the channel's task learns of it by itself.
    fn begin(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Error> {
        if self.busy.insert(channel) {
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }
}

impl Handler for Link {
    type Error = Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Error> {
        if self.machine.accepts(user, password) {
            return Ok(Auth::Accept);
        }
        Ok(Auth::Reject {
            proceed_with_methods: Some(MethodSet::from([MethodKind::Password].as_slice())),
            partial_success: false,
        })
    }

    async fn auth_none(&mut self, _: &str) -> Result<Auth, Error> {
        Ok(Auth::Reject {
            proceed_with_methods: Some(MethodSet::from([MethodKind::Password].as_slice())),
            partial_success: false,
        })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Error> {
        reply.accept().await;
        // The channel's end is the task's.
        tokio::spawn(channel::serve(
            channel,
            session.handle(),
            Arc::clone(&self.machine),
        ));
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.busy.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), Error> {
        self.begin(channel, session)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Error> {
        self.begin(channel, session)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        session.channel_failure(channel)
    }
}
