use axum::http::HeaderValue;

use super::*;
use crate::config::{Overlay, Settings};
use login::{Attempt, Denied};
use role::Role;
use token::Wanted;

const PASSWORD: &str = "correct horse battery";
const HOUR: u64 = 3_600_000;

/// A login whose administrator is `ops`, with the folder that it lives in.
fn auth() -> (tempfile::TempDir, Arc<Auth>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
    let auth = open(&folder, 0);
    (folder, auth)
}

fn open(folder: &tempfile::TempDir, now_ms: u64) -> Arc<Auth> {
    let place = folder.path().join("password");
    let text = format!("[console.auth]\nadministrator = \"ops\"\npassword = \"file:{}\"", place.display());
    let settings = Settings::parse(&text, "test.toml", &Overlay::default()).unwrap().auth.unwrap();
    let database = folder.path().join("state.db");
    let storage = Arc::new(Storage::open(&database).unwrap());
    Arc::new(Auth::open(&settings, &database, storage, Log::off(), now_ms).unwrap())
}

fn at(unix_ms: u64) -> Moment {
    Moment { unix_ms, at: Timestamp::from_nanos(unix_ms * 1_000_000) }
}

async fn log_in(auth: &Arc<Auth>, password: &str, now: Moment) -> Result<HeaderMap, Denied> {
    let attempt = Attempt {
        account: " OPS ".to_owned(),
        password: password.to_owned(),
        address: [192, 0, 2, 1].into(),
    };
    let entered = auth.log_in(attempt, None, now).await?;
    let mut headers = HeaderMap::new();
    let cookie = format!("rad_session={}", entered.id.reveal());
    headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
    Ok(headers)
}

fn is_known(auth: &Auth, headers: &HeaderMap, now_ms: u64) -> bool {
    matches!(auth.authenticate(headers, now_ms), Shown::Known(_))
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_at_the_latest_when_its_life_is_over() {
    let (_folder, auth) = auth();
    let used = log_in(&auth, PASSWORD, at(0)).await.unwrap();
    let unused = log_in(&auth, PASSWORD, at(0)).await.unwrap();
    for half_hours in 1..24 {
        assert!(is_known(&auth, &used, half_hours * HOUR / 2), "{half_hours}");
    }
    assert!(!is_known(&auth, &unused, HOUR));
    assert!(!is_known(&auth, &used, 12 * HOUR));
}

#[tokio::test]
async fn what_follows_a_session_is_told_within_a_sweep_that_its_time_is_over() {
    let (_folder, auth) = auth();
    let headers = log_in(&auth, PASSWORD, at(0)).await.unwrap();
    let Shown::Known(who) = auth.authenticate(&headers, 1) else { panic!("not known") };
    let mut alive = auth.follow(&who).unwrap();
    auth.sweep(11 * HOUR).unwrap();
    assert!(is_known(&auth, &headers, 11 * HOUR), "an open page is a use");
    auth.sweep(12 * HOUR).unwrap();
    ended(&mut alive).await;
    assert!(auth.follow(&who).is_none());
}

#[tokio::test]
async fn over_a_restart_a_session_keeps_its_times() {
    let (folder, auth) = auth();
    let headers = log_in(&auth, PASSWORD, at(0)).await.unwrap();
    assert!(is_known(&auth, &headers, HOUR / 2));
    auth.sweep(HOUR / 2).unwrap();
    drop(auth);
    let again = open(&folder, HOUR);
    assert!(is_known(&again, &headers, HOUR), "it was used half an hour ago");
    drop(again);
    // Nobody was there to use it.
    let later = open(&folder, 3 * HOUR);
    assert!(!is_known(&later, &headers, 3 * HOUR));
    assert_eq!(later.storage.sessions().unwrap(), []);
}

#[tokio::test]
async fn a_token_ends_at_its_moment_and_is_forgotten() {
    let (_folder, auth) = auth();
    let wanted = Wanted {
        name: "ci".to_owned(),
        owner: "ops".to_owned(),
        scopes: vec![Scope::Read],
        life: Duration::from_hours(1),
    };
    let (_, secret) = auth.add_token(wanted, 0).await.unwrap();
    let mut headers = HeaderMap::new();
    let bearer = HeaderValue::from_str(&format!("bearer {}", secret.reveal())).unwrap();
    headers.insert(header::AUTHORIZATION, bearer);
    let Shown::Known(who) = auth.authenticate(&headers, HOUR - 1) else { panic!("not known") };
    assert_eq!((who.shown().as_str(), who.role), ("token ci of ops", Role::Admin));
    let mut alive = auth.follow(&who).unwrap();
    assert!(matches!(auth.authenticate(&headers, HOUR), Shown::BadToken));
    auth.sweep(HOUR).unwrap();
    ended(&mut alive).await;
    assert_eq!(auth.storage.tokens().unwrap(), []);
}

#[tokio::test]
async fn who_waits_as_told_is_let_in() {
    let (_folder, auth) = auth();
    for _ in 0..5 {
        assert_eq!(log_in(&auth, "wrong", at(0)).await.unwrap_err(), Denied::Wrong);
    }
    let Err(Denied::Wait(wait)) = log_in(&auth, PASSWORD, at(0)).await else { panic!("not limited") };
    assert_eq!(wait, Duration::from_mins(1));
    let early = log_in(&auth, PASSWORD, at(59_000)).await.unwrap_err();
    assert_eq!(early, Denied::Wait(Duration::from_secs(1)));
    log_in(&auth, PASSWORD, at(60_000)).await.unwrap();
}

#[tokio::test]
async fn a_password_that_is_too_long_to_be_one_is_wrong() {
    let (_folder, auth) = auth();
    let long = PASSWORD.repeat(1_000);
    assert_eq!(log_in(&auth, &long, at(0)).await.unwrap_err(), Denied::Wrong);
}

#[test]
fn only_tokens_of_ours_are_looked_at() {
    let of = |text: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(text));
        bearer(&headers).map(str::to_owned)
    };
    assert_eq!(of("Bearer rad_x").as_deref(), Some("rad_x"));
    assert_eq!(of("bEARER  rad_x ").as_deref(), Some("rad_x"));
    for other in ["Basic rad_x", "Bearer eyJhbGciOi", "Bearer", "rad_x", ""] {
        assert_eq!(of(other), None, "{other}");
    }
}
