//! Who is served by which side, over real connections.

use std::collections::BTreeMap;

use rusqlite::Connection as Database;
use serde_json::{Value, json};

use crate::support::{KeptAlive, Program, Sides, get, get_with, post_json};

/// A rollout whose seed is the same in every run of the test, so that what is seen is seen always.
async fn started(rollout: &str) -> (Sides, Program) {
    let sides = Sides::new(rollout, "").await;
    let program = sides.start();
    let database = Database::open(program.path("state.db")).unwrap();
    database.execute("UPDATE rollout SET seed = 20261127", []).unwrap();
    drop(database);
    (sides, program.restart("-KILL"))
}

async fn order(program: &Program, what: &str) {
    let answer = post_json(program.console, &format!("/api/rollouts/r/{what}"), "").await;
    assert!(answer.status.is_success(), "{what}: {:?}", answer.body);
}

/// The side of each of so many clients, named by header: `named` makes a header of a number.
async fn sides_of(
    program: &Program,
    clients: u32,
    named: impl Fn(u32) -> (&'static str, String),
) -> Vec<bool> {
    let mut connection = KeptAlive::open(program.gateway).await;
    let mut sides = Vec::new();
    for client in 0..clients {
        let (name, value) = named(client);
        let answer = connection.get("/", &[(name, &value)]).await;
        sides.push(answer.header("x-served-by") == "candidate");
    }
    sides
}

/// Goes through the stages of 10, 25 and 50 % and looks at everybody in each: nobody goes back, and the share of
/// clients is within the interval that holds 99 of 100 fair draws.
async fn climbs(program: &Program, clients: u32, named: impl Fn(u32) -> (&'static str, String) + Copy) {
    let mut before = vec![false; clients as usize];
    for (at, share) in [0.1, 0.25, 0.5].into_iter().enumerate() {
        order(program, if at == 0 { "start" } else { "promote" }).await;
        let now = sides_of(program, clients, named).await;
        assert!(before.iter().zip(&now).all(|(before, now)| !before || *now), "a client was moved back");
        let seen = now.iter().filter(|is_candidate| **is_candidate).count() as f64;
        let (expected, most) =
            (f64::from(clients) * share, 2.576 * (f64::from(clients) * share * (1.0 - share)).sqrt());
        assert!((seen - expected).abs() <= most, "{seen} of {clients} at {share}");
        before = now;
    }
}

const STAGES: &str = "stages = [10, 25, 50]\nbake = \"10m\"";

#[tokio::test]
async fn five_thousand_clients_keep_their_side_while_the_share_rises() {
    let (_sides, program) = started(STAGES).await;
    climbs(&program, 5_000, |client| {
        ("x-forwarded-for", format!("10.{}.{}.{}", client / 62_500, client / 250 % 250, client % 250))
    })
    .await;
    // What was counted of them is no reason for doubt.
    let standing = get(program.console, "/api/rollouts/r").await.json();
    assert_eq!(standing["is_trusted"], true, "{standing}");
}

#[tokio::test]
async fn organisations_keep_their_side_from_whatever_address_they_come() {
    let (_sides, program) = started(&format!("{STAGES}\nassign = \"org\"")).await;
    climbs(&program, 1_000, |client| ("x-org-id", format!("organisation-{client}"))).await;
    let mut seen = BTreeMap::new();
    for address in 0..20 {
        for org in 0..20 {
            let (address, org) = (format!("10.9.9.{address}"), format!("organisation-{org}"));
            let of = [("x-forwarded-for", address.as_str()), ("x-org-id", &org)];
            let by = get_with(program.gateway, "/", &of).await.header("x-served-by").to_owned();
            assert_eq!(*seen.entry(org).or_insert_with(|| by.clone()), by);
        }
    }
    assert_eq!(get(program.console, "/api/rollouts/r").await.json()["assigned_by"], "header:x-org-id");
}

#[tokio::test]
async fn browsers_keep_their_side_by_their_cookie() {
    let (_sides, program) = started(&format!("{STAGES}\nassign = \"cookie:visitor\"")).await;
    climbs(&program, 1_000, |client| ("cookie", format!("theme=dark; visitor={client:08x}; lang=de"))).await;
}

#[tokio::test]
async fn clients_that_one_side_never_answers_make_the_verdict_doubtful_and_hold_the_promotion() {
    let (_sides, program) = started("stages = [50, 100]\nbake = \"1s\"\nminimum_requests = 1").await;
    order(&program, "start").await;
    let address = |client: u32| ("x-forwarded-for", format!("10.1.{}.{}", client / 250, client % 250));
    let all = sides_of(&program, 600, address).await;
    // Begins the stage anew, so that nobody is known; then only some of the candidate's clients come.
    order(&program, "start").await;
    let told = crate::support::eventually("it is doubted", async || {
        let mut connection = KeptAlive::open(program.gateway).await;
        for (client, _) in all.iter().enumerate().filter(|(at, is_candidate)| !**is_candidate || at % 10 == 0)
        {
            let (name, value) = address(u32::try_from(client).unwrap());
            connection.get("/", &[(name, &value)]).await;
        }
        let standing = get(program.console, "/api/rollouts/r").await.json();
        (standing["waits_for"] == "fair_sample").then_some(standing)
    });
    let told: Value = told.await;
    assert_eq!((&told["is_trusted"], &told["verdict"]), (&json!(false), &json!("pass")), "{told}");
    assert!(told["says"].as_str().unwrap().contains("It is not to be trusted: of "), "{told}");
    let plans = get(program.console, "/api/plans").await.json();
    assert_eq!((&plans[0]["tone"], &plans[0]["says"]), (&json!("warn"), &told["says"]));
    assert_eq!(
        (&plans[0]["target"], &plans[0]["sides"][1]["figures"]["estimate"]),
        (&json!(99.5), &json!(100.0))
    );
}
