//! Through the database here: the command is put into the queue, and whoever serves runs it.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::{Ended, Snapshot, Wanted};
use crate::cli::context::Context;
use crate::cli::find;
use crate::cli::output::note;
use crate::command::types::{CommandTypes, Input};
use crate::event::{CommandId, CommandStatus, DeviceId, OrganizationId};
use crate::store::{Command, Device, NewCommand, Page, SecretInput, Store, StoreError};

/// Between two looks at the command.
const LOOK: Duration = Duration::from_millis(100);

/// A server takes a command at once; later than that, there may be none.
const TAKEN: Duration = Duration::from_secs(5);

/// How long the database may be away.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command in the queue, and what was seen of it.
pub(super) struct Local {
    store: Store,
    device: DeviceId,
    id: CommandId,
    look: Interval,
    /// When to wonder why nobody has taken it; `None` once that is settled.
    wonder: Option<Instant>,
    /// When the database last answered.
    answered: Instant,
}

impl Local {
    /// Puts the command into the queue.
    pub(super) async fn start(
        context: &Context,
        device: &str,
        wanted: &Wanted,
    ) -> anyhow::Result<Self> {
        let config = context.load_config()?.commands;
        let store = context.open_store().await?;
        let device = find::device(&store, device).await?;
        let types = CommandTypes::new(&config);
        let Typed { label, input } = typed(&store, &types, device.organization, wanted).await?;
        let new = NewCommand {
            device: device.id,
            connection: None,
            kind: wanted.kind.clone(),
            label,
            input: input.shown,
            secret_input: input.plain.map(SecretInput),
            queue_s: config.queue_s,
        };
        let added = store.add_command(&new).await;
        let command = added.map_err(|error| explain(error, &device))?;
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            store,
            device: device.id,
            id: command.id,
            look,
            wonder: Some(Instant::now() + TAKEN),
            answered: Instant::now(),
        })
    }

    pub(super) async fn next(&mut self) -> anyhow::Result<Snapshot> {
        loop {
            self.look.tick().await;
            match self.store.command(self.device, self.id).await {
                Ok(command) => {
                    self.answered = Instant::now();
                    self.wonder_about(&command).await?;
                    return Ok(snapshot(command));
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
        Ok(json!({
            "id": command.id,
            "input": command.input,
            "device": command.device,
            "connection": command.connection,
            "created": command.created,
            "modified": command.modified,
            "status": command.status.on_the_wire(),
            "type": command.label,
            "output": command.output,
            "exit_code": command.exit_code,
            "created_by": command.created_by,
        }))
    }

    /// Says once that nobody takes the command, unless the device is busy with another one.
    async fn wonder_about(&mut self, command: &Command) -> anyhow::Result<()> {
        if command.status != CommandStatus::Queued {
            self.wonder = None;
        }
        if self.wonder.is_none_or(|at| Instant::now() < at) {
            return Ok(());
        }
        let page = Page {
            number: 1,
            size: 100,
        };
        let others = self.store.commands(self.device, page).await?.rows;
        let is_running = |other: &Command| other.status == CommandStatus::Running;
        if others.iter().any(is_running) {
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
