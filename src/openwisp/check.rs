//! `fleetwire gateway --check`: everything that the gateway needs is tried, and what is wrong is said with
//! the setting that mends it.

mod layer;
mod sessions;

use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::settings::{Address, DatabaseAddress, SessionEngine, Settings};
use super::tables::Tables;

/// A fallback that takes longer to accept a connection takes none.
const PATIENCE: Duration = Duration::from_secs(2);

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// It may be wrong, or could not be tried.
    Doubtful,
    /// The gateway would not work so.
    Wrong,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How good it is.
    pub grade: Grade,
    /// What was found, in one sentence.
    pub text: String,
}

/// All that was tried, in that order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// At least one for each part.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing is wrong. What is doubtful is for a person to judge.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.findings.iter().all(|it| it.grade != Grade::Wrong)
    }

    fn add(&mut self, grade: Grade, text: impl Into<String>) {
        let text = text.into();
        self.findings.push(Finding { grade, text });
    }

    fn good(&mut self, text: impl Into<String>) {
        self.add(Grade::Good, text);
    }

    fn doubtful(&mut self, text: impl Into<String>) {
        self.add(Grade::Doubtful, text);
    }

    fn wrong(&mut self, text: impl Into<String>) {
        self.add(Grade::Wrong, text);
    }
}

/// Tries everything that `settings` name, for some seconds each at most. Nothing is altered.
pub async fn check(settings: &Settings) -> Report {
    let mut report = Report::default();
    let tables = Tables::open(&settings.database);
    let has_tables = database(settings, &tables, &mut report).await;
    sessions::check(
        &settings.sessions,
        has_tables.then_some(&tables),
        &mut report,
    )
    .await;
    tables.close().await;
    layer::check(&settings.layer, &mut report).await;
    allowed_hosts(settings, &mut report);
    fallback(settings, &mut report).await;
    report
}

/// Whether the database can be asked.
async fn database(settings: &Settings, tables: &Tables, report: &mut Report) -> bool {
    let (engine, keys) = match &settings.database {
        DatabaseAddress::Sqlite(_) => ("SpatiaLite", "gateway.db_name (DB_NAME)"),
        DatabaseAddress::Postgres(_) => (
            "PostGIS",
            "gateway.db_host, db_port, db_name, db_user, db_pass and db_sslmode (DB_HOST, DB_PORT, …)",
        ),
    };
    if let Err(error) = tables.probe().await {
        report.wrong(format!("the database does not answer: {error}; see {keys}"));
        return false;
    }
    let remark = match tables.user_may_write().await {
        Ok(true) => "; its user could write too, and needs no more than SELECT",
        _ => "",
    };
    report.good(format!(
        "the database answers ({engine}), and is read by connections that cannot write{remark}"
    ));
    let engine = settings.sessions.engine;
    let with_sessions = matches!(engine, SessionEngine::Db | SessionEngine::CachedDb);
    match tables.missing(with_sessions).await {
        Err(error) => report.wrong(format!(
            "the tables cannot be looked at: {error}; see {keys}"
        )),
        Ok(missing) if missing.is_empty() => {
            report.good("all tables and columns that are needed are there");
        }
        Ok(missing) => {
            for lack in missing {
                report.wrong(format!(
                    "{lack}: OpenWISP's migrations are not done, or gateway.db_name (DB_NAME) is not its \
                     database"
                ));
            }
        }
    }
    if let Ok(false) = tables.has_table("authtoken_token").await {
        report.doubtful("there is no table authtoken_token: no API token proves anybody");
    }
    match tables.release().await {
        Ok(release) => report.good(format!("it is {release}")),
        Err(error) => report.wrong(format!("which OpenWISP it is cannot be told: {error}")),
    }
    true
}

fn allowed_hosts(settings: &Settings, report: &mut Report) {
    // No page has this name.
    if settings.allowed_hosts.accept("https://any.invalid") {
        report.doubtful(
            "pages of any host may open sockets: see gateway.django_allowed_hosts (DJANGO_ALLOWED_HOSTS)",
        );
    } else {
        report.good(
            "only pages of gateway.django_allowed_hosts (DJANGO_ALLOWED_HOSTS) may open sockets",
        );
    }
}

async fn fallback(settings: &Settings, report: &mut Report) {
    let Some(address) = &settings.fallback else {
        report.good("there is no fallback: other WebSockets than the three are answered with 404");
        return;
    };
    let connected = timeout(PATIENCE, async {
        match address {
            Address::Tcp(place) => TcpStream::connect(place).await.map(drop),
            Address::Unix(path) => UnixStream::connect(path).await.map(drop),
        }
    });
    match connected.await {
        Ok(Ok(())) => report.good("the fallback accepts connections"),
        Ok(Err(error)) => report.wrong(format!(
            "the fallback accepts no connection: {error}; see gateway.fallback"
        )),
        Err(_) => report.wrong("the fallback does not answer; see gateway.fallback"),
    }
}

/// A pattern of Redis that means `text` itself.
fn literally(text: &str) -> String {
    let mut pattern = String::new();
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
