//! Which OpenWISP it is, and whether its tables are those that the gateway knows.

use std::collections::BTreeMap;
use std::fmt;

use super::dialect::{Dialect, texts};
use super::{Tables, TablesError};

/// The controller's applications that tell its release.
const APPLICATIONS: [&str; 3] = ["geo", "connection", "config"];

/// The last migration of `geo` that came with openwisp-controller 1.3; 1.2 ends with 3.
const GEO_OF_1_3: u32 = 6;

/// What an OpenWISP publishes of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// To the location's own group its geometry and address; all of it to the group of its organization
    /// and to that of superusers.
    From1_3,
    /// To the location's own group alone, up to 1.1 nothing but the geometry.
    Before1_3,
}

/// Which OpenWISP it is, by the migrations that its database has gone through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// What it publishes.
    pub version: Version,
    /// The numbers of the last migrations of the controller's applications.
    latest: BTreeMap<&'static str, u32>,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.version {
            Version::From1_3 => "OpenWISP controller 1.3 or later (",
            Version::Before1_3 => "OpenWISP controller before 1.3 (",
        })?;
        if self.latest.is_empty() {
            return f.write_str("none of its migrations was found)");
        }
        let latest = self
            .latest
            .iter()
            .map(|(name, it)| format!("{name} {it:04}"));
        write!(f, "{})", latest.collect::<Vec<_>>().join(", "))
    }
}

/// Tables and their columns without which the gateway cannot work.
const NEEDED: [(&str, &[&str]); 15] = [
    (
        "openwisp_users_user",
        &[
            "id",
            "username",
            "password",
            "is_active",
            "is_staff",
            "is_superuser",
        ],
    ),
    ("openwisp_users_user_groups", &["user_id", "group_id"]),
    (
        "openwisp_users_user_user_permissions",
        &["user_id", "permission_id"],
    ),
    ("openwisp_users_organization", &["id", "is_active"]),
    (
        "openwisp_users_organizationuser",
        &["id", "user_id", "organization_id", "is_admin"],
    ),
    (
        "openwisp_users_organizationowner",
        &["id", "organization_user_id"],
    ),
    ("auth_group_permissions", &["group_id", "permission_id"]),
    ("auth_permission", &["id", "content_type_id", "codename"]),
    ("django_content_type", &["id", "app_label"]),
    ("django_migrations", &["app", "name"]),
    ("config_device", &["id", "organization_id"]),
    (
        "connection_command",
        &[
            "id",
            "device_id",
            "connection_id",
            "type",
            "input",
            "output",
            "status",
            "created",
            "modified",
        ],
    ),
    (
        "geo_location",
        &[
            "id",
            "organization_id",
            "name",
            "address",
            "type",
            "is_mobile",
            "geometry",
            "modified",
        ],
    ),
    SESSION,
    TOKEN,
];

/// Needed where sessions are kept in the database.
const SESSION: (&str, &[&str]) = (
    "django_session",
    &["session_key", "session_data", "expire_date"],
);

/// Not needed: without it no token proves anybody.
const TOKEN: (&str, &[&str]) = ("authtoken_token", &["key", "user_id"]);

