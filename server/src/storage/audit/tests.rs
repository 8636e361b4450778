use std::path::Path;

use serde_json::json;

use super::*;

fn in_memory() -> Storage {
    Storage::open(Path::new(":memory:")).unwrap()
}

/// An entry that says no more than this.
pub fn entry(actor: &str, action: &str, object: &str) -> NewEntry {
    NewEntry {
        at_ms: 1_700_000_000_000,
        actor: actor.to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        before: json!({"percent": 10, "phase": "stage", "stage": 1}),
        after: json!({"percent": 25, "phase": "stage", "stage": 2}),
        reason: "looks good".to_owned(),
        undo: Some(Call {
            method: "POST".to_owned(),
            path: "/api/rollouts/search".to_owned(),
            body: "{\"from\":25,\"percent\":10,\"reason\":\"undo of 10 → 25 %\"}".to_owned(),
        }),
        reverts: None,
    }
}

fn ids(storage: &Storage, filter: &Filter) -> Vec<i64> {
    storage.audit(filter, 100).unwrap().into_iter().map(|kept| kept.id).collect()
}

#[test]
fn an_entry_is_read_as_it_was_written_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let entry = NewEntry { undo: None, ..entry("ada", "cache.invalidate", "tag \"counts\"") };
    assert_eq!(Storage::open(&path).unwrap().append(&entry).unwrap(), 1);
    let again = Storage::open(&path).unwrap();
    let kept = again.audit_entry(1).unwrap().unwrap();
    assert_eq!((kept.id, kept.entry, kept.reverted_by), (1, entry, None));
    assert_eq!(again.audit_entry(2).unwrap(), None);
}

#[test]
fn nothing_can_be_changed_removed_replaced_or_put_in_between() {
    let storage = in_memory();
    storage.append(&entry("ada", "rollout.share", "search")).unwrap();
    storage.append(&entry("eve", "rollout.share", "search")).unwrap();
    let before = storage.audit(&Filter::default(), 10).unwrap();
    for statement in [
        "UPDATE audit SET actor = 'ada' WHERE id = 2",
        "UPDATE audit SET id = 7 WHERE id = 2",
        "DELETE FROM audit WHERE id = 2",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT 2, at_unix_ms, 'ada', action, object, before, after, reason, undo,
            reverts, hash FROM audit WHERE id = 2",
        "INSERT INTO audit SELECT 9, at_unix_ms, actor, action, object, before, after, reason, undo, reverts, hash
            FROM audit WHERE id = 2",
        "INSERT INTO audit SELECT 0, at_unix_ms, actor, action, object, before, after, reason, undo, reverts, hash
            FROM audit WHERE id = 2",
    ] {
        let refused = storage.lock().execute(statement, []).unwrap_err();
        assert!(refused.to_string().contains("the audit log is only added to"), "{statement}: {refused}");
    }
    assert_eq!(storage.audit(&Filter::default(), 10).unwrap(), before);
    assert_eq!(storage.append(&entry("ada", "rollout.share", "search")).unwrap(), 3);
}

#[test]
fn the_latest_come_first_and_pages_go_on_where_the_last_one_ended() {
    let storage = in_memory();
    for _ in 0..7 {
        storage.append(&entry("ada", "rollout.share", "search")).unwrap();
    }
    let page = |before| storage.audit(&Filter { before, ..Filter::default() }, 3).unwrap();
    let ids = |page: Vec<Kept>| page.into_iter().map(|kept| kept.id).collect::<Vec<_>>();
    assert_eq!(ids(page(None)), [7, 6, 5]);
    assert_eq!(ids(page(Some(5))), [4, 3, 2]);
    assert_eq!(ids(page(Some(2))), [1]);
    assert_eq!(ids(page(Some(1))), [] as [i64; 0]);
}

