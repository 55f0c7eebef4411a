//! A checker that cannot fail is worthless: each kind of lie that is put into sound evidence is found,
//! and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::checker::{Ended, Evidence, Steps, Violation, judge};
use super::history::{Duty, History, Scope, Seen, Status, Update};

const BUS: Uuid = Uuid::from_u128(1);
const VAN: Uuid = Uuid::from_u128(2);
const FOREIGN_BUS: Uuid = Uuid::from_u128(3);
const ROUTER: Uuid = Uuid::from_u128(4);
const COMMAND: Uuid = Uuid::from_u128(5);
const FLEET: usize = 0;
const WATCHER: usize = 1;
const LEAVER: usize = 2;

fn moved(location: Uuid, step: u32) -> Seen {
    Seen::Moved { location, step }
}

fn update(second: u32, status: Status, output: &str) -> Update {
    Update {
        id: COMMAND,
        device: ROUTER,
        modified: format!("2026-01-01T00:00:{second:02}.000000Z"),
        status,
        output: output.to_owned(),
    }
}

/// Two clients, one of which came back once, and a third that lost its right; two vehicles and a foreign one; a
/// command.
fn sound() -> Evidence {
    let mut evidence = Evidence::default();
    let own = Arc::new(BTreeSet::from([BUS, VAN]));
    let mut fleet = History::new("fleet".to_owned(), Scope::Locations(own));
    fleet.seen = vec![
        Seen::Opened,
        moved(BUS, 1),
        moved(VAN, 1),
        moved(BUS, 2),
        Seen::Closed(None),
        Seen::Opened,
        moved(BUS, 2),
        moved(VAN, 3),
        moved(BUS, 4),
    ];
    let mut watcher = History::new("watcher".to_owned(), Scope::Device(ROUTER));
    let end = update(3, Status::Success, "begun\ndone\n");
    watcher.seen = vec![
        Seen::Opened,
        Seen::Updated(update(1, Status::InProgress, "")),
        Seen::Updated(update(2, Status::InProgress, "begun\n")),
        Seen::Updated(end.clone()),
        Seen::Closed(Some(1001)),
        Seen::Opened,
        Seen::Updated(end.clone()),
    ];
    evidence.histories = vec![fleet, watcher, leaver()];
    for (location, step) in [(BUS, 4), (VAN, 3), (FOREIGN_BUS, 9)] {
        evidence.truth.steps.insert(location, step);
        let steps = Steps {
            before: 0,
            acknowledged: step - 1,
            sent: step,
        };
        evidence.acknowledged.steps.insert(location, steps);
    }
    let mark = "mark".to_owned();
    evidence.truth.lines.insert(mark.clone(), 1);
    let row = Ended {
        update: end,
        mark,
        is_new: true,
    };
    evidence.truth.commands.insert(COMMAND, row);
    evidence.acknowledged.commands.insert(COMMAND);
    evidence
}

/// It came back once before it was told to go: then it was not let in any more.
fn leaver() -> History {
    let own = Arc::new(BTreeSet::from([BUS, VAN]));
    let mut leaver = History::new("leaver".to_owned(), Scope::Locations(own));
    leaver.duty = Duty::IsOut {
        told: Some(Arc::new(BTreeMap::from([(BUS, 3), (VAN, 2)]))),
        may_stay: false,
    };
    leaver.seen = vec![
        Seen::Opened,
        moved(BUS, 1),
        Seen::Closed(None),
        Seen::Opened,
        moved(VAN, 1),
        moved(BUS, 3),
        Seen::Closed(Some(1008)),
    ];
    leaver.refused.insert(403, 5);
    leaver
}

/// What is found in sound evidence into which `lie` was put.
fn found(lie: impl FnOnce(&mut Evidence)) -> Vec<Violation> {
    let mut evidence = sound();
    lie(&mut evidence);
    judge(&evidence)
}

