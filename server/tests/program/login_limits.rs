use http::StatusCode;

use crate::support::{ADMIN, Browser, PASSWORD, with_login};

#[tokio::test]
async fn one_address_tries_an_account_five_times_and_then_waits_while_others_get_in() {
    let program = with_login("");
    let attacker = || Browser::new(&program).at(66);
    for _ in 0..5 {
        assert_eq!(attacker().log_in(ADMIN, "wrong password").await.status, StatusCode::UNAUTHORIZED);
    }
    let refused = attacker().log_in(ADMIN, PASSWORD).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "even with the right password");
    assert!((1..=60).contains(&refused.number("retry-after")));
    let page = attacker().submit("/login", &[("account", ADMIN), ("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "the page is no way around");
    assert!(
        page.number("retry-after") >= 1 && String::from_utf8_lossy(&page.body).contains("Too many attempts")
    );
    Browser::logged_in(&program, ADMIN, PASSWORD).await;
}

#[tokio::test]
async fn tries_at_once_are_no_way_around() {
    let program = with_login("");
    let tries = (0..20).map(|_| {
        let mut browser = Browser::new(&program).at(67);
        async move { browser.log_in(ADMIN, "wrong password").await.status }
    });
    let statuses = futures_util::future::join_all(tries).await;
    let looked_at = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    assert_eq!(looked_at, 5, "{statuses:?}");
}

#[tokio::test]
async fn one_address_does_not_go_through_all_names() {
    let program = with_login("");
    let mut statuses = Vec::new();
    for at in 0..31 {
        let answer = Browser::new(&program).at(68).log_in(&format!("name-{at}"), "wrong password").await;
        statuses.push(answer.status);
    }
    assert!(statuses[..30].iter().all(|status| *status == StatusCode::UNAUTHORIZED), "{statuses:?}");
    assert_eq!(statuses[30], StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn many_addresses_do_not_lock_an_owner_out_from_where_they_have_been_before() {
    let program = with_login("");
    // From here the owner has logged in; then the password is guessed at from everywhere else.
    Browser::logged_in(&program, ADMIN, PASSWORD).await;
    let mut at = 100;
    let last = loop {
        let answer = Browser::new(&program).at(100 + at % 100 / 4).log_in(ADMIN, "wrong password").await;
        at += 1;
        assert!(at < 200, "nobody slows them down");
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
    };
    assert!((1..=60).contains(&last.number("retry-after")), "not for long: {last:?}");
    let stranger = Browser::new(&program).at(200).log_in(ADMIN, PASSWORD).await;
    assert_eq!(stranger.status, StatusCode::TOO_MANY_REQUESTS);
    Browser::logged_in(&program, ADMIN, PASSWORD).await;
}
