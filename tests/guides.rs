//! The guides of `docs/guides/`, followed to the letter: each block is typed, pasted or saved in its
//! order, in a folder that is empty at first, and what the page says one sees has to come.
//!
//! | block | what becomes of it |
//! |---|---|
//! | `sh` | typed into the terminal that the guide begins in; every command must succeed |
//! | `sh fails` | the same, but the last command must fail |
//! | `sh in=NAME` | typed into another terminal, where it may stay running; what ran there before is ended by Ctrl-C |
//! | `sh yours` | sets what is different for each reader; here it gets the values of the test |
//! | `js` | pasted into the console of a browser on the front page |
//! | any `file=NAME` | saved in the folder |
//! | `text` | what the block before prints, all of it; of one that stays running what it prints next |
//! | `text in=NAME` | what the terminal NAME, or the `browser`, prints |
//!
//! In `text`, `…` stands for any text, on a line of its own for any lines.

mod block;
pub(crate) mod terminal;

use std::collections::HashMap;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use crate::clients::in_repository;
use crate::support::free_address;
use crate::support::ssh::{Account, OpenSsh, Options};
use block::{Block, blocks, is_as_expected};
use terminal::{Browser, Desk, Shell, Terminal};

/// The name of the browser's console among the terminals.
const BROWSER: &str = "browser";

/// Somebody who follows a guide.
struct Reader {
    desk: Desk,
    shell: Shell,
    terminals: HashMap<String, Terminal>,
    browser: Option<Browser>,
    /// What stands in place of the guide's own values.
    values: Vec<(&'static str, String)>,
    url: String,
    last: Last,
    _folders: [TempDir; 3],
}

/// The block before.
enum Last {
    Nothing,
    Printed(String),
    RunsIn(String),
}

impl Reader {
    async fn sit_down(values: &[(&'static str, String)]) -> Self {
        let folders = [(); 3].map(|()| TempDir::with_prefix("fleetwire-guide-").unwrap());
        let [folder, aside, home] = &folders;
        symlink(
            env!("CARGO_BIN_EXE_fleetwire"),
            aside.path().join("fleetwire"),
        )
        .unwrap();
        let python = in_repository("target/clients/python/bin");
        let path = format!(
            "{}:{}:/usr/local/bin:/usr/bin:/bin",
            aside.path().display(),
            python.display()
        );
        // A busy machine is no dead router.
        let environment = [
            ("PATH", &*path),
            ("HOME", home.path().to_str().unwrap()),
            ("LC_ALL", "C.UTF-8"),
            ("FLEETWIRE_COMMANDS__CONNECT_TIMEOUT_S", "20"),
            ("FLEETWIRE_COMMANDS__AUTHENTICATION_TIMEOUT_S", "20"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let desk = Desk::new(folder.path(), aside.path(), environment.into());
        let address = free_address();
        let url = format!("http://{address}");
        let own = [
            ("FLEETWIRE_SERVER__LISTEN", address.to_string()),
            ("URL", url.clone()),
        ];
        Self {
            shell: Shell::open(&desk).await,
            desk,
            terminals: HashMap::new(),
            browser: None,
            values: own.iter().chain(values).cloned().collect(),
            url,
            last: Last::Nothing,
            _folders: folders,
        }
    }

    async fn follow(&mut self, guide: &str) {
        let page = in_repository(&format!("docs/guides/{guide}.md"));
        for block in blocks(&std::fs::read_to_string(page).unwrap()) {
            // Where a failure is to be looked for.
            println!("docs/guides/{guide}.md:{}", block.line);
            self.do_as_told(&block).await;
        }
        if let Some(browser) = self.browser.take() {
            browser.close().await;
        }
    }

    async fn do_as_told(&mut self, block: &Block) {
        let text = if block.is("yours") {
            self.with_own_values(&block.text)
        } else {
            block.text.clone()
        };
        self.last = match &*block.language {
            "text" => return self.look(block).await,
            language => match (block.value("file"), language) {
                (Some(file), _) => {
                    self.desk.write(file, &text);
                    Last::Nothing
                }
                (None, "sh") => self.type_in(block, &text).await,
                (None, "js") => self.paste(&text).await,
                (None, other) => panic!("nothing is known to do with {other:?}"),
            },
        };
    }

    async fn type_in(&mut self, block: &Block, text: &str) -> Last {
        let Some(name) = block.value("in") else {
            let output = self.shell.run(text, block.is("fails")).await;
            println!("{output}");
            return Last::Printed(output);
        };
        if let Some(busy) = self.terminals.remove(name) {
            busy.interrupt().await;
        }
        self.terminals.insert(name.to_owned(), self.desk.run(text));
        Last::RunsIn(name.to_owned())
    }

    async fn paste(&mut self, code: &str) -> Last {
        let (desk, url) = (&self.desk, &self.url);
        let browser = self.browser.get_or_insert_with(|| Browser::open(desk, url));
        browser.paste(code).await;
        Last::RunsIn(BROWSER.to_owned())
    }

    /// Sees whether what the guide says one sees is there, or waits for it.
    async fn look(&mut self, block: &Block) {
        let name = match (block.value("in"), &self.last) {
            (Some(name), _) => name.to_owned(),
            (None, Last::RunsIn(name)) => name.clone(),
            (None, Last::Printed(output)) => {
                let is_there = is_as_expected(&block.text, output);
                assert!(is_there, "{}--- is not what came ---\n{output}", block.text);
                return;
            }
            (None, Last::Nothing) => panic!("nothing ran that could print this"),
        };
        let terminal = match &mut self.browser {
            Some(browser) if name == BROWSER => &mut browser.terminal,
            _ => self
                .terminals
                .get_mut(&name)
                .expect("a terminal that was opened"),
        };
        terminal.shows(&block.text).await;
    }

    /// The text with this reader's values behind each `NAME=`, one a line.
    fn with_own_values(&self, text: &str) -> String {
        let replaced = text.lines().map(|line| {
            let Some((before, _)) = line.split_once('=') else {
                return line.to_owned();
            };
            let name = before.rsplit(' ').next().unwrap();
            let own = self.values.iter().find(|(known, _)| *known == name);
            let (_, value) = own.unwrap_or_else(|| panic!("the test has no {name} of its own"));
            format!("{before}='{value}'")
        });
        replaced.collect::<Vec<_>>().join("\n") + "\n"
    }
}

async fn works_as_written(guide: &str, values: &[(&'static str, String)]) {
    Reader::sit_down(values).await.follow(guide).await;
}

#[tokio::test]
async fn watching_vehicles_works_as_written() {
    works_as_written("watch-my-vehicles", &[]).await;
}

#[tokio::test]
async fn running_commands_works_as_written() {
    let router = OpenSsh::start(&Options::default());
    let Account { user, password, .. } = Account::of_the_tests();
    let values = [
        ("ROUTER", router.address().to_string()),
        ("ROUTER_USER", user),
        ("ROUTER_PASSWORD", password),
    ];
    works_as_written("run-commands", &values).await;
}

#[tokio::test]
async fn giving_a_tenant_access_works_as_written() {
    works_as_written("give-a-tenant-access", &[]).await;
}

#[tokio::test]
async fn writing_a_client_works_as_written() {
    works_as_written("write-a-client", &[]).await;
}

#[test]
fn every_guide_is_followed() {
    let tests = include_str!("guides.rs");
    for entry in std::fs::read_dir(in_repository("docs/guides")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let call = format!("works_as_written(\"{name}\"");
        assert!(
            tests.contains(&call),
            "{} is never followed",
            path.display()
        );
    }
}