impl Tables {
    /// Which OpenWISP it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self) -> Result<Release, TablesError> {
        let sql = format!(
            "SELECT CAST(app AS TEXT), CAST(name AS TEXT) FROM django_migrations WHERE app {}",
            self.dialect().among_texts("$1")
        );
        let applications = texts(APPLICATIONS.map(str::to_owned));
        let rows: Vec<(String, String)> = self.rows(sql, [applications]).await?;
        Ok(Release::of(&rows))
    }

    /// What the gateway needs and is not there, a sentence each; `with_sessions` says whether sessions are
    /// kept in the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn missing(&self, with_sessions: bool) -> Result<Vec<String>, TablesError> {
        let there = self.columns(NEEDED.map(|(table, _)| table)).await?;
        let mut missing = Vec::new();
        for (table, columns) in NEEDED {
            let is_optional = table == TOKEN.0 || (table == SESSION.0 && !with_sessions);
            match there.get(table) {
                None if is_optional => {}
                None => missing.push(format!("there is no table {table}")),
                Some(found) => {
                    let lacking = columns
                        .iter()
                        .filter(|it| !found.iter().any(|have| have == *it));
                    let say = |column| format!("the table {table} has no column {column}");
                    missing.extend(lacking.map(say));
                }
            }
        }
        Ok(missing)
    }

    /// Whether there is such a table.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_table(&self, table: &str) -> Result<bool, TablesError> {
        Ok(!self.columns([table]).await?.is_empty())
    }

    /// The columns of those of these tables that there are.
    async fn columns<const N: usize>(
        &self,
        tables: [&str; N],
    ) -> Result<BTreeMap<String, Vec<String>>, TablesError> {
        let sql = match self.dialect() {
            Dialect::Sqlite => {
                "SELECT wanted.value, info.name FROM json_each($1) AS wanted
                 JOIN pragma_table_info(wanted.value) AS info"
            }
            Dialect::Postgres => {
                "SELECT wanted.name, attname::text FROM json_array_elements_text($1::json) AS wanted(name)
                 JOIN pg_attribute ON attrelid = to_regclass(wanted.name)
                     AND attnum > 0 AND NOT attisdropped"
            }
        };
        let names = texts(tables.map(str::to_owned));
        let rows: Vec<(String, String)> = self.rows(sql.into(), [names]).await?;
        let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (table, column) in rows {
            columns.entry(table).or_default().push(column);
        }
        Ok(columns)
    }
}

impl Release {
    /// Reads the names of migrations, each with its application.
    fn of(migrations: &[(String, String)]) -> Self {
        let mut latest = BTreeMap::new();
        for application in APPLICATIONS {
            let own = migrations.iter().filter(|(app, _)| app == application);
            if let Some(last) = own.filter_map(|(_, name)| last_number(name)).max() {
                latest.insert(application, last);
            }
        }
        let is_of_1_3 = latest.get("geo").is_some_and(|last| *last >= GEO_OF_1_3);
        Self {
            version: if is_of_1_3 {
                Version::From1_3
            } else {
                Version::Before1_3
            },
            latest,
        }
    }
}

/// The number of a migration, and of one that stands for several the last one's:
/// `0004_location_is_estimated`, `0001_squashed_0006_geo`.
fn last_number(name: &str) -> Option<u32> {
    let number = |text: &str| text.split('_').next()?.parse::<u32>().ok();
    let squashed = name
        .split_once("_squashed_")
        .and_then(|(_, rest)| number(rest));
    squashed.or_else(|| number(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(names: &[(&str, &str)]) -> Release {
        let owned = names
            .iter()
            .map(|(app, name)| ((*app).to_owned(), (*name).to_owned()));
        Release::of(&owned.collect::<Vec<_>>())
    }

    #[test]
    fn a_release_is_told_by_its_last_migrations() {
        let new = release(&[
            ("geo", "0001_initial"),
            ("geo", "0006_create_geo_settings_for_existing_orgs"),
            ("config", "0001_squashed_0002_config_settings_uuid"),
            ("config", "0065_whoisinfo_unreferenced_since"),
        ]);
        assert_eq!(new.version, Version::From1_3);
        assert_eq!(
            new.to_string(),
            "OpenWISP controller 1.3 or later (config 0065, geo 0006)"
        );
        let old = release(&[("geo", "0003_alter_devicelocation_floorplan_location")]);
        assert_eq!(old.version, Version::Before1_3);
        assert_eq!(old.to_string(), "OpenWISP controller before 1.3 (geo 0003)");
        let squashed = release(&[("geo", "0001_squashed_0007_something")]);
        assert_eq!(squashed.version, Version::From1_3);
        let none = release(&[("geo", "other")]);
        assert_eq!(none.version, Version::Before1_3);
        assert!(
            none.to_string()
                .ends_with("(none of its migrations was found)")
        );
    }
}
