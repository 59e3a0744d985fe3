//! Locks, queues and what each login costs.

use super::queue::{Joined, Rank, WAITING};
use super::*;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use tve_config::User;

/// Password "right", one round of PBKDF2.
const QUICK: &str =
    "pbkdf2:sha256:1$salt$44ec8cfe2ba4d927331c58d8a2a0cc13d6f1f1bd9a55fd8826ebd9d2a2e751df";

fn access() -> Arc<Access> {
    let user = User { hash: QUICK.to_owned(), role: Role::Operator };
    let security = Security {
        enabled: true,
        users: BTreeMap::from([("anna".to_owned(), user)]),
        ..Security::default()
    };
    Arc::new(Access::new(&Identity::Known(security), [1; 32], TokenBook::default()))
}

fn arrival(user: &str, password: &str) -> Arrival {
    let credentials = Credentials::Basic(Login::new(user, password));
    Arrival { address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), credentials }
}

async fn status(access: &Arc<Access>, user: &str, password: &str) -> u16 {
    match access.authenticate(&arrival(user, password), Lane::Ordinary).await {
        Ok(_) => 200,
        Err(error) => error.status(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_ends_after_fifteen_minutes_and_a_known_password_is_checked_again_after_one() {
    let access = access();
    let ok = || access.counts.ok.load(Ordering::Relaxed);
    assert_eq!(status(&access, "anna", "right").await, 200);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!((status(&access, "anna", "right").await, ok()), (200, 1));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!((status(&access, "anna", "right").await, ok()), (200, 2));
    for _ in 0..5 {
        assert_eq!(status(&access, "anna", "wrong").await, 401);
    }
    assert_eq!(status(&access, "anna", "right").await, 429);
    tokio::time::advance(Duration::from_secs(15 * 60 - 1)).await;
    assert_eq!(status(&access, "anna", "right").await, 429);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(status(&access, "anna", "right").await, 200);
}

#[tokio::test]
async fn guesses_sent_at_the_same_time_are_locked_like_guesses_one_by_one() {
    let access = access();
    let guesses: Vec<_> = (0..16)
        .map(|i| {
            let access = Arc::clone(&access);
            tokio::spawn(async move { status(&access, "anna", &format!("guess {i}")).await })
        })
        .collect();
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(guess.await.unwrap());
    }
    assert_eq!(statuses.iter().filter(|s| **s == 401).count(), 5, "{statuses:?}");
    assert_eq!(access.counts.failed.load(Ordering::Relaxed), 5, "passwords compared");
}

fn at(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, n))
}

#[tokio::test]
async fn one_address_may_fill_the_queue_until_another_one_asks() {
    let access = access();
    let queue = &access.ordinary;
    let turn = queue.join(at(1), Rank::User).unwrap_or_else(|_| panic!("nobody is there"));
    let mut places: Vec<_> = (0..WAITING).map(|_| queue.join(at(1), Rank::User).unwrap()).collect();
    assert!(queue.join(at(1), Rank::User).is_err());
    let newcomer = queue.join(at(2), Rank::User).unwrap();
    let Some(Joined::Waits(newest)) = places.pop() else { panic!("it waits") };
    assert!(newest.await.is_err(), "the newest of the address with most has gone");
    drop(turn);
    let Joined::Waits(mut newcomer) = newcomer else { panic!("it waits") };
    let turn = newcomer.try_recv().expect("it comes before an address that had its turn");
    drop(turn);
    let Joined::Waits(oldest) = places.remove(0) else { panic!("it waits") };
    drop(oldest.await.unwrap());
}

#[tokio::test]
async fn made_up_names_from_many_addresses_never_keep_a_user_waiting() {
    let access = access();
    let queue = &access.ordinary;
    let turn = queue.join(at(1), Rank::Stranger).unwrap_or_else(|_| panic!("nobody is there"));
    let strangers: Vec<_> =
        (0..WAITING as u8).map(|n| queue.join(at(n), Rank::Stranger).unwrap()).collect();
    assert!(queue.join(at(99), Rank::Stranger).is_err());
    // Also from an address that strangers use.
    let user = queue.join(at(1), Rank::User).unwrap();
    drop(turn);
    let Joined::Waits(mut user) = user else { panic!("it waits") };
    assert!(user.try_recv().is_ok());
    drop(strangers);
}

#[tokio::test]
async fn wrong_guesses_and_made_up_names_do_not_keep_a_calming_command_out() {
    let access = access();
    let calm = async |user: &str, password: &str| {
        let arrival = arrival(user, password);
        access.authenticate(&arrival, Lane::Calming).await.map_or_else(|e| e.status(), |_| 200)
    };
    for _ in 0..5 {
        assert_eq!(status(&access, "anna", "wrong").await, 401);
    }
    assert_eq!(status(&access, "anna", "right").await, 429, "locked for everything else");
    // Strangers have taken every turn and every place.
    let _turn = access.ordinary.join(at(1), Rank::Stranger).unwrap_or_else(|_| panic!());
    let _strangers: Vec<_> =
        (0..WAITING).map(|_| access.ordinary.join(at(1), Rank::Stranger).unwrap()).collect();
    assert_eq!(calm("nobody", "right").await, 429, "it waits with its like");
    assert_eq!(calm("anna", "right").await, 200);
}

#[tokio::test]
async fn a_user_who_does_not_exist_takes_a_check_like_one_who_does() {
    let access = access();
    assert_eq!(status(&access, "nobody", "right").await, 401);
    assert_eq!(access.counts.failed.load(Ordering::Relaxed), 1);
    for _ in 0..4 {
        assert_eq!(status(&access, "nobody", "right").await, 401);
    }
    assert_eq!(status(&access, "nobody", "right").await, 429, "locked like one who does");
}

#[tokio::test]
async fn a_user_who_is_gone_while_his_request_is_read_sends_nothing_more() {
    let access = access();
    let caller = access.authenticate(&arrival("anna", "right"), Lane::Ordinary).await.unwrap();
    access.take(&caller).unwrap();
    let mut security = access.policy.load().security.clone();
    security.users.get_mut("anna").unwrap().role = Role::Viewer;
    access.enforce(&security);
    assert_eq!(access.take(&caller).unwrap_err().status(), 401);
    security.users.clear();
    access.enforce(&security);
    assert_eq!(access.take(&caller).unwrap_err().status(), 401);
    assert_eq!(status(&access, "anna", "right").await, 401, "known a moment ago");
}
