use std::path::Path;

use serde_json::json;

use super::*;
use crate::rollout::Switches;
use crate::rollout::flags::{Facts, Serve};

fn cause(reason: &str) -> Cause {
    Cause { by: "ada".to_owned(), reason: reason.to_owned(), at_ms: 1, reverts: None }
}

fn storage() -> Arc<Storage> {
    Arc::new(Storage::open(Path::new(":memory:")).unwrap())
}

fn open(storage: &Arc<Storage>, configured: &[FlagSettings]) -> Switchboard {
    Switchboard::open(Arc::clone(storage), Environment::Development, configured, Log::off()).unwrap()
}

fn put(board: &Switchboard, key: &str, flag: Flag) -> Result<FlagChange, FlagRefused> {
    board.change(key, None, &cause(""), "changed", |_| Ok(Become::Flag(Box::new(flag))))
}

fn is_on(board: &Switchboard, key: &str) -> Option<bool> {
    let now = board.now();
    let found = now.snapshot.evaluate(now.snapshot.position(key)?, &Facts(&[]))?.ok()?;
    found.value.as_bool()
}

#[test]
fn a_change_is_in_force_at_once_and_after_a_restart() {
    let storage = storage();
    let board = open(&storage, &[]);
    assert_eq!(is_on(&board, "f"), None);
    let made = put(&board, "f", Flag::switch("", true)).unwrap();
    assert!(made.before.is_none() && made.stored.is_ok());
    assert_eq!(is_on(&board, "f"), Some(true));
    put(&board, "f", Flag::switch("", false)).unwrap();
    assert_eq!(is_on(&board, "f"), Some(false));
    let again = open(&storage, &[]);
    assert_eq!(is_on(&again, "f"), Some(false));
    assert_eq!(again.now().snapshot.get("f").unwrap().seed, made.after.unwrap().seed);
}

#[test]
fn who_is_overtaken_changes_nothing() {
    let board = open(&storage(), &[]);
    put(&board, "f", Flag::switch("", true)).unwrap();
    put(&board, "f", Flag::switch("", true)).unwrap();
    let late = board
        .change("f", Some(1), &cause(""), "changed", |_| Ok(Become::Flag(Box::new(Flag::switch("", false)))));
    assert!(matches!(late, Err(FlagRefused::Overtaken { version: 2, .. })), "{late:?}");
    assert_eq!(is_on(&board, "f"), Some(true));
    let late = board.change("new", Some(3), &cause(""), "changed", |_| {
        Ok(Become::Flag(Box::new(Flag::switch("", false))))
    });
    assert!(matches!(late, Err(FlagRefused::Overtaken { version: 0, .. })), "{late:?}");
}

#[test]
fn an_archived_flag_keeps_its_seed_and_its_versions_for_when_it_comes_back() {
    let storage = storage();
    let board = open(&storage, &[]);
    let seed = put(&board, "f", Flag::switch("", true)).unwrap().after.unwrap().seed;
    board.change("f", None, &cause(""), "archived", |_| Ok(Become::Archived)).unwrap();
    assert_eq!(is_on(&board, "f"), None);
    let board = open(&storage, &[]);
    assert_eq!(is_on(&board, "f"), None);
    let back = put(&board, "f", Flag::switch("", true)).unwrap().after.unwrap();
    assert_eq!((back.seed, back.version), (seed, 3));
    assert_eq!(board.history("f", 10).unwrap().len(), 3);
}

#[test]
fn a_flag_that_another_needs_can_neither_go_nor_lose_what_is_needed() {
    let board = open(&storage(), &[]);
    put(&board, "f", Flag::switch("", true)).unwrap();
    let needs = json!([{"flag": "f", "variant": "on"}]);
    let needy = Flag { prerequisites: serde_json::from_value(needs).unwrap(), ..Flag::switch("", true) };
    put(&board, "needy", needy).unwrap();
    let gone = board.change("f", None, &cause(""), "archived", |_| Ok(Become::Archived));
    assert!(gone.unwrap_err().to_string().contains("needed as it is by needy"));
    let other = json!({"variants": {"blue": true}, "off_variant": "blue", "default": "blue"});
    let other = put(&board, "f", serde_json::from_value(other).unwrap());
    assert!(other.unwrap_err().to_string().contains("needed as it is by needy"));
    put(&board, "f", Flag::switch("", false)).unwrap();
    assert_eq!(is_on(&board, "needy"), Some(false));
}

#[test]
fn the_configuration_gives_a_flag_its_beginning_and_what_people_change_is_kept() {
    let storage = storage();
    let configured = |on| [FlagSettings { key: "f".to_owned(), flag: Flag::switch("from the file", on) }];
    let board = open(&storage, &configured(false));
    assert_eq!(is_on(&board, "f"), Some(false));
    let rule = json!([{"if": [{"attribute": "a", "is": "exists"}], "serve": "off"}]);
    let ruled = Flag { rules: serde_json::from_value(rule).unwrap(), ..Flag::switch("", true) };
    put(&board, "f", ruled.clone()).unwrap();
    assert_eq!(is_on(&open(&storage, &configured(false)), "f"), Some(true));
    // Without it in the file, it stays too.
    assert_eq!(is_on(&open(&storage, &[]), "f"), Some(true));
    let edited = [FlagSettings {
        flag: Flag { otherwise: Serve::Variant("off".to_owned()), ..configured(true)[0].flag.clone() },
        ..configured(true)[0].clone()
    }];
    let board = open(&storage, &edited);
    assert_eq!(is_on(&board, "f"), Some(false));
    let kept = board.now().snapshot.get("f").unwrap().clone();
    assert_eq!((kept.by.as_str(), kept.flag.rules == ruled.rules), ("configuration", true));
}

#[test]
fn the_programs_own_switches_are_there_and_on_and_cannot_be_what_it_could_not_read() {
    let storage = storage();
    let board = Arc::new(open(&storage, &[]));
    let switches = Switches::new(Arc::clone(&board));
    assert!(switches.promotes("r") && switches.rolls_back("r") && switches.logs_request("/", "GET", "1"));
    let blue = json!({"variants": {"blue": true, "off": false}, "off_variant": "off", "default": "blue"});
    for (key, flag) in [
        ("rad.request-log", serde_json::from_value(blue).unwrap()),
        ("rad.unknown", Flag::switch("", true)),
        ("rad.request-log", Flag { off_variant: "on".to_owned(), ..Flag::switch("", true) }),
    ] {
        assert!(matches!(put(&board, key, flag), Err(FlagRefused::Wrong(_))), "{key}");
    }
    let gone = board.change("rad.request-log", None, &cause(""), "archived", |_| Ok(Become::Archived));
    assert!(gone.unwrap_err().to_string().contains("turn it off instead"));
    let rule =
        json!([{"if": [{"attribute": "rollout", "is": "equals", "values": ["search"]}], "serve": "off"}]);
    let ruled = Flag { rules: serde_json::from_value(rule).unwrap(), ..Flag::switch("", true) };
    put(&board, "rad.automatic-rollback", ruled).unwrap();
    assert!(!switches.rolls_back("search") && switches.rolls_back("mail") && switches.promotes("search"));
    // A second start changes nothing of it.
    let again = Switches::new(Arc::new(open(&storage, &[])));
    assert!(!again.rolls_back("search") && again.rolls_back("mail"));
}