/// The only thing found.
fn only(lie: impl FnOnce(&mut Evidence)) -> Violation {
    let mut found = found(lie);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn nothing_is_found_in_sound_evidence() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn a_missing_last_state_is_found() {
    let missing = only(|it| {
        it.histories[FLEET].seen.pop();
    });
    assert!(
        matches!(&missing, Violation::LastStateMissing { of: BUS, .. }),
        "{missing}"
    );
    let never = only(|it| {
        it.histories[FLEET]
            .seen
            .retain(|seen| *seen != moved(VAN, 1) && *seen != moved(VAN, 3));
    });
    assert!(
        matches!(&never, Violation::LastStateMissing { of: VAN, .. }),
        "{never}"
    );
    let end = only(|it| it.histories[WATCHER].seen.truncate(3));
    assert!(
        matches!(&end, Violation::LastStateMissing { of: COMMAND, .. }),
        "{end}"
    );
    // What nobody moved need not be told.
    assert_eq!(
        found(|it| {
            it.histories[FLEET]
                .seen
                .retain(|seen| *seen != moved(VAN, 1) && *seen != moved(VAN, 3));
            it.acknowledged.steps.get_mut(&VAN).unwrap().before = 3;
        }),
        []
    );
}

#[test]
fn a_swapped_order_is_found() {
    let within = only(|it| it.histories[FLEET].seen.swap(1, 3));
    assert!(
        matches!(&within, Violation::WentBack { of: BUS, .. }),
        "{within}"
    );
    let across = only(|it| it.histories[FLEET].seen[6] = moved(BUS, 1));
    assert!(
        matches!(&across, Violation::WentBack { of: BUS, .. }),
        "{across}"
    );
    let updates = found(|it| it.histories[WATCHER].seen.swap(1, 2));
    assert!(
        matches!(&updates[..], [Violation::WentBack { of: COMMAND, .. }]),
        "{updates:?}"
    );
    let after_the_end = only(|it| {
        let late = update(3, Status::InProgress, "begun\ndone\n");
        it.histories[WATCHER].seen.insert(4, Seen::Updated(late));
    });
    assert!(
        matches!(&after_the_end, Violation::WentBack { of: COMMAND, .. }),
        "{after_the_end}"
    );
    let less_output = only(|it| {
        let less = update(2, Status::InProgress, "beg");
        it.histories[WATCHER].seen.insert(3, Seen::Updated(less));
    });
    assert!(
        matches!(&less_output, Violation::WentBack { of: COMMAND, .. }),
        "{less_output}"
    );
}

#[test]
fn a_foreign_event_is_found() {
    let foreign = only(|it| it.histories[FLEET].seen.insert(2, moved(FOREIGN_BUS, 9)));
    assert!(
        matches!(
            &foreign,
            Violation::Foreign {
                of: FOREIGN_BUS,
                ..
            }
        ),
        "{foreign}"
    );
    let device = only(|it| {
        let mut update = update(1, Status::InProgress, "");
        update.device = Uuid::from_u128(40);
        it.histories[WATCHER].seen.insert(1, Seen::Updated(update));
    });
    assert!(
        matches!(&device, Violation::Foreign { of: COMMAND, .. }),
        "{device}"
    );
    let nonsense = only(|it| {
        let text = r#"{"detail": "not what was asked for"}"#;
        let seen = Seen::of(&it.histories[FLEET].scope, text);
        it.histories[FLEET].seen.push(seen);
    });
    assert!(
        matches!(&nonsense, Violation::Nonsense { .. }),
        "{nonsense}"
    );
}

#[test]
fn a_doubled_command_is_found() {
    let twice = only(|it| {
        it.truth.lines.insert("mark".to_owned(), 2);
    });
    assert_eq!(
        twice,
        Violation::RanTwice {
            id: COMMAND,
            lines: 2
        }
    );
    let never = only(|it| it.truth.lines.clear());
    assert_eq!(never, Violation::NeverRan { id: COMMAND });
    let end = |it: &mut Evidence, status, output: &str| {
        let end = update(3, status, output);
        it.truth.commands.get_mut(&COMMAND).unwrap().update = end.clone();
        it.histories[WATCHER].seen = vec![Seen::Opened, Seen::Updated(end)];
    };
    let denied = only(|it| end(it, Status::Failed, "the server was stopped: it was not run"));
    assert!(
        matches!(&denied, Violation::RanAfterAll { id: COMMAND, .. }),
        "{denied}"
    );
    // A command may fail while something is broken, and no later.
    let failed = |it: &mut Evidence| end(it, Status::Failed, "the connection was lost");
    assert_eq!(found(failed), []);
    let late = only(|it| {
        failed(it);
        it.acknowledged.late_commands.insert(COMMAND);
    });
    assert!(
        matches!(&late, Violation::FailedAfterwards { id: COMMAND, .. }),
        "{late}"
    );
    let open = only(|it| end(it, Status::InProgress, ""));
    assert_eq!(open, Violation::Open { id: COMMAND });
}

#[test]
fn a_lost_write_is_found() {
    let gone = |violations: &[Violation]| {
        let is_loss = |it: &Violation| matches!(it, Violation::WriteLost { .. });
        violations.iter().filter(|it| is_loss(it)).count()
    };
    let lost = only(|it| {
        it.acknowledged
            .steps
            .get_mut(&FOREIGN_BUS)
            .unwrap()
            .acknowledged = 10;
    });
    assert_eq!(gone(&[lost]), 1);
    let vanished = found(|it| {
        it.truth.steps.remove(&FOREIGN_BUS);
    });
    assert_eq!(gone(&vanished), 1);
    let command = only(|it| {
        it.acknowledged.commands.insert(Uuid::from_u128(50));
    });
    assert_eq!(gone(&[command]), 1);
    // Acknowledged, told of, and gone from the table.
    let command = found(|it| {
        it.truth.commands.remove(&COMMAND);
    });
    assert_eq!(gone(&command), 2);
    let invented = only(|it| it.acknowledged.steps.get_mut(&FOREIGN_BUS).unwrap().sent = 8);
    assert_eq!(
        invented,
        Violation::Invented {
            of: FOREIGN_BUS,
            step: 9
        }
    );
}

#[test]
fn who_stays_without_a_right_is_found() {
    let heard = only(|it| it.histories[LEAVER].seen.insert(6, moved(BUS, 4)));
    assert!(
        matches!(
            &heard,
            Violation::HeardAfterwards {
                of: BUS,
                step: 4,
                told: 3,
                ..
            }
        ),
        "{heard}"
    );
    let not_closed = only(|it| {
        it.histories[LEAVER].seen.pop();
    });
    assert!(
        matches!(&not_closed, Violation::StillIn { .. }),
        "{not_closed}"
    );
    let again = only(|it| it.histories[LEAVER].seen.push(Seen::Opened));
    assert!(matches!(&again, Violation::StillIn { .. }), "{again}");
    // A fleet's socket follows its user's organizations: it may be there, and hear no more.
    let stay = |it: &mut Evidence| {
        let Duty::IsOut { may_stay, .. } = &mut it.histories[LEAVER].duty else {
            panic!("not who leaves")
        };
        *may_stay = true;
        it.histories[LEAVER].seen.push(Seen::Opened);
    };
    assert_eq!(found(stay), []);
    let heard = only(|it| {
        stay(it);
        it.histories[LEAVER].seen.push(moved(VAN, 3));
    });
    assert!(
        matches!(&heard, Violation::HeardAfterwards { of: VAN, .. }),
        "{heard}"
    );
    // That it has ended is not enough: it might be let in again.
    let not_refused = only(|it| it.histories[LEAVER].refused.clear());
    assert!(
        matches!(&not_refused, Violation::StillIn { .. }),
        "{not_refused}"
    );
}

#[test]
fn who_does_not_read_need_not_know_and_may_hear_nothing_foreign() {
    let deaf = |it: &mut Evidence| {
        it.histories[FLEET].duty = Duty::Nothing;
        it.histories[FLEET].seen.truncate(3);
    };
    assert_eq!(found(deaf), []);
    let foreign = only(|it| {
        deaf(it);
        it.histories[FLEET].seen.push(moved(FOREIGN_BUS, 9));
    });
    assert!(matches!(&foreign, Violation::Foreign { .. }), "{foreign}");
}

#[test]
fn who_gets_in_and_who_is_kept_out_wrongly_is_found() {
    let in_ = only(|it| it.intrusions.admitted.push("nobody".to_owned()));
    assert!(matches!(&in_, Violation::LetIn { .. }), "{in_}");
    let odd = only(|it| it.intrusions.odd.push("404".to_owned()));
    assert!(matches!(&odd, Violation::OddAnswer { .. }), "{odd}");
    let out = only(|it| {
        it.histories[FLEET].refused.insert(403, 1);
    });
    assert!(
        matches!(&out, Violation::ShutOut { status: 403, .. }),
        "{out}"
    );
    // "Later" is no refusal of a right.
    assert_eq!(
        found(|it| {
            it.histories[FLEET].refused.insert(503, 7);
        }),
        []
    );
    let answer = only(|it| it.acknowledged.refusals.push("404".to_owned()));
    assert!(matches!(&answer, Violation::Refused { .. }), "{answer}");
}
