//! What the command line understands.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

fn parsed(line: &[&str]) -> Cli {
    Cli::try_parse_from([&["fleetwire"], line].concat()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(line: &[&str]) -> clap::Error {
    Cli::try_parse_from([&["fleetwire"], line].concat()).unwrap_err()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_subcommand_and_option_explains_itself() {
    fn explained(command: &clap::Command) {
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{} {}",
                command.get_name(),
                argument.get_id()
            );
        }
        for below in command.get_subcommands() {
            let about = below
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(!about.is_empty(), "{}", below.get_name());
            assert!(!about.contains('\n'), "{about}");
            explained(below);
        }
    }
    explained(&Cli::command());
}

#[test]
fn every_noun_has_the_five_verbs() {
    let cli = Cli::command();
    for noun in [
        "org",
        "user",
        "group",
        "token",
        "session",
        "device",
        "credential",
        "connection",
        "location",
    ] {
        let noun = cli.find_subcommand(noun).unwrap();
        let verbs: Vec<_> = noun
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        assert_eq!(
            verbs,
            ["add", "list", "show", "set", "remove"],
            "{}",
            noun.get_name()
        );
    }
}

#[test]
fn global_options_are_accepted_anywhere_on_the_line() {
    let global = ["--data-dir", "here", "--json", "--config", "file.toml"];
    let command = ["location", "add", "Depot", "--org", "A", "--point", "1,2"];
    for place in [0, 1, 2, 3, 5, 7] {
        let (before, after) = command.split_at(place);
        let cli = parsed(&[before, &global, after].concat());
        assert_eq!(cli.global.data_dir.to_str(), Some("here"), "{place}");
        assert_eq!(
            cli.global.config.unwrap().to_str(),
            Some("file.toml"),
            "{place}"
        );
        assert!(cli.global.json, "{place}");
    }
    assert_eq!(
        parsed(&["org", "list"]).global.data_dir.to_str(),
        Some("fleetwire-data")
    );
}

#[test]
fn options_of_watch_are_accepted_on_either_side_of_what_is_watched() {
    let id = "93b9b41c-26b1-4807-91f7-699786c9a2d9";
    let options = [
        "--url",
        "https://a",
        "--token",
        "t",
        "--since",
        "2026-11-24T10:00:00+01:00",
    ];
    for line in [
        [&["watch"], &options[..], &["location", id]].concat(),
        [&["watch", "commands", id], &options[..]].concat(),
        [&["watch", "location", id], &options[..]].concat(),
        [&["watch", "locations"], &options[..]].concat(),
    ] {
        let Command::Watch(watch) = parsed(&line).command else {
            panic!("{line:?} watches")
        };
        assert!(
            format!("{watch:?}").contains("token: Some(********)"),
            "{watch:?}"
        );
        assert!(format!("{watch:?}").contains("https://a"), "{watch:?}");
    }
    let error = refused(&["watch", "location", "Bus 1"]).to_string();
    assert!(error.contains("a UUID, and no name"), "{error}");
}

#[test]
fn points_west_of_greenwich_and_south_of_the_equator_are_no_flags() {
    for line in [
        vec![
            "location",
            "add",
            "D",
            "--org",
            "A",
            "--point",
            "-3.7,40.4",
            "--json",
        ],
        vec!["location", "add", "D", "--org", "A", "--point=-3.7,-40.4"],
        vec![
            "location",
            "set",
            "D",
            "--point",
            "-3.7,-40.4",
            "--name",
            "E",
        ],
    ] {
        let shown = format!("{:?}", parsed(&line).command);
        assert!(shown.contains("longitude: -3.7"), "{shown}");
    }
    let refusal = refused(&["location", "set", "D", "--point", "200,1"]);
    assert_eq!(refusal.kind(), ErrorKind::ValueValidation);
}

#[test]
fn setting_nothing_is_not_understood() {
    for noun in [
        "org",
        "user",
        "group",
        "token",
        "session",
        "device",
        "credential",
        "connection",
        "location",
    ] {
        let refusal = refused(&[noun, "set", "x"]);
        assert_eq!(refusal.kind(), ErrorKind::MissingRequiredArgument, "{noun}");
        assert_eq!(refusal.exit_code(), 2);
    }
}

#[test]
fn every_flag_of_a_user_and_its_opposite_is_understood() {
    parsed(&[
        "user",
        "add",
        "anna",
        "--password-stdin",
        "--email",
        "a@example.org",
        "--superuser",
        "--staff",
        "--permission",
        "geo.view_location",
        "--permission",
        "config.change_device",
        "--group",
        "Operator",
        "--manages",
        "A",
        "--manages",
        "B",
        "--member",
        "C",
        "--expires",
        "never",
    ]);
    for change in [
        "--password-stdin",
        "--email=e",
        "--superuser",
        "--no-superuser",
        "--staff",
        "--no-staff",
        "--active",
        "--inactive",
        "--permission=geo.view_location",
        "--expires=2027-01-01",
        "--remove-permission=geo.view_location",
        "--group=G",
        "--remove-group=G",
        "--manages=O",
        "--remove-manages=O",
        "--member=O",
        "--remove-member=O",
        "--username=bert",
    ] {
        parsed(&["user", "set", "anna", change]);
    }
    for (flag, opposite) in [
        ("--active", "--inactive"),
        ("--staff", "--no-staff"),
        ("--superuser", "--no-superuser"),
    ] {
        let refusal = refused(&["user", "set", "anna", flag, opposite]);
        assert_eq!(refusal.kind(), ErrorKind::ArgumentConflict);
    }
}

#[test]
fn what_is_run_stands_behind_two_hyphens_or_has_a_type() {
    for line in [
        &["run", "Bus 1", "--", "ping", "-c", "3", "--json"][..],
        &["run", "Bus 1", "--type", "reboot"],
        &["run", "Bus 1", "--type", "ping", "--input", "{}", "--json"],
        &[
            "run", "--token", "t", "--url", "http://a", "Bus 1", "--", "x",
        ],
    ] {
        parsed(line);
    }
    let kind = |line: &[&str]| refused(&[&["run"], line].concat()).kind();
    assert_eq!(kind(&["d"]), ErrorKind::MissingRequiredArgument);
    assert_eq!(kind(&["d", "uptime"]), ErrorKind::UnknownArgument);
    assert_eq!(
        kind(&["d", "--type", "reboot", "--", "x"]),
        ErrorKind::ArgumentConflict
    );
}

#[test]
fn a_credential_has_one_kind_of_secret() {
    let add = ["credential", "add", "c", "--org", "A", "--username", "root"];
    let kind = |more: &[&str]| refused(&[&add[..], more].concat()).kind();
    parsed(&[&add[..], &["--password-stdin"]].concat());
    parsed(&[&add[..], &["--private-key", "k", "--passphrase-stdin"]].concat());
    assert_eq!(kind(&[]), ErrorKind::MissingRequiredArgument);
    for both in [
        &["--password-stdin", "--private-key", "k"][..],
        &["--password-stdin", "--passphrase-stdin"],
    ] {
        assert_eq!(kind(both), ErrorKind::ArgumentConflict, "{both:?}");
    }
    assert_eq!(
        kind(&["--password-stdin", "--port", "0"]),
        ErrorKind::ValueValidation
    );
}

#[test]
fn an_unknown_permission_names_those_near_it() {
    let refusal = refused(&["group", "add", "G", "--permission", "geo.see_location"]);
    assert!(
        refusal.to_string().contains("geo.view_location"),
        "{refusal}"
    );
    assert_eq!(refusal.exit_code(), 2);
}

#[test]
fn the_demo_takes_an_address_and_a_number_of_vehicles() {
    parsed(&["demo"]);
    parsed(&["demo", "--listen", "127.0.0.1:0", "--vehicles", "3"]);
    for bad in [
        ["--vehicles", "0"],
        ["--vehicles", "many"],
        ["--listen", "here"],
    ] {
        assert_eq!(
            refused(&[&["demo"], &bad[..]].concat()).kind(),
            ErrorKind::ValueValidation
        );
    }
}
