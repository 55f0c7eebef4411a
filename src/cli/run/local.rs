//! Through the database here: the command is put into the queue, and whoever serves runs it.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::{Ended, Snapshot, Wanted};
use crate::api::CommandAnswer;
use crate::cli::context::Context;
use crate::cli::find;
use crate::cli::output::note;
use crate::command::queue_limits;
use crate::command::types::{CommandTypes, Input};
use crate::event::{CommandId, CommandStatus, DeviceId, OrganizationId};
use crate::store::{Command, Device, NewCommand, SecretInput, Store, StoreError};

/// Between two looks at the command.
const LOOK: Duration = Duration::from_millis(100);

/// A server takes a command at once; later than that, there may be none.
const TAKEN: Duration = Duration::from_secs(5);

/// How long the database may be away.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command that may be put into the queue.
pub(super) struct Ready {
    store: Store,
    device: Device,
    new: NewCommand,
}

/// A command in the queue, and what was seen of it.
pub(super) struct Local {
    store: Store,
    device: DeviceId,
    id: CommandId,
    look: Interval,
    /// The version that was seen last.
    seen: Option<i64>,
    /// When to wonder why nobody has taken it; `None` once that is settled.
    wonder: Option<Instant>,
    /// When the database last answered.
    answered: Instant,
}

impl Ready {
    /// Finds the device, and whether this can be asked of it.
    pub(super) async fn find(
        context: &Context,
        device: &str,
        wanted: &Wanted,
    ) -> anyhow::Result<Self> {
        let config = context.load_config()?;
        let store = context.open_store().await?;
        let device = find::device(&store, device).await?;
        let types = CommandTypes::new(&config.commands);
        let Typed { label, input } = typed(&store, &types, device.organization, wanted).await?;
        let new = NewCommand {
            device: device.id,
            connection: None,
            kind: wanted.kind.clone(),
            label,
            input: input.shown,
            secret_input: input.plain.map(SecretInput),
            queue_s: config.commands.queue_s,
            limits: queue_limits(&config.limits),
        };
        Ok(Self { store, device, new })
    }

    /// Puts the command into the queue.
    pub(super) async fn ask(self) -> anyhow::Result<Local> {
        let added = self.store.add_command(&self.new).await;
        let command = added.map_err(|error| explain(error, &self.device))?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Local {
            store: self.store,
            device: command.device,
            id: command.id,
            look,
            seen: None,
            wonder: Some(Instant::now() + TAKEN),
            answered: Instant::now(),
        })
    }
}

impl Local {
    /// The command, once it has changed since it was seen last.
    pub(super) async fn next(&mut self) -> anyhow::Result<Snapshot> {
        loop {
            self.look.tick().await;
            match self.news().await {
                Ok(news) => {
                    self.answered = Instant::now();
                    if let Some(command) = news {
                        return Ok(snapshot(command));
                    }
                }
                Err(error) if error.is_passing() && self.answered.elapsed() < PATIENCE => {}
                Err(StoreError::NotFound(_)) => bail!("the command was removed"),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) async fn cancel(&self) -> anyhow::Result<()> {
        self.store.cancel_command(self.device, self.id).await?;
        Ok(())
    }

    pub(super) async fn whole(&self) -> anyhow::Result<Value> {
        let command = self.store.command(self.device, self.id).await?;
        Ok(serde_json::to_value(CommandAnswer::from(&command))?)
    }

    /// The command, if it has changed. Its output may be large: it is only read then.
    async fn news(&mut self) -> Result<Option<Command>, StoreError> {
        let found = self.store.command_version(self.id).await?;
        let (version, status) = found.ok_or(StoreError::NotFound("Command"))?;
        self.wonder_about(status).await?;
        if self.seen == Some(version) {
            return Ok(None);
        }
        let command = self.store.command(self.device, self.id).await?;
        self.seen = Some(command.version);
        Ok(Some(command))
    }

    /// Says once that nobody takes the command, unless the device is busy with another one.
    async fn wonder_about(&mut self, status: CommandStatus) -> Result<(), StoreError> {
        if status != CommandStatus::Queued {
            self.wonder = None;
        }
        if self.wonder.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        if self.store.is_busy(self.device).await? {
            self.wonder = Some(Instant::now() + TAKEN);
            return Ok(());
        }
        self.wonder = None;
        note(
            "nobody has taken the command yet: is there a `fleetwire serve` on this database? \
             (Ctrl-C takes it back)",
        );
        Ok(())
    }
}

/// A checked input, with the display name of its type.
struct Typed {
    label: String,
    input: Input,
}

async fn typed(
    store: &Store,
    types: &CommandTypes,
    organization: OrganizationId,
    wanted: &Wanted,
) -> anyhow::Result<Typed> {
    let organization = store.find_organization(&organization.to_string()).await?;
    let allowed: Vec<_> = types.by(organization.id, &organization.slug).collect();
    let Some(found) = allowed.iter().find(|known| known.name() == wanted.kind) else {
        let names: Vec<_> = allowed.iter().map(|known| known.name()).collect();
        bail!(
            "there is no command type \"{}\" for {}; there are: {}",
            wanted.kind,
            organization.name,
            names.join(", ")
        );
    };
    let input = found.check(&wanted.input).map_err(StoreError::from)?;
    Ok(Typed {
        label: found.label().to_owned(),
        input,
    })
}

/// Says what to do about a device on which nothing can run.
fn explain(error: StoreError, device: &Device) -> anyhow::Error {
    let is_about_device = |error: &StoreError| match error {
        StoreError::Invalid(errors) => errors.0.contains_key("device"),
        _ => false,
    };
    if !is_about_device(&error) {
        return error.into();
    }
    let name = &device.name;
    if device.is_active {
        anyhow::anyhow!(
            "the device \"{name}\" has no connection that may be used: `fleetwire connection add \
             \"{name}\" CREDENTIAL` makes one"
        )
    } else {
        anyhow::anyhow!(
            "the device \"{name}\" is deactivated: `fleetwire device set \"{name}\" --activate` lets \
             commands run on it again"
        )
    }
}

fn snapshot(command: Command) -> Snapshot {
    let ended = match command.status {
        CommandStatus::Queued | CommandStatus::Running => None,
        CommandStatus::Success => Some(Ended::Success),
        CommandStatus::Failed => Some(Ended::Failed(command.exit_code)),
    };
    Snapshot {
        output: command.output,
        ended,
    }
}
