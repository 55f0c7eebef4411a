//! What comes from another installation: brought in one transaction, and followed when it comes again.
//!
//! Each thing keeps its id. What was imported is remembered as it was *there*, so that a repeated
//! import compares three states of each field ([`Merge`]): what has changed there since is brought,
//! what was changed here stays. A thing that cannot be taken is left out with the reason, and with it
//! what belongs to it; the rest goes on. Of a thing that is here and cannot become what it is there,
//! single fields are brought. What is gone there is removed here where it only relates two
//! things (a membership, a connection, where a device is), else it is kept and told of.

mod credential;
mod device;
mod group;
mod location;
mod memory;
mod merge;
mod organization;
mod relation;
mod report;
mod run;
mod user;

pub use credential::{ImportedConnection, ImportedCredential};
pub use device::{ImportedDevice, ImportedPlace};
pub use group::ImportedGroup;
pub use location::ImportedLocation;
pub use organization::ImportedOrganization;
pub use report::{ImportCount, ImportKind, ImportRemark, ImportReport, LeftOut, Matter};
pub use user::{ImportedMembership, ImportedUser};

use uuid::Uuid;

use self::run::Run;
use super::{Store, StoreError};

/// All that another installation has for us.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Which installation: the same each time, and no other's.
    pub source: Uuid,
    /// Tenants.
    pub organizations: Vec<ImportedOrganization>,
    /// Groups of users.
    pub groups: Vec<ImportedGroup>,
    /// Users.
    pub users: Vec<ImportedUser>,
    /// Users' places in organizations.
    pub memberships: Vec<ImportedMembership>,
    /// Devices.
    pub devices: Vec<ImportedDevice>,
    /// SSH login data.
    pub credentials: Vec<ImportedCredential>,
    /// Devices' uses of it.
    pub connections: Vec<ImportedConnection>,
    /// Locations.
    pub locations: Vec<ImportedLocation>,
    /// Which device is at which.
    pub places: Vec<ImportedPlace>,
    /// What is there and cannot be taken.
    pub left_out: Vec<LeftOut>,
    /// What is taken in part, and what else is to be told.
    pub remarks: Vec<ImportRemark>,
}

impl Store {
    /// Brings `import` in. Without `apply` all is tried, and nothing kept.
    ///
    /// # Errors
    /// When the database fails, or the key that secrets are sealed with is not there; then nothing was
    /// brought in.
    pub async fn import(&self, import: Import, apply: bool) -> Result<ImportReport, StoreError> {
        let mut run = Run::begin(self, &import, apply).await?;
        run.bring(&import.organizations).await?;
        let groups = run.find_groups(&import.groups).await?;
        run.bring(&groups).await?;
        let mut users = import.users;
        for user in &mut users {
            user.groups = run.groups_here(&user.groups);
        }
        run.bring(&users).await?;
        run.bring(&import.memberships).await?;
        run.bring(&import.devices).await?;
        run.bring(&import.credentials).await?;
        run.bring(&import.connections).await?;
        run.bring(&import.locations).await?;
        run.bring(&import.places).await?;
        run.end().await
    }
}