#[test]
fn a_filter_lets_through_what_is_all_that_it_says() {
    let storage = in_memory();
    let some = |text: &str| Some(text.to_owned());
    for (at_ms, actor, action, object, reason) in [
        (1_000, "ada", "rollout.share", "search", "Disk is full"),
        (2_000, "verdict", "rollout.rollback", "search", "below 99.5 %"),
        (3_000, "ada", "breaker.mode", "mail", ""),
        (4_000, "ada", "rollouts", "search", ""),
    ] {
        let reason = reason.to_owned();
        storage.append(&NewEntry { at_ms, reason, ..entry(actor, action, object) }).unwrap();
    }
    let none = Filter::default();
    for (filter, found) in [
        (Filter { actor: some("ada"), ..none.clone() }, vec![4, 3, 1]),
        (Filter { actor: some("ad"), ..none.clone() }, vec![]),
        (Filter { action: some("rollout"), ..none.clone() }, vec![2, 1]),
        (Filter { action: some("rollout.share"), ..none.clone() }, vec![1]),
        (Filter { action: some("roll%"), ..none.clone() }, vec![]),
        (Filter { object: some("mail"), ..none.clone() }, vec![3]),
        (Filter { text: some("disk IS"), ..none.clone() }, vec![1]),
        (Filter { text: some("99.5 %"), ..none.clone() }, vec![2]),
        (Filter { text: some("%"), ..none.clone() }, vec![2]),
        (Filter { from_ms: Some(2_000), to_ms: Some(4_000), ..none.clone() }, vec![3, 2]),
        (Filter { actor: some("ada"), action: some("rollout"), before: Some(4), ..none.clone() }, vec![1]),
        (none, vec![4, 3, 2, 1]),
    ] {
        assert_eq!(ids(&storage, &filter), found, "{filter:?}");
    }
}

#[test]
fn an_entry_names_the_one_that_takes_it_back() {
    let storage = in_memory();
    storage.append(&entry("ada", "rollout.share", "search")).unwrap();
    let back = NewEntry { reverts: Some(1), ..entry("eve", "rollout.share", "search") };
    storage.append(&back).unwrap();
    assert_eq!(storage.audit_entry(1).unwrap().unwrap().reverted_by, Some(2));
    assert_eq!(storage.audit_entry(2).unwrap().unwrap().entry.reverts, Some(1));
}

#[test]
fn what_was_altered_or_taken_out_by_force_no_longer_fits() {
    let storage = in_memory();
    assert_eq!(storage.verify_audit().unwrap(), Verified { entries: 0, head: None, broken_at: None });
    // More than are read at a time.
    for _ in 0..1_005 {
        storage.append(&entry("ada", "rollout.share", "search")).unwrap();
    }
    let whole = storage.verify_audit().unwrap();
    let head = storage.audit_entry(1_005).unwrap().unwrap().hash;
    assert_eq!(whole, Verified { entries: 1_005, head: Some(head), broken_at: None });

    // Who can write the file can take the triggers away.
    let by_force = |statement: &str| {
        let connection = storage.lock();
        connection.execute_batch("DROP TRIGGER IF EXISTS audit_keeps_what_it_says").unwrap();
        connection.execute_batch("DROP TRIGGER IF EXISTS audit_forgets_nothing").unwrap();
        connection.execute(statement, []).unwrap();
    };
    by_force("DELETE FROM audit WHERE id = 1004");
    assert_eq!(storage.verify_audit().unwrap().broken_at, Some(1_005));
    by_force("UPDATE audit SET actor = 'eve' WHERE id = 700");
    let found = storage.verify_audit().unwrap();
    assert_eq!((found.entries, found.broken_at), (699, Some(700)));
}

#[test]
fn names_that_are_too_long_are_cut_off() {
    let storage = in_memory();
    storage.append(&entry("ada", "cache.invalidate", &"ö".repeat(5_000))).unwrap();
    assert_eq!(storage.audit_entry(1).unwrap().unwrap().entry.object.chars().count(), MAX_NAME);
}

#[test]
fn what_is_kept_fits_what_is_told_of_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let storage = Storage::open(&path).unwrap();
    let size = || {
        storage
            .lock()
            .query_row(
                "SELECT page_count * page_size FROM pragma_page_count(),
        pragma_page_size()",
                [],
                |row| row.get::<_, i64>(0),
            )
            .unwrap()
    };
    let before = size();
    for _ in 0..1_000 {
        storage.append(&entry("ada", "rollout.share", "search")).unwrap();
    }
    let bytes = (size() - before) / 1_000;
    assert!((280..360).contains(&bytes), "the README says about 320 bytes, it is {bytes}");
}
